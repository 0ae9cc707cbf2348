//! Tools of a client: they are told to the model, and called by the client.

use adjutant_core::tool::{Effect, Flow, ToolSpec};
use serde_json::{Map, json};

use crate::wire::{Fault, Node};

/// A function with these fields, and whether its arguments shall be held to its schema.
pub(super) fn function(function: &Node<'_>) -> Result<(ToolSpec, bool), Fault> {
    let name = function.need("name")?;
    let spec = ToolSpec {
        name: named(&name)?,
        description: function
            .get("description")
            .map(|text| text.text())
            .transpose()?
            .unwrap_or_default()
            .to_owned(),
        parameters: match function.get("parameters") {
            Some(parameters) => parameters.fields()?.clone().into(),
            None => json!({"type": "object", "properties": Map::new()}),
        },
        // The client makes the call; what it does to the world is not known here.
        effect: Effect::AtMostOnce,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: Flow::default(),
    };
    let strict = function.get("strict").map(|strict| strict.flag()).transpose()?.unwrap_or(false);
    Ok((spec, strict))
}

fn named(name: &Node<'_>) -> Result<String, Fault> {
    let text = name.text()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err(name.wrong(
            "invalid_value",
            format!("`{}` must be 1 to 64 letters, digits, `_` and `-`, and is `{text}`", name.place()),
        )),
    }
}
