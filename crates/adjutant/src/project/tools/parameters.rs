//! The parameters of a tool, as people write them.

use adjutant_agent::definition::document::{Content, Entry, Table};
use serde_json::{Map, Value, json};

/// Reads `parameters`: a whole JSON schema (it has a `type`), or a table of parameters, each of which is a JSON schema
/// or just the description of a text. A parameter is required unless it has a `default` or `optional = true`.
///
/// A tool without `parameters` takes none.
pub(super) fn read(table: &Table<'_>) -> Option<Value> {
    if !table.has("parameters") {
        return Some(schema(&Map::new(), &[]));
    }
    let node = table.value("parameters")?;
    let entries =
        Table::new(node, table.name_of("parameters"), table.problems()).and_then(|_| node.entries())?;
    if node.get("type").is_some_and(|kind| kind.as_text().is_some()) {
        return Some(node.to_json());
    }
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut is_whole = true;
    for entry in entries {
        match property(table, entry) {
            Some((schema, is_required)) => {
                properties.insert(entry.key.clone(), schema);
                required.extend(is_required.then(|| entry.key.clone()));
            }
            None => is_whole = false,
        }
    }
    is_whole.then(|| schema(&properties, &required))
}

fn schema(properties: &Map<String, Value>, required: &[String]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn property(table: &Table<'_>, entry: &Entry) -> Option<(Value, bool)> {
    let path = format!("{}.{}", table.name_of("parameters"), entry.key);
    match &entry.value.content {
        Content::Text(description) => Some((json!({ "type": "string", "description": description }), true)),
        Content::Table(_) => {
            let Value::Object(mut schema) = entry.value.to_json() else { return None };
            let optional = schema.remove("optional");
            let is_optional = match optional {
                None => schema.contains_key("default"),
                Some(Value::Bool(is_optional)) => is_optional || schema.contains_key("default"),
                Some(_) => {
                    let message = format!("`{path}.optional` must be `true` or `false`");
                    table.problems().report(entry.place, message);
                    return None;
                }
            };
            Some((Value::Object(schema), !is_optional))
        }
        other => {
            table.problems().report_with(
                entry.value.place,
                format!("`{path}` must be a JSON schema or a description, not {other}"),
                "write it as `{ type = \"string\", description = \"...\" }`",
            );
            None
        }
    }
}
