//! Agents as data.
//!
//! An author writes a Markdown file ([`markdown::parse`]) or calls the Rust [builder](crate::Agent); both make the
//! same [`Source`], in which tools are names. [`Source::resolve`] looks the names up and gives a [`Definition`]: all
//! that a run needs to know of its agent, known by its [digest](Definition::digest) and pinned with the run.

mod code;
mod completion;
mod condition;
mod delegate;
pub mod document;
mod extraction;
pub mod flow;
mod front_matter;
mod gaps;
mod guardrail;
mod handoff;
pub mod markdown;
mod name;
mod pinned;
mod schema;
mod setting;
pub mod skill;
mod source;
mod strategy;
pub mod template;
mod tool_search;
mod window;

pub use code::{Code, CodeMode};
pub use completion::Completion;
pub use condition::{Bound, Condition, Judged};
pub(crate) use condition::{Found, Now};
pub(crate) use delegate::TASK;
pub use delegate::{Delegate, Sees};
pub use extraction::Extraction;
pub use gaps::Gaps;
pub use guardrail::{Action, Check, Guardrail, Point, Wanted};
pub use handoff::{Handoff, Passes};
pub use name::check as check_name;
pub use pinned::Definition;
pub use schema::{check as check_schema, of as schema_of};
pub use setting::{
    Setting, errors, handoffs, idle_time, money, parallel, read as read_settings, repeats, steps, tokens,
    wall_time,
};
pub use source::{Asked, Defaults, HandsTo, Named, Source};
pub use strategy::{Over, Strategy, Tree};
pub use tool_search::{ToolSearch, ToolSearchSettings};
pub use window::ContextWindow;
