//! `fetch`: reads a web page from a host that a person allowed.
//!
//! Every address is checked after its name was resolved, and the connection is made to the addresses that were checked,
//! so a name that resolves to another address a moment later gains nothing. Each redirect is a new request under the same
//! rules. The proxy of the environment is not used, since it would resolve names itself.

mod config;
mod page;
mod request;
mod text;

pub use config::{Config, fetch};
