//! Reads what a model wrote as the arguments of a call.
//!
//! The text is parsed, repaired where only one repair is possible, coerced where the schema admits only one reading,
//! and validated. What is still wrong is told to the model: where, why, and what was expected.

mod coerce;
mod expected;
mod repair;
mod validator;

use adjutant_core::Result;
use adjutant_core::tool::ToolSpec;
use serde_json::Value;

pub use validator::{MAX_ARGUMENTS, Validator};

/// Reads a text as the arguments of one call. [`Registry::arguments`](crate::Registry::arguments) does the same with
/// a schema that is compiled once.
///
/// Fails with [`Code::ToolArguments`](adjutant_core::Code::ToolArguments), which the model hears, or with
/// [`Code::ToolInvalid`](adjutant_core::Code::ToolInvalid) when the schema itself cannot be used.
pub fn arguments(spec: &ToolSpec, text: &str) -> Result<Value> {
    Validator::new(spec)?.read(text)
}
