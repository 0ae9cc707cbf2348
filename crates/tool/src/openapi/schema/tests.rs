use serde_json::{Value, json};

use super::*;

fn write(schema: &Value, schemas: &Value) -> (Value, Value) {
    let text = json!({ "openapi": "3.0.3", "paths": {}, "components": { "schemas": schemas } }).to_string();
    let document = Document::read(&text, "a.json").unwrap();
    let mut writer = Writer::new(&document);
    let written = writer.write(schema, "#/here").unwrap();
    (written, Value::Object(writer.definitions()))
}

#[test]
fn schemas_of_3_0_become_json_schemas() {
    for (schema, expected) in [
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (json!({"type": ["string", "null"]}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!({"type": "integer", "exclusiveMinimum": 1}),
        ),
        (
            json!({"type": "integer", "exclusiveMaximum": 5}),
            json!({"type": "integer", "exclusiveMaximum": 5}),
        ),
        (
            json!({"type": "string", "format": "int64", "xml": {}, "example": 1, "pattern": "^(?=x)"}),
            json!({"type": "string"}),
        ),
        (json!({"type": "file", "minimum": "x", "required": true, "enum": []}), json!({})),
        (
            json!({"properties": {"id": {"type": "string", "readOnly": true}, "a": {"type": "string"}}, "required": ["id", "a"]}),
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}], "nullable": true}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
        ),
        (
            json!({"allOf": [
                {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": false},
                {"type": "object", "properties": {"b": {}, "a": {"type": "integer"}}, "required": ["b"]},
            ]}),
            json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a", "b"]}),
        ),
    ] {
        assert_eq!(write(&schema, &json!({})).0, expected, "{schema}");
    }
}

#[test]
fn references_are_written_out_and_recursion_is_kept() {
    let schemas = json!({
        "Line": {"type": "object", "properties": {"sku": {"$ref": "#/components/schemas/Sku"}}},
        "Sku": {"type": "string"},
        "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Branch"}}},
        "Branch": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        "Loop": {"$ref": "#/components/schemas/Loop"},
    });
    let (line, definitions) =
        write(&json!({"$ref": "#/components/schemas/Line", "description": "One."}), &schemas);
    assert_eq!(
        line,
        json!({"type": "object", "description": "One.", "properties": {"sku": {"type": "string"}}})
    );
    assert_eq!(definitions, json!({}));

    let (tree, definitions) = write(&json!({"$ref": "#/components/schemas/Tree"}), &schemas);
    assert_eq!(tree, json!({"$ref": "#/$defs/Tree"}));
    let expected = json!({"Tree": {"type": "object", "properties": {
        "left": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}});
    assert_eq!(definitions, expected);

    let (_, definitions) = write(&json!({"$ref": "#/components/schemas/Loop"}), &schemas);
    assert!(definitions.to_string().len() < 200, "{definitions}");
}

#[test]
fn masses_are_bounded() {
    // Each level names the next twice: written out, it would have 2^40 schemas.
    let mut schemas = Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/components/schemas/L{}", level + 1)});
        schemas.insert(format!("L{level}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    schemas.insert("L40".to_owned(), json!({"type": "string"}));
    let (written, _) = write(&json!({"$ref": "#/components/schemas/L0"}), &Value::Object(schemas));
    assert!(written.to_string().len() < 200_000, "{}", written.to_string().len());

    let long = "word ".repeat(100_000);
    let (written, _) = write(&json!({"type": "string", "description": long}), &json!({}));
    assert!(written["description"].as_str().unwrap().len() < 300);
}
