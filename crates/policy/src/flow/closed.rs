//! [`Closed`]: types whose values can carry no sentence.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most choices of an enumeration, and how long one may be, in characters.
const MOST_CHOICES: usize = 100;
const LONGEST_CHOICE: usize = 64;

/// The longest id, in characters.
const LONGEST_ID: u64 = 64;

/// The most items of a list.
const MOST_ITEMS: u64 = 50;

/// The most values in all.
const MOST_VALUES: usize = 50;

/// A type whose values can carry no sentence: what is written in a text cannot speak through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// One of a list.
    Enum,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A date, with a time or without.
    Date,
    /// A word of a pattern, without spaces.
    Id,
}

impl Closed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Enum, Self::Number, Self::Bool, Self::Date, Self::Id];

    /// The word for it in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enum => "enum",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Id => "id",
        }
    }
}

/// The types of the values of an object whose schema says nothing but closed types. Fails with where it says anything
/// else, and what would be right.
pub fn closed(schema: &Value) -> Result<BTreeSet<Closed>, String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.filter(|properties| !properties.is_empty());
    let Some(properties) = properties else {
        return Err("the schema must be an object with `properties`".to_owned());
    };
    if properties.len() > MOST_VALUES {
        return Err(format!("the schema has more than {MOST_VALUES} properties"));
    }
    const KEYS: [&str; 5] = ["type", "properties", "required", "additionalProperties", "description"];
    only(schema, &KEYS, "the schema")?;
    properties.iter().map(|(name, schema)| one(schema).map_err(|why| format!("at `{name}`: {why}"))).collect()
}

fn one(schema: &Value) -> Result<Closed, String> {
    let says = |key: &str| schema.get(key);
    if let Some(choices) = says("enum") {
        only(schema, &["type", "enum", "description"], "an enumeration")?;
        let choices = choices.as_array().ok_or("`enum` is a list")?;
        let is_short =
            |choice: &Value| choice.as_str().is_none_or(|text| text.chars().count() <= LONGEST_CHOICE);
        let is_plain = |choice: &Value| !choice.is_array() && !choice.is_object();
        let is_closed = choices.len() <= MOST_CHOICES
            && choices.iter().all(|choice| is_short(choice) && is_plain(choice));
        return match is_closed {
            true => Ok(Closed::Enum),
            false => Err(format!("at most {MOST_CHOICES} choices of {LONGEST_CHOICE} characters each")),
        };
    }
    match says("type").and_then(Value::as_str) {
        Some("boolean") => only(schema, &["type", "description"], "a truth value").map(|()| Closed::Bool),
        Some("integer" | "number") => {
            only(schema, &["type", "description", "minimum", "maximum"], "a number").map(|()| Closed::Number)
        }
        Some("string") if matches!(says("format").and_then(Value::as_str), Some("date" | "date-time")) => {
            only(schema, &["type", "description", "format"], "a date").map(|()| Closed::Date)
        }
        Some("string") => {
            only(schema, &["type", "description", "pattern", "maxLength"], "an id")?;
            let is_id = says("pattern").and_then(Value::as_str).is_some_and(is_id);
            let is_short = says("maxLength").and_then(Value::as_u64).is_some_and(|most| most <= LONGEST_ID);
            match is_id && is_short {
                true => Ok(Closed::Id),
                false => Err(format!(
                    "a text may say anything; give it an `enum`, a `format` of a date, or a `pattern` of an id from ^ to $ of \
                     letters, digits and - _ / : @ # in brackets, with `maxLength` {LONGEST_ID} at most"
                )),
            }
        }
        Some("array") => {
            only(schema, &["type", "description", "items", "minItems", "maxItems", "uniqueItems"], "a list")?;
            let is_short = says("maxItems").and_then(Value::as_u64).is_some_and(|most| most <= MOST_ITEMS);
            match says("items").filter(|items| items.get("items").is_none() && is_short) {
                Some(items) => one(items),
                None => Err(format!("a list needs `items` of one kind and `maxItems` {MOST_ITEMS} at most")),
            }
        }
        _ => Err("say `enum`, or a `type` of boolean, integer, number, string or array".to_owned()),
    }
}

/// Whether a pattern holds the whole text and admits no space: letters and digits, classes of them, and how often.
fn is_id(pattern: &str) -> bool {
    let inner = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "[]{}()-_/:@#,+*?|".contains(c);
    // What is escaped are the digits, and points.
    let plain = inner.map(|inner| inner.replace("\\d", "0").replace("\\.", "-"));
    plain.is_some_and(|inner| !inner.is_empty() && inner.chars().all(is_fit) && !has_wide_range(&inner))
}

/// Whether a class goes over more than digits or letters of one case: `[+-z]` would hold what has no name here.
fn has_wide_range(pattern: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    chars.windows(3).any(|three| match three {
        [from, '-', to] => {
            let is_end = |c: &char| "[](){}|".contains(*c);
            let same = |fit: fn(&char) -> bool| fit(from) && fit(to);
            let is_plain = same(char::is_ascii_digit)
                || same(char::is_ascii_lowercase)
                || same(char::is_ascii_uppercase);
            !is_plain && !is_end(from) && !is_end(to)
        }
        _ => false,
    }) && pattern.contains('[')
}

fn only(schema: &Value, keys: &[&str], what: &str) -> Result<(), String> {
    let unknown = schema.as_object().and_then(|map| map.keys().find(|key| !keys.contains(&key.as_str())));
    match unknown {
        Some(key) => Err(format!("`{key}` says nothing of {what} here")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_types_that_carry_no_sentence_are_closed() {
        for (schema, expected) in [
            (json!({ "enum": ["paid", "open"] }), Some(Closed::Enum)),
            (json!({ "type": "boolean" }), Some(Closed::Bool)),
            (json!({ "type": "number", "minimum": 0 }), Some(Closed::Number)),
            (json!({ "type": "string", "format": "date" }), Some(Closed::Date)),
            (json!({ "type": "string", "pattern": "^INV-[0-9]{4}$", "maxLength": 8 }), Some(Closed::Id)),
            (
                json!({ "type": "string", "pattern": "^[A-Z]{2}\\d{2}[A-Z0-9]{11,30}$", "maxLength": 34 }),
                Some(Closed::Id),
            ),
            (json!({ "type": "array", "items": { "type": "integer" }, "maxItems": 5 }), Some(Closed::Number)),
            (json!({ "type": "array", "items": { "type": "integer" } }), None),
            (json!({ "type": "string" }), None),
            (json!({ "type": "string", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "^.*$", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "[a-z]+", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "^[a-z ]+$", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "^[^a]+$", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "^\\S+$", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "^[#-z]+$", "maxLength": 10 }), None),
            (json!({ "type": "string", "pattern": "^[a-z]+$", "maxLength": 1000 }), None),
            (json!({ "type": "object", "properties": {} }), None),
            (json!({ "anyOf": [{ "type": "string" }] }), None),
            (json!({ "type": "boolean", "anyOf": [] }), None),
        ] {
            let whole = json!({ "type": "object", "properties": { "a": schema } });
            assert_eq!(closed(&whole).ok(), expected.map(|kind| BTreeSet::from([kind])), "{schema}");
        }
        assert!(closed(&json!({ "type": "object" })).is_err());
        assert!(
            closed(&json!({ "properties": { "a": { "type": "boolean" } }, "patternProperties": {} }))
                .is_err()
        );
    }
}
