//! The description of the service.

use std::path::Path;

use serde_json::Value;

/// What is committed of it.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_description_that_is_published_is_that_of_the_code() {
    let mut text = serde_json::to_string_pretty(&adjutant_server::openapi()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, text).unwrap();
        return;
    }
    let published = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(published == text, "docs/openapi.json is old: run this test with UPDATE=1");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = adjutant_server::openapi();
    let mut references = Vec::new();
    walk(&document, &mut |value| {
        references.extend(value.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
    let mut names = Vec::new();
    walk(&document["paths"], &mut |value| names.extend(value.get("operationId").cloned()));
    let all = names.len();
    names.sort_by_key(ToString::to_string);
    names.dedup();
    assert_eq!(names.len(), all);
}

fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(values) => values.iter().for_each(|value| walk(value, see)),
        Value::Object(members) => members.values().for_each(|value| walk(value, see)),
        _ => {}
    }
}
