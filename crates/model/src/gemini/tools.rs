//! Tools as the wire has them.

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use crate::request::{Request, ToolChoice};

/// The longest name of a function that all models take.
const LONGEST_NAME: usize = 64;

/// All functions in one tool. Fails with `tool-invalid` where a tool is not one for the wire.
pub(super) fn declarations(tools: &[ToolSpec]) -> Result<Value> {
    let declared = tools.iter().map(declaration).collect::<Result<Vec<_>>>()?;
    Ok(json!({"functionDeclarations": declared}))
}

fn declaration(tool: &ToolSpec) -> Result<Value> {
    let invalid = |why: &str| Error::new(Code::ToolInvalid, format!("{why} `{}`", tool.name));
    let Value::Object(parameters) = &tool.parameters else {
        return Err(invalid("the parameters are not a JSON schema of an object: those of the tool"));
    };
    if legal_name(&tool.name) != tool.name {
        let help =
            "use a name that begins with a letter, then letters, digits, _ and -, at most 64 characters";
        return Err(invalid("gemini takes no tool with the name").with_help(help));
    }
    let mut declared = Map::new();
    declared.insert("name".into(), tool.name.as_str().into());
    declared.insert("description".into(), tool.description.as_str().into());
    if !is_empty(parameters) {
        declared.insert("parametersJsonSchema".into(), tool.parameters.clone());
    }
    Ok(declared.into())
}

/// Whether a schema allows the empty object alone: such a function is declared without parameters.
fn is_empty(schema: &Map<String, Value>) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        other => other == false,
    };
    schema.iter().all(|(key, value)| match key.as_str() {
        "type" | "title" | "description" | "$schema" => true,
        "properties" | "required" | "additionalProperties" => is_nothing(value),
        _ => false,
    }) && (schema.contains_key("properties") || schema.contains_key("additionalProperties"))
}

/// A name that the wire takes, made from one that a model may have invented. The call and its result have the same.
pub(super) fn legal_name(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    let name: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let name = if begins { name } else { format!("_{name}") };
    name.chars().take(LONGEST_NAME).collect()
}

/// Whether and what the model must call; none where it may do as it likes. Fails with `input-invalid` where it must call a
/// tool that it does not have.
pub(super) fn choice(request: &Request) -> Result<Option<Value>> {
    Ok(match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(json!({"mode": "NONE"})),
        ToolChoice::Required => Some(json!({"mode": "ANY"})),
        ToolChoice::Named(name) if request.tools.iter().any(|tool| tool.name == *name) => {
            Some(json!({"mode": "ANY", "allowedFunctionNames": [name]}))
        }
        ToolChoice::Named(name) => {
            let message = format!("the model must call `{name}`, which is not among its tools");
            return Err(Error::new(Code::InputInvalid, message));
        }
    })
}

#[cfg(test)]
mod tests {
    use adjutant_core::tool::Effect;

    use super::*;

    fn tool(name: &str, parameters: Value) -> ToolSpec {
        ToolSpec {
            name: name.into(),
            description: "Looks.".into(),
            parameters,
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    #[test]
    fn a_tool_is_declared_with_the_schema_that_it_has() {
        let whole = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}});
        let cases = [
            (whole.clone(), Some(whole)),
            (json!({"type": "object"}), Some(json!({"type": "object"}))),
            (
                json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
                None,
            ),
            (
                json!({"type": "object", "properties": {}, "additionalProperties": true}),
                Some(json!({"type": "object", "properties": {}, "additionalProperties": true})),
            ),
        ];
        for (parameters, expected) in cases {
            let declared = declaration(&tool("look", parameters.clone())).unwrap();
            assert_eq!(declared.get("parametersJsonSchema"), expected.as_ref(), "{parameters}");
            assert_eq!((&declared["name"], &declared["description"]), (&json!("look"), &json!("Looks.")));
        }
    }

    #[test]
    fn a_tool_that_is_none_is_refused() {
        let cases = [
            (
                tool("look", json!([])),
                "the parameters are not a JSON schema of an object: those of the tool `look`",
            ),
            (tool("7up", json!({})), "gemini takes no tool with the name `7up`"),
            (
                tool(&"x".repeat(65), json!({})),
                &format!("gemini takes no tool with the name `{}`", "x".repeat(65)),
            ),
        ];
        for (tool, why) in cases {
            let error = declarations(&[tool]).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::ToolInvalid, why));
        }
    }

    #[test]
    fn every_name_becomes_one_that_is_taken() {
        let cases = [
            ("look", "look"),
            ("a b/c", "a_b_c"),
            ("7up", "_7up"),
            ("", "_"),
            ("ä", "_"),
            ("a.b:c-d", "a.b:c-d"),
        ];
        for (name, legal) in cases {
            assert_eq!(legal_name(name), legal);
        }
        assert_eq!(legal_name(&"x".repeat(200)).len(), 64);
    }
}
