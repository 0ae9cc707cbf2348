//! Answers in the form of a schema.

use adjutant_core::{Code, Error, Result};
use adjutant_model::OutputSchema;
use serde_json::Value;

/// How many violations the model is told at a time.
const MOST_VIOLATIONS: usize = 5;
/// How long the text of one violation may be, in characters.
const LONGEST_VIOLATION: usize = 300;

/// The form that an agent's answer must have.
pub(crate) struct Form {
    pub(crate) schema: OutputSchema,
    validator: jsonschema::Validator,
}

impl Form {
    /// Compiles a schema. Fails with [`Code::ProjectInvalid`].
    pub(crate) fn new(agent: &str, schema: &Value) -> Result<Self> {
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .offline()
            .build(schema)
            .map_err(|error| {
                Error::new(Code::ProjectInvalid, format!("the output schema is not valid: {error}"))
            })?;
        let name: String =
            agent.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(64).collect();
        let strict = is_strict(schema);
        Ok(Self { schema: OutputSchema { name, schema: schema.clone(), strict }, validator })
    }

    /// Reads an answer. Fails with what is wrong with it, in lines that a model can act on.
    pub(crate) fn read(&self, text: &str) -> Result<Value, String> {
        let value: Value =
            serde_json::from_str(unfenced(text)).map_err(|error| format!("- it is not JSON: {error}"))?;
        let violations: Vec<String> =
            self.validator.iter_errors(&value).take(MOST_VIOLATIONS).map(|error| violation(&error)).collect();
        match violations.is_empty() {
            true => Ok(value),
            false => Err(violations.join("\n")),
        }
    }

    /// What the instructions say of the form where the provider cannot be given the schema.
    pub(crate) fn instructions(&self) -> String {
        format!(
            "When you are done, answer with nothing but JSON that fits this JSON schema:\n{}",
            self.schema.schema
        )
    }
}

fn violation(error: &jsonschema::ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    let at = if path.is_empty() { "the whole" } else { &path };
    let why: String = error.to_string().chars().take(LONGEST_VIOLATION).collect();
    format!("- at {at}: {why}")
}

/// The text within a Markdown fence, where the whole text is one.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

/// Whether a schema is within what providers enforce while they generate: every object lists all its properties as
/// required and admits no other. Source: OpenAI's guide "Structured model outputs", supported schemas.
fn is_strict(schema: &Value) -> bool {
    let Value::Object(map) = schema else { return true };
    let properties = map.get("properties").and_then(Value::as_object);
    let is_object = properties.is_some() || map.get("type").and_then(Value::as_str) == Some("object");
    if is_object {
        let required: Vec<&str> = map
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let all = properties.is_none_or(|all| all.keys().all(|name| required.contains(&name.as_str())));
        if !all || map.get("additionalProperties") != Some(&Value::Bool(false)) {
            return false;
        }
    }
    let alone = ["items", "not"].into_iter().filter_map(|key| map.get(key));
    let listed =
        ["anyOf", "oneOf", "allOf", "prefixItems"].into_iter().filter_map(|key| map.get(key)?.as_array());
    let named = ["properties", "$defs"].into_iter().filter_map(|key| map.get(key)?.as_object());
    alone.chain(listed.flatten()).chain(named.flat_map(serde_json::Map::values)).all(is_strict)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> Form {
        let schema = json!({
            "type": "object",
            "properties": { "status": { "enum": ["open", "shipped"] }, "items": { "type": "integer" } },
            "required": ["status", "items"],
            "additionalProperties": false,
        });
        Form::new("desk", &schema).unwrap()
    }

    #[test]
    fn an_answer_is_read_as_it_is_or_out_of_a_fence() {
        let form = form();
        assert!(form.schema.strict);
        for text in [r#"{"status":"open","items":1}"#, "```json\n{\"status\":\"open\",\"items\":1}\n```\n"] {
            assert_eq!(form.read(text), Ok(json!({ "status": "open", "items": 1 })), "{text}");
        }
    }

    #[test]
    fn violations_name_their_place() {
        let form = form();
        for (text, expected) in [
            ("It is open.", "- it is not JSON: "),
            (r#"{"status":"lost","items":1}"#, "- at /status: "),
            (r#"{"status":"open"}"#, "- at the whole: "),
            (r#"{"status":"open","items":"two"}"#, "- at /items: "),
        ] {
            let violations = form.read(text).unwrap_err();
            assert!(violations.starts_with(expected), "{text}: {violations}");
        }
    }

    #[test]
    fn only_closed_schemas_are_strict() {
        for (schema, strict) in [
            (json!({ "type": "object", "properties": {} }), false),
            (json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false }), false),
            (
                json!({ "type": "object", "properties": { "a": { "type": "array", "items": { "type": "object" } } },
                    "required": ["a"], "additionalProperties": false }),
                false,
            ),
        ] {
            assert_eq!(is_strict(&schema), strict, "{schema}");
        }
    }
}
