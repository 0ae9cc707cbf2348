//! What a model writes as the arguments of a call, as JSON.

use adjutant_core::tool::ToolSpec;
use serde_json::{Map, Value};

/// The arguments of a call of this tool: an object in JSON, also within a fence and with words behind it; the bare text for a tool
/// that takes nothing but one. Anything else is left as it is: it is repaired, or told to the model, where arguments are read.
pub(super) fn arguments(input: &str, tool: Option<&ToolSpec>) -> String {
    let text = unfenced(input);
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let first = values.next().and_then(Result::ok);
    let length = values.byte_offset();
    match (first, tool.and_then(only_text)) {
        (Some(Value::Object(_)), _) => text.get(..length).unwrap_or(text).trim().to_owned(),
        (_, Some(_)) if text.is_empty() || text.starts_with('{') => text.to_owned(),
        (Some(Value::String(value)), Some(name)) if length == text.len() => object(name, value),
        (_, Some(name)) => object(name, text.to_owned()),
        _ => text.to_owned(),
    }
}

/// The parameter of a tool that takes nothing but one text.
fn only_text(tool: &ToolSpec) -> Option<&str> {
    let properties = tool.parameters.get("properties")?.as_object()?;
    let (name, schema) = properties.iter().next().filter(|_| properties.len() == 1)?;
    (schema.get("type").and_then(Value::as_str) == Some("string")).then_some(name)
}

fn object(name: &str, text: String) -> String {
    Value::Object(Map::from_iter([(name.to_owned(), Value::String(text))])).to_string()
}

/// The text within a Markdown fence, or within backticks, where there is one.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(fenced) = text.strip_prefix("```") else {
        let bare = text.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
        return bare.unwrap_or(text).trim();
    };
    // Behind the fence stands its language.
    let inner = match fenced.split_once('\n') {
        Some((language, inner)) if !language.contains(['{', '`']) => inner,
        _ => fenced.strip_prefix("json").unwrap_or(fenced),
    };
    inner.split_once("```").map_or(inner, |(inner, _)| inner).trim()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use adjutant_core::tool::{Effect, Flow};
    use serde_json::json;

    use super::*;

    fn tool(properties: &Value) -> ToolSpec {
        ToolSpec {
            name: "t".into(),
            description: String::new(),
            parameters: json!({ "type": "object", "properties": properties }),
            effect: Effect::Pure,
            timeout: Duration::from_secs(1),
            concurrency: None,
            flow: Flow::default(),
        }
    }

    #[test]
    fn arguments_are_read_as_models_write_them() {
        let one = tool(&json!({ "q": { "type": "string" } }));
        let two = tool(&json!({ "q": { "type": "string" }, "n": { "type": "integer" } }));
        for (input, tool, expected) in [
            (r#" {"q": 1} "#, &two, r#"{"q": 1}"#),
            ("```json\n{\"q\": 1}\n```\nI wait.", &two, r#"{"q": 1}"#),
            ("```{\"q\": 1}```", &two, r#"{"q": 1}"#),
            ("`{\"q\": 1}`", &two, r#"{"q": 1}"#),
            ("{\"q\": 1}\n\nI wait.", &two, r#"{"q": 1}"#),
            ("{'q': 1}", &two, "{'q': 1}"),
            ("{'q': 1}", &one, "{'q': 1}"),
            ("the red one", &one, r#"{"q":"the red one"}"#),
            ("\"the red one\"", &one, r#"{"q":"the red one"}"#),
            ("\"the\" red one", &one, r#"{"q":"\"the\" red one"}"#),
            ("42", &one, r#"{"q":"42"}"#),
            ("the red one", &two, "the red one"),
            ("", &one, ""),
        ] {
            assert_eq!(arguments(input, Some(tool)), expected, "{input}");
        }
        assert_eq!(arguments("the red one", None), "the red one");
    }
}
