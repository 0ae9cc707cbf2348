//! The part of JSON Schema that the interface enforces.
//!
//! Source: platform.claude.com/docs, "Structured outputs", and the transformation of Anthropic's client for Python 2.12.0.
//! Every object is closed; ranges, lengths and such are not enforced, so they are said in the description, and whoever
//! asked checks them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

/// The forms of texts that it knows.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];
/// Says nothing of a value.
const SILENT: [&str; 6] = ["$schema", "$id", "$comment", "default", "examples", "deprecated"];
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// The schema as the interface takes it; none where it has no words for it: objects of any keys, values of any kind,
/// recursion. What fits the result fits the original, but for what the descriptions say.
pub(crate) fn enforceable(schema: &Value) -> Option<Value> {
    let fields = schema.as_object()?;
    let mut definitions = Map::new();
    for (name, definition) in DEFINITIONS.iter().filter_map(|key| fields.get(*key)?.as_object()).flatten() {
        definitions.insert(name.clone(), closed(definition)?);
    }
    let mut result = closed(schema)?;
    if !definitions.is_empty() {
        if is_recursive(&definitions) {
            return None;
        }
        result.as_object_mut()?.insert("$defs".into(), definitions.into());
    }
    refers_only_to(&result, result.get("$defs").and_then(Value::as_object)).then_some(result)
}

/// One schema and those within it.
fn closed(schema: &Value) -> Option<Value> {
    let mut fields = schema.as_object()?.clone();
    SILENT.iter().chain(&DEFINITIONS).for_each(|key| drop(fields.remove(*key)));
    if let Some(reference) = fields.remove("$ref") {
        let name = reference.as_str()?.strip_prefix("#/")?;
        let name = DEFINITIONS.iter().find_map(|key| name.strip_prefix(key)?.strip_prefix('/'))?;
        return Some(json!({"$ref": format!("#/$defs/{name}")}));
    }
    let mut result = Map::new();
    for key in ["description", "title"] {
        result.extend(fields.remove(key).map(|text| (key.to_owned(), text)));
    }
    let kind = fields.remove("type");
    if !add_values(&mut fields, &mut result) && !add_choices(&mut fields, &mut result)? {
        match kind? {
            Value::String(kind) => add_kind(&kind, &mut fields, &mut result)?,
            Value::Array(kinds) => {
                let rest = std::mem::take(&mut fields);
                let one = |kind: &Value| {
                    let own = rest.iter().filter(|(key, _)| is_of(key, kind.as_str().unwrap_or_default()));
                    let own: Map<_, _> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
                    closed(&own.into_iter().chain([("type".to_owned(), kind.clone())]).collect())
                };
                result.insert("anyOf".into(), kinds.iter().map(one).collect::<Option<Value>>()?);
            }
            _ => return None,
        }
    }
    note(&fields, &mut result);
    Some(Value::Object(result))
}

/// Whether a keyword says something of values of a kind.
fn is_of(key: &str, kind: &str) -> bool {
    match key {
        "properties" | "required" | "additionalProperties" => kind == "object",
        "items" | "minItems" | "maxItems" | "uniqueItems" => kind == "array",
        "format" | "pattern" | "minLength" | "maxLength" => kind == "string",
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            matches!(kind, "integer" | "number")
        }
        _ => true,
    }
}

/// The values that are allowed, where they are listed and simple.
fn add_values(fields: &mut Map<String, Value>, result: &mut Map<String, Value>) -> bool {
    let is_simple = |value: &Value| !value.is_object() && !value.is_array();
    let listed =
        |values: &Value| values.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_simple));
    let keys = [
        ("enum", fields.get("enum").is_some_and(listed)),
        ("const", fields.get("const").is_some_and(is_simple)),
    ];
    let mut any = false;
    for (key, _) in keys.into_iter().filter(|(_, fits)| *fits) {
        result.extend(fields.remove(key).map(|value| (key.to_owned(), value)));
        any = true;
    }
    any
}

/// The schemas of which one or all must fit. None where they only narrow what stands beside them.
fn add_choices(fields: &mut Map<String, Value>, result: &mut Map<String, Value>) -> Option<bool> {
    for (key, name) in [("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")] {
        if let Some(choices) = fields.remove(key) {
            if fields.contains_key("properties") || fields.contains_key("items") {
                return None;
            }
            let choices = choices.as_array()?.iter().map(closed).collect::<Option<Value>>()?;
            result.insert(name.to_owned(), choices);
            return Some(true);
        }
    }
    Some(false)
}

fn add_kind(kind: &str, fields: &mut Map<String, Value>, result: &mut Map<String, Value>) -> Option<()> {
    result.insert("type".into(), kind.into());
    match kind {
        "object" => add_object(fields, result)?,
        "array" => {
            result.insert("items".into(), closed(&fields.remove("items")?)?);
            if fields.get("minItems").and_then(Value::as_u64).is_some_and(|least| least <= 1) {
                result.extend(fields.remove("minItems").map(|least| ("minItems".to_owned(), least)));
            }
        }
        "string" => {
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| FORMATS.contains(&format)) {
                result.extend(fields.remove("format").map(|format| ("format".to_owned(), format)));
            }
        }
        "integer" | "number" | "boolean" | "null" => {}
        _ => return None,
    }
    Some(())
}

