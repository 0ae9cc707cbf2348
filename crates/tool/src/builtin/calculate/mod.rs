//! `calculate`: exact arithmetic, since models are bad at it.

mod evaluate;

use std::sync::Arc;

use adjutant_core::label::Label;
use serde_json::json;

use crate::{Output, Tool, ToolError, tool};

pub use evaluate::evaluate;

/// Calculates with exact decimals (28 digits).
///
/// Knows + - * / % (remainder) ^ (whole powers), parentheses, and the functions abs, ceil, floor, max, min,
/// round(number, digits) and sqrt. Example: round(3 * 19.99 / 1.19, 2)
#[tool(pure, name = "calculate", source = "arithmetic", egress = false)]
fn calculator(
    /// The expression, with a point before decimals and no thousands separators.
    expression: &str,
) -> Result<Output, ToolError> {
    let result = evaluate(expression)?.to_string();
    // A number that only arithmetic made is as trusted as what it was made from; the choke point joins the label of that.
    Ok(Output { data: Some(json!({ "result": result })), ..Output::text(result) }.labelled(Label::default()))
}

/// The tool `calculate`.
pub fn calculate() -> Arc<dyn Tool> {
    calculator.into()
}
