//! Coercion: a value of another type, where the schema admits only one reading of it.

use serde_json::{Number, Value};

/// How many references in a row are followed.
const MOST_REFERENCES: usize = 16;

/// Changes values that have another type than the schema asks for into what they plainly mean: `"5"` into 5 for an
/// integer, 1042 into `"1042"` for a text, `"true"` into true, an array written as a text into the array, 5.0 into 5,
/// and a null for an argument that may be left out into its absence. A value of the right type stays as it is.
pub(super) fn coerce(value: &mut Value, root: &Value) {
    walk(value, root, root);
}

fn walk(value: &mut Value, schema: &Value, root: &Value) {
    let Some(schema) = resolve(schema, root) else { return };
    if let Some(changed) = kind(schema).and_then(|kind| read_as(value, kind)) {
        *value = changed;
    }
    match value {
        Value::Object(fields) => {
            let required = schema.get("required").and_then(Value::as_array);
            let properties = schema.get("properties").and_then(Value::as_object);
            fields.retain(|name, value| {
                let must = required.is_some_and(|names| names.iter().any(|other| other == name));
                let property = properties.and_then(|all| all.get(name));
                !(value.is_null() && !must && property.is_some_and(|schema| refuses_null(schema, root, 0)))
            });
            for (name, value) in fields {
                let property = properties.and_then(|all| all.get(name));
                if let Some(inner) = property.or_else(|| schema.get("additionalProperties")) {
                    walk(value, inner, root);
                }
            }
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                items.iter_mut().for_each(|item| walk(item, inner, root));
            }
        }
        _ => {}
    }
}

/// Follows references within the schema, and a choice between null and one other schema.
fn resolve<'a>(mut schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    for _ in 0..MOST_REFERENCES {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = root.pointer(reference.strip_prefix('#')?)?;
        } else if let Some(only) = only_branch(schema) {
            schema = only;
        } else {
            return Some(schema);
        }
    }
    None
}

fn only_branch(schema: &Value) -> Option<&Value> {
    let branches = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let mut others = branches.iter().filter(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
    others.next().filter(|_| others.next().is_none())
}

/// The one type that the schema asks for, null aside.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => {
            let mut names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.next().filter(|_| names.next().is_none())
        }
        _ => None,
    }
}

/// Whether null is no value of the schema, as far as its types tell.
fn refuses_null(schema: &Value, root: &Value, depth: usize) -> bool {
    if depth > MOST_REFERENCES {
        return false;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.is_some_and(|target| refuses_null(target, root, depth + 1));
    }
    if let Some(Value::Array(branches)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        return branches.iter().all(|branch| refuses_null(branch, root, depth + 1));
    }
    match schema.get("type") {
        Some(Value::String(name)) => name != "null",
        Some(Value::Array(names)) => !names.iter().any(|name| name == "null"),
        _ => false,
    }
}

/// The value as that type, if it has another one and there is one way to read it.
fn read_as(value: &Value, kind: &str) -> Option<Value> {
    match (kind, value) {
        ("integer", Value::String(text)) => integer(text),
        ("integer", Value::Number(number)) if number.is_f64() => whole(number),
        ("number", Value::String(text)) => number(text),
        ("boolean", Value::String(text)) => match text.trim() {
            "true" | "True" => Some(Value::Bool(true)),
            "false" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
        // A fraction may have been `1.50`, which is another text than `1.5`.
        ("string", Value::Number(number)) if !number.is_f64() => Some(Value::String(number.to_string())),
        ("array", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_array),
        ("object", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Value> {
    let text = text.trim();
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn number(text: &str) -> Option<Value> {
    let read: Number = serde_json::from_str(text.trim()).ok()?;
    Some(Value::Number(read))
}

fn whole(number: &Number) -> Option<Value> {
    /// Up to here every whole number has a double of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
    Some(Value::from(float as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_reading_is_taken_and_two_are_not() {
        let cases = [
            (json!({"type": "integer"}), json!("5"), json!(5)),
            (json!({"type": "integer"}), json!(" -7 "), json!(-7)),
            (json!({"type": "integer"}), json!(5.0), json!(5)),
            (json!({"type": "integer"}), json!(5.5), json!(5.5)),
            (json!({"type": "integer"}), json!("five"), json!("five")),
            (json!({"type": ["integer", "null"]}), json!("5"), json!(5)),
            (json!({"type": ["integer", "string"]}), json!("5"), json!("5")),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), json!("5"), json!(5)),
            (json!({"type": "number"}), json!("1.50"), json!(1.5)),
            (json!({"type": "number"}), json!("NaN"), json!("NaN")),
            (json!({"type": "boolean"}), json!("True"), json!(true)),
            (json!({"type": "boolean"}), json!("yes"), json!("yes")),
            (json!({"type": "string"}), json!(1042), json!("1042")),
            (json!({"type": "string"}), json!(1.5), json!(1.5)),
            (json!({"type": "string"}), json!("5"), json!("5")),
            (json!({"type": "array", "items": {"type": "integer"}}), json!("[\"1\", 2]"), json!([1, 2])),
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}}}),
                json!({"a": null}),
                json!({}),
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
                json!({"a": null}),
                json!({"a": null}),
            ),
            (json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}), json!("5"), json!(5)),
            (json!({"$ref": "#"}), json!("5"), json!("5")),
        ];
        for (schema, mut value, expected) in cases {
            let text = format!("{schema} {value}");
            coerce(&mut value, &schema);
            assert_eq!(value, expected, "{text}");
        }
    }
}
