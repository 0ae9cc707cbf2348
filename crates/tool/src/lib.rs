//! The hands of Adjutant: tools, and what stands between a model's text and a call.

mod arguments;
pub mod command;
mod context;
mod failure;
mod function;
#[doc(hidden)]
pub mod generated;
mod output;
mod registry;
mod resource;
mod schema;
mod tool;

pub use adjutant_core::tool::{Effect, ToolSpec};
pub use adjutant_macros::tool;
pub use arguments::{MAX_ARGUMENTS, Validator, arguments};
pub use context::Context;
pub use failure::{Failure, ToolError};
pub use function::FunctionTool;
pub use output::Output;
pub use registry::Registry;
pub use resource::{Need, Resources};
pub use tool::{Reconciled, Tool};
