//! Schemas of OpenAPI as JSON schemas (2020-12) that every provider takes: without references where a schema is not
//! recursive, without `oneOf`, bounded in depth and size.

mod keyword;
mod merge;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::Result;
use serde_json::{Map, Value, json};

use super::document::{Document, bounded, within};

/// How many schemas one tool may hold; what is beyond is written by its type alone.
const MOST_SCHEMAS: usize = 1_500;
/// How deep schemas nest before they are written by their type alone.
const DEEPEST: usize = 10;
/// How long a description within arguments may be, in characters.
const LONGEST_DESCRIPTION: usize = 240;

/// Writes the schemas of one tool.
pub(super) struct Writer<'a> {
    document: &'a Document,
    left: usize,
    /// The references that are being written, from the outermost.
    open: Vec<String>,
    /// Those of them that were met again within themselves.
    recursive: BTreeSet<String>,
    /// The recursive schemas, by their references.
    written: BTreeMap<String, (String, Value)>,
}

impl<'a> Writer<'a> {
    /// Nothing is written yet.
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            left: MOST_SCHEMAS,
            open: Vec::new(),
            recursive: BTreeSet::new(),
            written: BTreeMap::new(),
        }
    }

    /// The recursive schemas that what was written refers to, as `$defs`.
    pub(super) fn definitions(self) -> Map<String, Value> {
        self.written.into_values().collect()
    }

    /// Writes one schema, which stands at `at`.
    pub(super) fn write(&mut self, schema: &Value, at: &str) -> Result<Value> {
        self.schema(schema, at, 0)
    }

    fn schema(&mut self, schema: &Value, at: &str, depth: usize) -> Result<Value> {
        let Some(map) = schema.as_object() else {
            return match schema {
                Value::Bool(true) => Ok(json!({})),
                Value::Bool(false) => Ok(json!({ "not": {} })),
                _ => Err(self.document.fault(at, "a schema must be an object")),
            };
        };
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            let mut written = self.reference(reference, at, depth)?;
            if let (Some(own), Some(object)) = (described(map), written.as_object_mut()) {
                object.insert("description".to_owned(), own);
            }
            return Ok(written);
        }
        if self.left == 0 || depth > DEEPEST {
            return Ok(outline(map));
        }
        self.left -= 1;
        self.object(map, at, depth).map(Value::Object)
    }

    fn reference(&mut self, reference: &str, at: &str, depth: usize) -> Result<Value> {
        if self.written.contains_key(reference) || self.open.iter().any(|open| open == reference) {
            self.recursive.insert(reference.to_owned());
            return Ok(json!({ "$ref": format!("#/$defs/{}", self.definition(reference)) }));
        }
        let target = self.document.target(reference, at)?;
        // A chain of references that never comes to a schema.
        if depth > DEEPEST * 2 {
            return Ok(json!({}));
        }
        self.open.push(reference.to_owned());
        let written = match target.get("$ref") {
            Some(_) => self.schema(target, reference, depth + 1),
            None => self.schema(target, reference, depth),
        };
        self.open.pop();
        let written = written?;
        if !self.recursive.contains(reference) {
            return Ok(written);
        }
        let name = self.definition(reference);
        self.written.insert(reference.to_owned(), (name.clone(), written));
        Ok(json!({ "$ref": format!("#/$defs/{name}") }))
    }

    /// The name of a recursive schema: the last word of its reference, and the whole reference where that is taken.
    fn definition(&self, reference: &str) -> String {
        let legal = |text: &str| -> String {
            text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
        };
        let short = legal(reference.rsplit('/').next().unwrap_or_default());
        let is_taken =
            self.recursive.iter().chain(self.written.keys()).any(|other| {
                other != reference && legal(other.rsplit('/').next().unwrap_or_default()) == short
            });
        if is_taken || short.is_empty() { legal(reference) } else { short }
    }

    fn object(&mut self, map: &Map<String, Value>, at: &str, depth: usize) -> Result<Map<String, Value>> {
        let mut written = keyword::plain(map);
        if let Some(description) = described(map) {
            written.insert("description".to_owned(), description);
        }
        if let Some(Value::Object(properties)) = map.get("properties") {
            let at = within(at, "properties");
            let mut kept = Map::new();
            let mut read_only = Vec::new();
            for (name, property) in properties {
                let at = within(&at, name);
                let (resolved, _) =
                    self.document.resolve(property, &at).unwrap_or((property, Cow::Borrowed("")));
                // A service writes these itself.
                if resolved.get("readOnly") == Some(&Value::Bool(true)) {
                    read_only.push(name.clone());
                    continue;
                }
                kept.insert(name.clone(), self.schema(property, &at, depth + 1)?);
            }
            if let Some(Value::Array(required)) = written.get_mut("required") {
                required.retain(|name| !read_only.iter().any(|other| name == other));
            }
            written.insert("properties".to_owned(), Value::Object(kept));
            written.entry("type").or_insert_with(|| json!("object"));
        }
        match map.get("additionalProperties") {
            Some(allowed @ Value::Bool(_)) => {
                written.insert("additionalProperties".to_owned(), allowed.clone());
            }
            Some(inner @ Value::Object(_)) => {
                let at = within(at, "additionalProperties");
                written.insert("additionalProperties".to_owned(), self.schema(inner, &at, depth + 1)?);
            }
            _ => {}
        }
        if let Some(items) = map.get("items").filter(|items| items.is_object() || items.is_boolean()) {
            written.insert("items".to_owned(), self.schema(items, &within(at, "items"), depth + 1)?);
            written.entry("type").or_insert_with(|| json!("array"));
        }
        // `oneOf` as `anyOf`: strict modes know no other, and the service itself knows which of them it means.
        let mut choices = Vec::new();
        for keyword in ["oneOf", "anyOf"] {
            let Some(Value::Array(branches)) = map.get(keyword) else { continue };
            let at = within(at, keyword);
            for (place, branch) in branches.iter().enumerate() {
                choices.push(self.schema(branch, &within(&at, &place.to_string()), depth + 1)?);
            }
        }
        if !choices.is_empty() {
            written.insert("anyOf".to_owned(), Value::Array(choices));
        }
        if let Some(Value::Array(members)) = map.get("allOf") {
            let at = within(at, "allOf");
            for (place, member) in members.iter().enumerate() {
                let member = self.schema(member, &within(&at, &place.to_string()), depth + 1)?;
                written = merge::both(written, member);
            }
        }
        Ok(keyword::nullable(map, written))
    }
}

/// What is left of a schema where nothing more fits: its type and what it says.
fn outline(map: &Map<String, Value>) -> Value {
    let mut outline = Map::new();
    if let Some(kind) = keyword::kind(map.get("type")) {
        outline.insert("type".to_owned(), kind);
    }
    if let Some(description) = described(map) {
        outline.insert("description".to_owned(), description);
    }
    Value::Object(keyword::nullable(map, outline))
}

fn described(map: &Map<String, Value>) -> Option<Value> {
    let text = map.get("description")?.as_str()?.trim();
    (!text.is_empty()).then(|| Value::String(words(text, LONGEST_DESCRIPTION)))
}

/// A text for a model: on one line, without control characters, bounded.
pub(super) fn words(text: &str, most: usize) -> String {
    // Enough of a huge text to fill the bound.
    let start: String = text.chars().take(most * 4).collect();
    let words: Vec<&str> =
        start.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    bounded(&words.join(" "), most)
}

#[cfg(test)]
mod tests;
