//! The keywords that hold no schemas, each only where its value is what it must be: a wrong one would make the whole
//! schema useless.

use serde_json::{Map, Value, json};

use super::super::pattern;

/// The types of JSON.
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];
/// The formats that every provider knows; others some refuse.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
/// How many values of an `enum` are kept; a longer one says less than it costs.
const MOST_VALUES: usize = 250;
/// How long a `default` may be, in bytes of JSON.
const LONGEST_DEFAULT: usize = 500;

/// The plain keywords of a schema.
pub(super) fn plain(map: &Map<String, Value>) -> Map<String, Value> {
    let mut written = Map::new();
    let mut keep = |keyword: &str, value: Option<Value>| {
        if let Some(value) = value {
            written.insert(keyword.to_owned(), value);
        }
    };
    keep("type", kind(map.get("type")));
    keep("enum", values(map.get("enum")));
    keep("const", map.get("const").cloned());
    keep("required", names(map.get("required")));
    keep("default", map.get("default").filter(|value| value.to_string().len() <= LONGEST_DEFAULT).cloned());
    for keyword in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"] {
        keep(keyword, map.get(keyword).filter(|value| value.is_u64()).cloned());
    }
    for (keyword, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        let bound = map.get(keyword).filter(|value| value.is_number()).cloned();
        match map.get(exclusive) {
            // In 3.0 it says how the other one is meant.
            Some(Value::Bool(true)) => keep(exclusive, bound),
            Some(own @ Value::Number(_)) => {
                keep(exclusive, Some(own.clone()));
                keep(keyword, bound);
            }
            _ => keep(keyword, bound),
        }
    }
    let multiple = map.get("multipleOf").filter(|value| value.as_f64().is_some_and(|number| number > 0.0));
    keep("multipleOf", multiple.cloned());
    keep("uniqueItems", map.get("uniqueItems").filter(|value| value.is_boolean()).cloned());
    let format = map.get("format").and_then(Value::as_str);
    keep("format", format.filter(|format| FORMATS.contains(format)).map(|format| json!(format)));
    if format == Some("byte") {
        keep("contentEncoding", Some(json!("base64")));
    }
    let known = map.get("pattern").and_then(Value::as_str).filter(|pattern| pattern::is_known(pattern));
    keep("pattern", known.map(|pattern| json!(pattern)));
    written
}

/// The type or the types.
pub(super) fn kind(value: Option<&Value>) -> Option<Value> {
    let is_type = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
    match value? {
        name @ Value::String(_) => is_type(name).then(|| name.clone()),
        Value::Array(list) => {
            let mut kept: Vec<Value> = Vec::new();
            for name in list.iter().filter(|name| is_type(name)) {
                if !kept.contains(name) {
                    kept.push(name.clone());
                }
            }
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn values(value: Option<&Value>) -> Option<Value> {
    let list = value?.as_array()?;
    if list.is_empty() || list.len() > MOST_VALUES {
        return None;
    }
    let mut kept: Vec<Value> = Vec::with_capacity(list.len());
    for value in list {
        if !kept.contains(value) {
            kept.push(value.clone());
        }
    }
    Some(Value::Array(kept))
}

fn names(value: Option<&Value>) -> Option<Value> {
    let mut kept: Vec<&str> = value?.as_array()?.iter().filter_map(Value::as_str).take(1_000).collect();
    kept.sort_unstable();
    kept.dedup();
    (!kept.is_empty()).then(|| json!(kept))
}

/// Adds null where `nullable` (3.0) says so.
pub(super) fn nullable(map: &Map<String, Value>, mut written: Map<String, Value>) -> Map<String, Value> {
    if map.get("nullable") != Some(&Value::Bool(true)) {
        return written;
    }
    if let Some(Value::Array(values)) = written.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(Value::Array(branches)) = written.get_mut("anyOf") {
        branches.push(json!({ "type": "null" }));
    }
    match written.get_mut("type") {
        Some(name @ Value::String(_)) => *name = json!([name.clone(), "null"]),
        Some(Value::Array(names)) if !names.iter().any(|name| name == "null") => names.push(json!("null")),
        _ => {}
    }
    written
}
