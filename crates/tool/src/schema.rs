//! Schemas of types, in the form that every provider takes.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The formats that OpenAI's strict mode knows; others it refuses.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// The schema of a type: without references where the type is not recursive, without names of Rust types, and closed
/// against unknown fields.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let settings = settings.with_transform(RecursiveTransform(simplify));
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    // A type without fields has no `properties`, which some providers insist on.
    if let Some(object) = schema.as_object_mut() {
        object.entry("properties").or_insert_with(|| json!({}));
    }
    schema
}

fn simplify(schema: &mut Schema) {
    schema.remove("title");
    let unknown = |format: &Value| format.as_str().is_none_or(|format| !FORMATS.contains(&format));
    if schema.get("format").is_some_and(unknown) {
        schema.remove("format");
    }
    if let Some(Value::Array(branches)) = schema.remove("oneOf") {
        choose(schema, branches);
    }
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// Writes a choice as `enum` where all branches are words, with what is said about each in the description; otherwise as
/// `anyOf`, since strict mode has no `oneOf`.
fn choose(schema: &mut Schema, branches: Vec<Value>) {
    let Some(words) = branches.iter().map(words).collect::<Option<Vec<_>>>() else {
        schema.insert("anyOf".to_owned(), Value::Array(branches));
        return;
    };
    let said: Vec<_> = branches
        .iter()
        .filter_map(|branch| {
            Some(format!("{}: {}", branch.get("const")?, branch.get("description")?.as_str()?))
        })
        .collect();
    if !said.is_empty() {
        let before = schema.get("description").and_then(Value::as_str).map(|text| format!("{text}\n"));
        schema.insert("description".to_owned(), Value::String(before.unwrap_or_default() + &said.join("\n")));
    }
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), words.concat().into());
}

/// The words that a branch admits, if it admits only words.
fn words(branch: &Value) -> Option<Vec<Value>> {
    match (branch.get("const"), branch.get("enum")) {
        (Some(word @ Value::String(_)), None) => Some(vec![word.clone()]),
        (None, Some(Value::Array(words))) if words.iter().all(Value::is_string) => Some(words.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Line {
        /// How many.
        count: u32,
        kind: Kind,
    }

    /// What it is.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    #[schemars(rename_all = "snake_case")]
    enum Kind {
        /// A thing.
        Goods,
        Service,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Order {
        lines: Vec<Line>,
        note: Option<String>,
    }

    #[test]
    fn a_schema_is_inline_and_closed() {
        assert_eq!(
            schema_of::<Order>(),
            json!({
                "type": "object",
                "properties": {
                    "lines": {"type": "array", "items": {
                        "type": "object",
                        "properties": {
                            "count": {"type": "integer", "minimum": 0, "description": "How many."},
                            "kind": {
                                "type": "string", "enum": ["service", "goods"],
                                "description": "What it is.\n\"goods\": A thing.",
                            },
                        },
                        "required": ["count", "kind"],
                        "additionalProperties": false,
                    }},
                    "note": {"type": ["string", "null"]},
                },
                "required": ["lines"],
                "additionalProperties": false,
            })
        );
    }
}
