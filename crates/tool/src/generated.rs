//! What the code that `#[tool]` writes calls. Not for people: it may change with every version.

use std::time::Duration;

use adjutant_core::tool::Flow;
use adjutant_core::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use schemars;
pub use serde;

pub use crate::{Effect, Failure, FunctionTool, Need, Output, Tool, ToolSpec};

/// Makes the specification of a tool whose arguments are of the type `A`.
pub fn specification<A: schemars::JsonSchema>(
    name: &str,
    description: &str,
    effect: Effect,
    timeout_ms: Option<u64>,
    concurrency: Option<u32>,
) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: crate::schema::schema_of::<A>(),
        effect,
        timeout: timeout_ms.map_or(ToolSpec::DEFAULT_TIMEOUT, Duration::from_millis),
        concurrency,
        flow: adjutant_core::tool::Flow::default(),
    }
}

/// The specification of a tool that says what it does with information.
pub fn flowing(
    spec: ToolSpec,
    source: Option<&str>,
    trusted: Option<bool>,
    egress: Option<bool>,
) -> ToolSpec {
    let flow = Flow { source: source.map(str::to_owned), trusted, egress, ..Flow::default() };
    ToolSpec { flow, ..spec }
}

/// Reads arguments that fit the schema as the type that the schema was made from. A type can be stricter than its
/// schema; what it says then goes to the model.
pub fn read<A: DeserializeOwned>(arguments: Value) -> Result<A, Failure> {
    serde_json::from_value(arguments).map_err(|error| {
        Failure::Model(Error::new(Code::ToolArguments, format!("the arguments cannot be used: {error}")))
    })
}

/// Makes the output of what a function returned.
pub fn output<T: Serialize + 'static>(value: T) -> Result<Output, Failure> {
    Output::of(value).map_err(Failure::from)
}
