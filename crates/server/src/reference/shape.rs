//! Schemas as people read them.

use serde_json::Value;

use super::page::{escaped, prose};

/// How deep what refers to itself, or to much, is followed.
const DEEPEST: usize = 5;

/// A schema in a word or two.
pub(super) fn kind(schema: &Value) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if let Some(name) = text("$ref") {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(only) = schema.get("const") {
        return only.to_string();
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(forms) = schema.get(several).and_then(Value::as_array) {
            return forms.iter().map(kind).collect::<Vec<_>>().join(" | ");
        }
    }
    let items = || schema.get("items").map(kind).unwrap_or_else(|| "any".to_owned());
    let one = |kind: &str| if kind == "array" { format!("list of {}", items()) } else { kind.to_owned() };
    match schema.get("type") {
        Some(Value::String(kind)) => one(kind),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" | ")
        }
        _ => "any".to_owned(),
    }
}

/// The members of a schema, with what is said of them.
pub(super) fn render(document: &Value, schema: &Value) -> String {
    within(document, schema, 0)
}

fn within(document: &Value, schema: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return String::new();
    }
    if let Some(place) = schema.get("$ref").and_then(Value::as_str) {
        let meant = place.strip_prefix('#').and_then(|place| document.pointer(place));
        return meant.map(|meant| within(document, meant, depth + 1)).unwrap_or_default();
    }
    let mut out = String::new();
    let required = schema.get("required").and_then(Value::as_array);
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let rows = members.map(|(name, member)| {
        let about = member.get("description").and_then(Value::as_str).unwrap_or_default();
        let needed = required.is_some_and(|required| required.iter().any(|needed| needed == name));
        let needed = if needed { ", required" } else { "" };
        let inner = within(document, member, depth + 1);
        let inner = match inner.is_empty() {
            true => inner,
            false => format!("<details><summary>members</summary>{inner}</details>"),
        };
        format!(
            "<tr><td><code>{}</code></td><td class=\"faint\">{}{needed}</td><td>{}{inner}</td></tr>",
            escaped(name),
            escaped(&kind(member)),
            prose(&escaped(about))
        )
    });
    let rows: String = rows.collect();
    if !rows.is_empty() {
        out.push_str(&format!("<table>{rows}</table>"));
    }
    if let Some(items) = schema.get("items") {
        out.push_str(&within(document, items, depth + 1));
    }
    let forms = ["oneOf", "anyOf"].iter().filter_map(|several| schema.get(several)?.as_array()).flatten();
    for form in forms {
        let about = form.get("description").and_then(Value::as_str).unwrap_or_default();
        let inner = within(document, form, depth + 1);
        if !about.is_empty() || !inner.is_empty() {
            let (kind, about) = (escaped(&kind(form)), prose(&escaped(about)));
            out.push_str(&format!("<p><code>{kind}</code> {about}</p>{inner}"));
        }
    }
    out
}
