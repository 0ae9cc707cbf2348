//! The part of JSON Schema that OpenAI enforces while a model writes.
//!
//! developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas": every object closed and each of its
//! properties required, no `anyOf` at the root, and of the keywords those below. A schema with anything else is refused
//! as a whole, so it is only shown to the model then.

use serde_json::{Map, Value};

/// Keywords that say something of the value itself, or nothing at all.
const PLAIN: &[&str] = &[
    "$schema",
    "title",
    "description",
    "type",
    "enum",
    "const",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
];

/// The formats of strings that are known; another one is a mistake to the API.
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// How deep a schema may be nested, references not followed.
const DEEPEST: usize = 10;

/// Whether a schema can be enforced.
pub(super) fn is_strict(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
        && schema.get("anyOf").is_none()
        && fits(schema, 0)
}

fn fits(schema: &Value, depth: usize) -> bool {
    let Value::Object(fields) = schema else { return false };
    if depth > DEEPEST {
        return false;
    }
    // Others beside a reference would have to be merged with what it refers to.
    if let Some(reference) = fields.get("$ref") {
        return fields.len() == 1 && reference.as_str().is_some_and(|to| to.starts_with('#'));
    }
    let inner = |value: &Value| fits(value, depth + 1);
    let keywords = fields.iter().all(|(keyword, value)| match keyword.as_str() {
        "properties" | "$defs" | "definitions" => {
            value.as_object().is_some_and(|map| map.values().all(inner))
        }
        "anyOf" => value.as_array().is_some_and(|list| list.iter().all(inner)),
        "items" => inner(value),
        "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        "required" | "additionalProperties" => true,
        plain => PLAIN.contains(&plain),
    });
    keywords && (!is_object(fields) || is_closed(fields))
}

fn is_object(fields: &Map<String, Value>) -> bool {
    let is = |value: &Value| value.as_str() == Some("object");
    match fields.get("type") {
        Some(Value::Array(types)) => types.iter().any(is),
        Some(one) => is(one),
        None => fields.contains_key("properties"),
    }
}

fn is_closed(fields: &Map<String, Value>) -> bool {
    let required = fields.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_required = |name: &String| required.iter().any(|value| value.as_str() == Some(name));
    let properties = fields.get("properties").and_then(Value::as_object);
    fields.get("additionalProperties") == Some(&Value::Bool(false))
        && properties.is_none_or(|properties| properties.keys().all(is_required))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_supported_is_strict() {
        let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        let deep = |depth: usize| {
            (0..depth).fold(json!({"type": "string"}), |inner, _| object(json!({"a": inner}), json!(["a"])))
        };
        let text = json!({"type": "string"});
        let cases = [
            (object(json!({"a": text}), json!(["a"])), true),
            (json!({"type": "object", "additionalProperties": false}), true),
            (object(json!({"a": {"type": ["string", "null"]}}), json!(["a"])), true),
            (object(json!({"a": {"anyOf": [text, {"type": "null"}]}}), json!(["a"])), true),
            (object(json!({"a": {"type": "array", "items": text}}), json!(["a"])), true),
            (object(json!({"a": {"$ref": "#"}}), json!(["a"])), true),
            (object(json!({"a": {"type": "string", "format": "date"}}), json!(["a"])), true),
            (object(json!({"a": {"type": "integer", "format": "uint32"}}), json!(["a"])), false),
            (deep(5), true),
            (object(json!({"a": text}), json!([])), false),
            (json!({"type": "object", "properties": {"a": text}, "required": ["a"]}), false),
            (object(json!({"a": {"type": "object"}}), json!(["a"])), false),
            (object(json!({"a": {"type": ["object", "null"], "properties": {}}}), json!(["a"])), false),
            (object(json!({"a": {"oneOf": [text]}}), json!(["a"])), false),
            (object(json!({"a": {"type": "string", "default": "x"}}), json!(["a"])), false),
            (object(json!({"a": {"$ref": "#", "description": "x"}}), json!(["a"])), false),
            (object(json!({"a": {"$ref": "https://example.com/a"}}), json!(["a"])), false),
            (object(json!({"a": true}), json!(["a"])), false),
            (json!({"type": "array", "items": text}), false),
            (json!({"type": "object", "anyOf": [], "additionalProperties": false}), false),
            (deep(20), false),
            (json!({}), false),
            (json!([]), false),
        ];
        for (schema, strict) in cases {
            assert_eq!(is_strict(&schema), strict, "{schema}");
        }
    }
}
