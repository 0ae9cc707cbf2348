//! The form of an answer, in the part of JSON schema that Google knows.
//!
//! The keywords are those of ai.google.dev/gemini-api/docs/structured-output, "JSON Schema support". What it does not know it
//! refuses or ignores; so it is left out here and said in the description, which the model reads, and whoever reads the answer
//! checks it against the whole schema.

use serde_json::{Map, Value, json};

/// Keywords whose value stays as it is.
const PLAIN: [&str; 12] = [
    "$id",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "required",
    "propertyOrdering",
];

/// Keywords that hold nobody to anything.
const IDLE: [&str; 7] = ["$schema", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly"];

/// The schema with what Google does not know in its description.
pub(super) fn subset(schema: &Value) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    if let Some(apart) = apart_from_reference(schema) {
        return subset(&Value::Object(apart));
    }
    // Beside a reference nothing else may stand.
    let refers = schema.contains_key("$ref");
    let stays = |key: &str| !refers || key.starts_with('$') || key == "definitions";
    let known = schema.iter().filter(|(key, _)| stays(key));
    let mut kept: Map<String, Value> = known.filter_map(|(key, value)| keyword(key, value)).collect();
    if let (Some(constant), false) = (schema.get("const"), refers || kept.contains_key("enum")) {
        kept.extend(choices(&json!([constant])).map(|values| ("enum".to_owned(), values)));
    }
    if !refers && let Some(rest) = rest(schema, &kept) {
        let said = schema.get("description").and_then(Value::as_str);
        let description = said.map_or_else(|| rest.clone(), |said| format!("{said} ({rest})"));
        kept.insert("description".into(), description.into());
    }
    Value::Object(kept)
}

/// A schema in which what stands beside a reference stands around it: `anyOf` with the reference alone means the same. None
/// where nothing stands beside it that holds anybody to anything.
fn apart_from_reference(schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let stays = |key: &str| key != "$ref" && (key.starts_with('$') || key == "definitions");
    let is_beside =
        |key: &str| !stays(key) && !["$ref", "description", "title"].contains(&key) && !IDLE.contains(&key);
    let reference = schema.get("$ref")?;
    if !schema.keys().any(|key| is_beside(key)) {
        return None;
    }
    let mut around: Map<String, Value> = schema.clone();
    around.remove("$ref");
    let alone = json!([{"$ref": reference}]);
    match around.remove("anyOf") {
        None => drop(around.insert("anyOf".to_owned(), alone)),
        // Both must hold, and only words can say that.
        Some(others) => {
            let both = json!([{"anyOf": others}]);
            around.insert("anyOf".to_owned(), alone);
            around.insert("allOf".to_owned(), both);
        }
    }
    Some(around)
}

/// What was left out of a schema, in words.
fn rest(schema: &Map<String, Value>, kept: &Map<String, Value>) -> Option<String> {
    let is_lost = |key: &str| match key {
        "const" => !kept.contains_key("enum"),
        "definitions" => false,
        key => !kept.contains_key(key) && !IDLE.contains(&key),
    };
    let lost = schema.iter().filter(|(key, _)| is_lost(key));
    let lost: Map<String, Value> = lost.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!lost.is_empty()).then(|| format!("must also fit this JSON schema: {}", Value::Object(lost)))
}

fn keyword(key: &str, value: &Value) -> Option<(String, Value)> {
    // Older drafts have another place for what is referred to.
    let (before, after) = ("#/definitions/", "#/$defs/");
    let key = if key == "definitions" { "$defs" } else { key };
    let value = match key {
        key if PLAIN.contains(&key) => value.clone(),
        "$ref" => value.as_str()?.replacen(before, after, 1).into(),
        "$defs" | "properties" => {
            value.as_object()?.iter().map(|(name, inner)| (name.clone(), subset(inner))).collect()
        }
        "anyOf" | "oneOf" | "prefixItems" => value.as_array()?.iter().map(subset).collect(),
        "items" | "additionalProperties" => subset(value),
        "enum" => choices(value)?,
        _ => return None,
    };
    Some((key.to_owned(), value))
}

/// The values of an `enum`: texts that are not empty, and numbers. Where there are others, any value is allowed.
fn choices(values: &Value) -> Option<Value> {
    let is_known = |value: &Value| value.is_number() || value.as_str().is_some_and(|text| !text.is_empty());
    values.as_array()?.iter().all(is_known).then(|| values.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said_in_the_description() {
        let also = |rest: &Value| format!("must also fit this JSON schema: {rest}");
        let cases = [
            (json!(true), json!(true)),
            (json!({}), json!({})),
            (
                json!({"$schema": "x", "type": "object", "properties": {"pattern": {"type": "string", "pattern": "a", "minLength": 1}},
                    "required": ["pattern"], "additionalProperties": false, "minProperties": 1}),
                json!({"type": "object", "description": also(&json!({"minProperties": 1})),
                    "properties": {"pattern": {"type": "string", "description": also(&json!({"pattern": "a", "minLength": 1}))}},
                    "required": ["pattern"], "additionalProperties": false}),
            ),
            (
                json!({"type": "array", "items": {"type": ["string", "null"], "default": "x"}, "uniqueItems": true, "minItems": 1}),
                json!({"type": "array", "items": {"type": ["string", "null"]}, "minItems": 1, "description": also(&json!({"uniqueItems": true}))}),
            ),
            (json!({"const": "a"}), json!({"enum": ["a"]})),
            (json!({"const": null}), json!({"description": also(&json!({"const": null}))})),
            (
                json!({"type": "integer", "multipleOf": 5, "description": "How many."}),
                json!({"type": "integer", "description": format!("How many. ({})", also(&json!({"multipleOf": 5})))}),
            ),
            (json!({"enum": ["a", 1]}), json!({"enum": ["a", 1]})),
            (
                json!({"type": "string", "enum": ["a", ""]}),
                json!({"type": "string", "description": also(&json!({"enum": ["a", ""]}))}),
            ),
            (json!({"enum": [true]}), json!({"description": also(&json!({"enum": [true]}))})),
            (
                json!({"$ref": "#/$defs/a", "description": "x", "$defs": {"a": {"type": "integer", "exclusiveMinimum": 0}}}),
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer", "description": also(&json!({"exclusiveMinimum": 0}))}}}),
            ),
            (
                json!({"$ref": "#/$defs/a", "maximum": 5, "multipleOf": 2}),
                json!({"anyOf": [{"$ref": "#/$defs/a"}], "maximum": 5, "description": also(&json!({"multipleOf": 2}))}),
            ),
            (
                json!({"$ref": "#/$defs/a", "anyOf": [{"minimum": 1}], "title": "t"}),
                json!({"anyOf": [{"$ref": "#/$defs/a"}], "title": "t", "description": also(&json!({"allOf": [{"anyOf": [{"minimum": 1}]}]}))}),
            ),
            (
                json!({"$ref": "#/definitions/a", "definitions": {"a": {}}}),
                json!({"$ref": "#/$defs/a", "$defs": {"a": {}}}),
            ),
            (
                json!({"anyOf": [{"not": {}}, {"type": "null"}], "prefixItems": [{"examples": [1]}], "allOf": [{}]}),
                json!({"anyOf": [{"description": also(&json!({"not": {}}))}, {"type": "null"}], "prefixItems": [{}], "description": also(&json!({"allOf": [{}]}))}),
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(subset(&schema), expected, "{schema}");
        }
    }
}
