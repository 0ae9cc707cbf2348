//! The tree.

use std::fmt;

use serde_json::{Map, Value};

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a text. An offset behind the end is the end.
    pub fn of_byte(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The same place in a file in which `lines` lines stand before this text.
    #[must_use]
    pub fn below(self, lines: usize) -> Self {
        Self { line: self.line + lines, column: self.column }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub content: Content,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `null`, or a key with nothing after it.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number. Never infinite, never "not a number".
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and their values, in the order of the file.
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// What belongs to it.
    pub value: Node,
}

impl Node {
    /// The entries, of a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, of a table.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text, of a text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON. A whole number that JSON numbers of 64 bits cannot hold becomes a float.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(value) => Value::Bool(*value),
            Content::Integer(number) => integer_to_json(*number),
            Content::Float(number) => Value::from(*number),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Table(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 64 bits JSON numbers are floats")]
fn integer_to_json(number: i128) -> Value {
    if let Ok(number) = i64::try_from(number) {
        Value::from(number)
    } else if let Ok(number) = u64::try_from(number) {
        Value::from(number)
    } else {
        Value::from(number as f64)
    }
}

impl fmt::Display for Content {
    /// What kind of value it is, for "must be text, not ...".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "nothing",
            Self::Boolean(true) => "`true`",
            Self::Boolean(false) => "`false`",
            Self::Integer(number) => return write!(f, "the number `{number}`"),
            Self::Float(number) => return write!(f, "the number `{number}`"),
            Self::Text(text) if text.chars().count() <= 40 => return write!(f, "the text `{text}`"),
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters() {
        let text = "a\näöü: x\n";
        let cases = [(0, (1, 1)), (2, (2, 1)), (8, (2, 4)), (3, (2, 1)), (999, (3, 1))];
        for (offset, (line, column)) in cases {
            assert_eq!(Place::of_byte(text, offset), Place { line, column }, "{offset}");
        }
    }
}
