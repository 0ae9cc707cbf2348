//! OpenAPI documents as tools: one for each operation.
//!
//! A [`Document`] (3.0 or 3.1, JSON or YAML) is read, the operations that a [`Config`] names are picked, and [`tools`]
//! makes a [`Tool`](crate::Tool) of each: what stands in its path, query, headers, cookies and body becomes one schema of
//! arguments. A call is sent to the one address of the configuration, with secrets that no model sees, and its answer is
//! shortened to what fits.
//!
//! What a document says is a stranger's word: references lead nowhere out of it, recursion, depth and size are bounded,
//! and nothing in it decides which host is asked where the configuration says so.

mod answer;
mod auth;
mod body;
mod call;
mod config;
mod document;
mod exchange;
mod hidden;
mod inputs;
mod kept;
mod name;
mod operation;
mod parameter;
mod part;
mod pattern;
mod request;
mod schema;
mod source;

pub use call::{probe, tools};
pub use config::{Auth, Config, HeaderText, Keep, KeyPlace, MOST_OPERATIONS};
pub use document::{Document, LONGEST_DOCUMENT};
pub use source::Source;