fn add_object(fields: &mut Map<String, Value>, result: &mut Map<String, Value>) -> Option<()> {
    let more = fields.remove("additionalProperties").unwrap_or(Value::Bool(true));
    let properties = match fields.remove("properties") {
        Some(Value::Object(properties)) => properties,
        None => Map::new(),
        Some(_) => return None,
    };
    // An object of any keys would be closed to an empty one, and one of further keys would lose them.
    let is_open = more.is_object() || (properties.is_empty() && more == Value::Bool(true));
    if is_open || fields.contains_key("patternProperties") {
        return None;
    }
    if let Some(required) = fields.remove("required") {
        let names = required.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
        if !names.iter().all(|name| properties.contains_key(*name)) {
            return None;
        }
        result.insert("required".into(), required);
    }
    let properties = properties.into_iter().map(|(name, schema)| Some((name, closed(&schema)?)));
    result.insert("properties".into(), Value::Object(properties.collect::<Option<_>>()?));
    result.insert("additionalProperties".into(), false.into());
    Some(())
}

/// Says the rest in the description.
fn note(rest: &Map<String, Value>, result: &mut Map<String, Value>) {
    if rest.is_empty() {
        return;
    }
    let mut said = result.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !said.is_empty() {
        said.push_str("\n\n");
    }
    let rest: Vec<String> = rest.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    // Writing to a text cannot fail.
    let _ = write!(said, "({})", rest.join(", "));
    result.insert("description".into(), said.into());
}

/// Whether a definition holds itself.
fn is_recursive(definitions: &Map<String, Value>) -> bool {
    let mut open: BTreeMap<&str, Vec<String>> =
        definitions.iter().map(|(name, schema)| (name.as_str(), references(schema))).collect();
    loop {
        let before = open.len();
        let names: Vec<String> = open.keys().map(|name| (*name).to_owned()).collect();
        open.retain(|_, to| to.iter().any(|name| names.contains(name)));
        if open.len() == before {
            return !open.is_empty();
        }
    }
}

fn refers_only_to(schema: &Value, definitions: Option<&Map<String, Value>>) -> bool {
    references(schema).iter().all(|name| definitions.is_some_and(|all| all.contains_key(name)))
}

/// The names of the definitions that a closed schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(to) => to.strip_prefix("#/$defs/").map(str::to_owned).into_iter().collect(),
            None => fields.values().flat_map(references).collect(),
        },
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_narrowed_to_what_is_enforced() {
        let text = json!({"type": "string"});
        let object = |properties: Value| json!({"type": "object", "properties": properties, "additionalProperties": false});
        let open = |properties: Value| json!({"type": "object", "properties": properties});
        let cases = [
            (text.clone(), text.clone()),
            (
                json!({"type": "object", "properties": {"a": text}, "required": ["a"], "$schema": "x", "title": "T"}),
                json!({"type": "object", "properties": {"a": text}, "required": ["a"], "additionalProperties": false, "title": "T"}),
            ),
            (json!({"type": "object", "additionalProperties": false}), object(json!({}))),
            (
                json!({"type": "integer", "minimum": 1, "maximum": 9, "description": "How many."}),
                json!({"type": "integer", "description": "How many.\n\n(maximum: 9, minimum: 1)"}),
            ),
            (json!({"type": "string", "format": "date"}), json!({"type": "string", "format": "date"})),
            (
                json!({"type": "string", "format": "iban"}),
                json!({"type": "string", "description": "(format: \"iban\")"}),
            ),
            (
                json!({"type": "array", "items": open(json!({"a": text})), "minItems": 1, "maxItems": 3}),
                json!({"type": "array", "items": object(json!({"a": text})), "minItems": 1, "description": "(maxItems: 3)"}),
            ),
            (
                json!({"type": ["string", "null"], "maxLength": 3}),
                json!({"anyOf": [{"type": "string", "description": "(maxLength: 3)"}, {"type": "null"}]}),
            ),
            (json!({"type": ["string", "null"], "enum": ["a", null]}), json!({"enum": ["a", null]})),
            (json!({"oneOf": [text, {"const": 1}]}), json!({"anyOf": [text, {"const": 1}]})),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": text}}),
                json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "additionalProperties": false, "$defs": {"A": text}}),
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(enforceable(&schema), Some(expected), "{schema}");
        }
    }

    #[test]
    fn what_there_are_no_words_for_is_not_narrowed() {
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}});
        let cases = [
            json!(true),
            json!({}),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": {}}}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "properties": {"a": {"type": "null"}}, "patternProperties": {"x": {}}}),
            json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b"]}),
            json!({"type": "object", "properties": {"a": {"type": "null"}}, "anyOf": [{"required": ["a"]}]}),
            json!({"type": "array"}),
            json!({"type": "array", "prefixItems": [{"type": "null"}]}),
            json!({"type": "thing"}),
            json!({"$ref": "#"}),
            json!({"$ref": "https://example.com/a.json"}),
            json!({"$ref": "#/$defs/Missing"}),
            json!({"$ref": "#/$defs/T", "$defs": {"T": tree}}),
            json!({"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/B"}]}, "B": {"allOf": [{"$ref": "#/$defs/A"}]}}}),
        ];
        for schema in cases {
            assert_eq!(enforceable(&schema), None, "{schema}");
        }
    }

    #[test]
    fn what_fits_the_narrow_schema_fits_the_wide_one() {
        let wide = json!({
            "type": "object", "required": ["count"],
            "properties": {"count": {"type": "integer"}, "note": {"type": ["string", "null"]}},
        });
        let narrow = enforceable(&wide).unwrap();
        for answer in
            [json!({"count": 1}), json!({"count": 1, "note": null}), json!({"count": 1, "note": "x"})]
        {
            assert!(
                jsonschema::is_valid(&wide, &answer) && jsonschema::is_valid(&narrow, &answer),
                "{answer}"
            );
        }
        for answer in [json!({"count": 1, "more": 2}), json!({}), json!({"count": "x"})] {
            assert!(!jsonschema::is_valid(&narrow, &answer), "{answer}");
        }
    }
}
