//! What a schema expects, in a line that a model can read.

use std::collections::BTreeMap;

use serde_json::Value;

/// How long a signature may be, in characters.
const LONGEST: usize = 600;

/// How deep nested objects are written out.
const DEEPEST: usize = 3;

/// The arguments by name and type, such as `{number: integer, note?: string}`.
pub(super) fn signature(schema: &Value) -> String {
    let text = shape(schema, 0);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn shape(schema: &Value, depth: usize) -> String {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return options.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
            return branches.iter().map(|branch| shape(branch, depth)).collect::<Vec<_>>().join(" | ");
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) => typed(name, schema, depth),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            names.map(|name| typed(name, schema, depth)).collect::<Vec<_>>().join(" | ")
        }
        _ => "any value".to_owned(),
    }
}

fn typed(name: &str, schema: &Value, depth: usize) -> String {
    match name {
        "array" => match schema.get("items") {
            Some(items) if depth < DEEPEST => format!("[{}]", shape(items, depth + 1)),
            _ => "array".to_owned(),
        },
        "object" if depth < DEEPEST => object(schema, depth),
        other => other.to_owned(),
    }
}

fn object(schema: &Value, depth: usize) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return if depth == 0 { "{}".to_owned() } else { "object".to_owned() };
    };
    let required = schema.get("required").and_then(Value::as_array);
    // In the order of the names, whatever order the schema was read in.
    let properties: BTreeMap<_, _> = properties.iter().collect();
    let fields = properties.into_iter().map(|(name, schema)| {
        let must = required.is_some_and(|names| names.iter().any(|other| other == name));
        format!("{name}{}: {}", if must { "" } else { "?" }, shape(schema, depth + 1))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_signature_names_every_argument() {
        let schema = json!({"type": "object", "required": ["number"], "properties": {
            "number": {"type": "integer"},
            "note": {"type": ["string", "null"]},
            "kind": {"enum": ["a", "b"]},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
        }});
        assert_eq!(
            signature(&schema),
            r#"{kind?: "a" | "b", lines?: [{sku?: string}], note?: string | null, number: integer}"#
        );
        assert_eq!(signature(&json!({"type": "object"})), "{}");
    }
}
