//! Answers that are longer than what a model reads at once: shortened where they are long, with a mark at each place that
//! says how to ask for the rest. Pure.

use std::fmt;

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value};

/// A part of an answer: a value in it, and how much of that was read already (characters, items or fields).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// A JSON pointer; empty for the whole answer.
    pub(super) pointer: String,
    pub(super) from: usize,
}

impl Part {
    /// Reads what a model copied from a mark. Fails with [`Code::ToolArguments`].
    pub(super) fn read(text: &str) -> Result<Self> {
        let text = text.trim();
        let (pointer, from) = match text.rsplit_once("from ") {
            Some((pointer, from)) => (pointer.trim(), from.trim().parse().ok()),
            None => (text, Some(0)),
        };
        let pointer = if pointer == "/" { "" } else { pointer };
        match from {
            Some(from) if pointer.is_empty() || pointer.starts_with('/') => {
                Ok(Self { pointer: pointer.to_owned(), from })
            }
            _ => {
                let shown: String = text.chars().take(100).collect();
                Err(Error::new(Code::ToolArguments, format!("`{shown}` is no part of an answer")).with_help(
                    "copy what stands after `part` where the answer was cut, such as `/items from 20`",
                ))
            }
        }
    }

    /// The value that is meant. Fails with [`Code::ToolFailed`] where the answer has none.
    pub(super) fn of<'a>(&self, answer: &'a Value) -> Result<&'a Value> {
        answer.pointer(&self.pointer).ok_or_else(|| {
            Error::new(Code::ToolFailed, format!("the answer has nothing at `{}`", self.pointer))
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pointer.is_empty(), self.from) {
            (true, from) => write!(f, "from {from}"),
            (false, 0) => f.write_str(&self.pointer),
            (false, from) => write!(f, "{} from {from}", self.pointer),
        }
    }
}

/// How the rest of an answer is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest<'a> {
    /// Not at all.
    Lost,
    /// The same call is made again, for a part of the answer.
    Again,
    /// The answer is kept under this name.
    Kept(&'a str),
}

/// How much of each value is written.
#[derive(Clone, Copy)]
struct Limits {
    entries: usize,
    characters: usize,
    depth: usize,
}

/// From everything to next to nothing: the first that fits is taken.
const LADDER: [(usize, usize, usize); 11] = [
    (usize::MAX, usize::MAX, usize::MAX),
    (200, 4_000, 64),
    (100, 2_000, 32),
    (50, 1_000, 16),
    (30, 500, 12),
    (20, 300, 8),
    (10, 200, 6),
    (6, 120, 5),
    (4, 80, 4),
    (3, 60, 3),
    (2, 40, 1),
];

/// A value as text of at most about `most` characters, beginning at a part of it. Whether something was left out is the
/// second answer. `rest` says what the marks offer.
pub(super) fn shortened(value: &Value, part: &Part, most: usize, rest: Rest<'_>) -> (String, bool) {
    if let Value::String(text) = value {
        return text_from(text, part, most, rest);
    }
    let mut shortest = String::new();
    for (entries, characters, depth) in LADDER {
        let mut writer = Writer { limits: Limits { entries, characters, depth }, rest, cut: false };
        let written = Json::from(writer.write(value, &part.pointer, part.from, 0)).to_string();
        if written.chars().count() <= most {
            return (written, writer.cut);
        }
        shortest = written;
    }
    (shortest.chars().take(most).chain("...".chars()).collect(), true)
}

/// A text from where the part begins, as much as fits.
pub(super) fn text_from(text: &str, part: &Part, most: usize, rest: Rest<'_>) -> (String, bool) {
    let mut unread = text.chars().skip(part.from);
    let mut shown: String = unread.by_ref().take(most).collect();
    let left = unread.count();
    if left == 0 {
        return (shown, part.from > 0);
    }
    let next = Part { pointer: part.pointer.clone(), from: part.from + most };
    shown.push_str(&mark(left, "characters", &next, rest));
    (shown, true)
}

/// What stands where something was left out.
fn mark(left: usize, what: &str, next: &Part, rest: Rest<'_>) -> String {
    match rest {
        Rest::Lost => format!("[{left} more {what}]"),
        Rest::Again => format!("[{left} more {what}, part: {next}]"),
        Rest::Kept(name) => format!("[{left} more {what}, answer: {name}, part: {next}]"),
    }
}

struct Writer<'a> {
    limits: Limits,
    rest: Rest<'a>,
    cut: bool,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, pointer: &str, from: usize, depth: usize) -> Value {
        match value {
            Value::String(text) => {
                // A mark in place of the end of a short text would be longer than the end.
                if text.len() <= self.limits.characters.saturating_add(40) && from == 0 {
                    return value.clone();
                }
                let part = Part { pointer: pointer.to_owned(), from };
                let (shown, cut) = text_from(text, &part, self.limits.characters, self.rest);
                self.cut |= cut;
                Value::String(shown)
            }
            Value::Array(items) if depth >= self.limits.depth && !items.is_empty() => {
                self.outline(items.len(), "items", pointer)
            }
            Value::Object(fields) if depth >= self.limits.depth && !fields.is_empty() => {
                self.outline(fields.len(), "fields", pointer)
            }
            Value::Array(items) => {
                let mut written: Vec<Value> = Vec::new();
                for (place, item) in items.iter().enumerate().skip(from).take(self.limits.entries) {
                    written.push(self.write(item, &format!("{pointer}/{place}"), 0, depth + 1));
                }
                if let Some(mark) = self.end(items.len(), from, "items", pointer) {
                    written.push(Value::String(mark));
                }
                Value::Array(written)
            }
            Value::Object(fields) => {
                let mut written = Map::new();
                for (name, value) in fields.iter().skip(from).take(self.limits.entries) {
                    let pointer = super::document::within(pointer, name);
                    written.insert(name.clone(), self.write(value, &pointer, 0, depth + 1));
                }
                if let Some(mark) = self.end(fields.len(), from, "fields", pointer) {
                    written.insert("...".to_owned(), Value::String(mark));
                }
                Value::Object(written)
            }
            other => other.clone(),
        }
    }

    fn outline(&mut self, count: usize, what: &str, pointer: &str) -> Value {
        self.cut = true;
        Value::String(mark(count, what, &Part { pointer: pointer.to_owned(), from: 0 }, self.rest))
    }

    fn end(&mut self, count: usize, from: usize, what: &str, pointer: &str) -> Option<String> {
        let next = from.saturating_add(self.limits.entries);
        self.cut |= from > 0 || next < count;
        let left = count.checked_sub(next).filter(|left| *left > 0)?;
        Some(mark(left, what, &Part { pointer: pointer.to_owned(), from: next }, self.rest))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_read_as_they_are_written() {
        for (text, pointer, from) in [
            ("/items from 20", "/items", 20),
            ("from 7", "", 7),
            ("/a", "/a", 0),
            ("", "", 0),
            ("/", "", 0),
            ("/x from y from 3", "/x from y", 3),
        ] {
            let part = Part::read(text).unwrap();
            assert_eq!((part.pointer.as_str(), part.from), (pointer, from), "{text}");
            assert_eq!(Part::read(&part.to_string()).unwrap(), part);
        }
        for wrong in ["items", "/a from x", "from -1"] {
            assert_eq!(Part::read(wrong).unwrap_err().code(), Code::ToolArguments, "{wrong}");
        }
    }

    #[test]
    fn what_fits_stays_whole() {
        let value = json!({"a": [1, 2, 3], "b": "text"});
        assert_eq!(shortened(&value, &Part::default(), 1_000, Rest::Again), (value.to_string(), false));
    }

    #[test]
    fn every_mark_leads_to_the_rest() {
        let items: Vec<Value> = (0..500).map(|n| json!({"id": n, "body": "x".repeat(n)})).collect();
        let value = json!({"items": items, "total": 500});
        let (text, cut) = shortened(&value, &Part::default(), 3_000, Rest::Again);
        assert!(cut && text.chars().count() <= 3_000, "{}", text.len());
        let short: Value = serde_json::from_str(&text).unwrap();
        let last = short["items"].as_array().unwrap().last().unwrap().as_str().unwrap();
        let part = Part::read(last.split_once("part: ").unwrap().1.trim_end_matches(']')).unwrap();
        assert_eq!(part.pointer, "/items");
        let (rest, _) = shortened(part.of(&value).unwrap(), &part, 3_000, Rest::Again);
        let rest: Value = serde_json::from_str(&rest).unwrap();
        assert_eq!(rest[0]["id"], part.from, "{rest}");
        assert!(!shortened(&value, &Part::default(), 3_000, Rest::Lost).0.contains("part:"));
    }

    #[test]
    fn following_the_marks_of_a_text_gives_all_of_it() {
        let text: String = (0..5_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        let value = json!({"body": text});
        let (mut part, mut whole) = (Part::read("/body").unwrap(), String::new());
        for _ in 0..20 {
            let (shown, _) = shortened(part.of(&value).unwrap(), &part, 700, Rest::Again);
            let Some((piece, mark)) = shown.split_once('[') else {
                whole.push_str(&shown);
                break;
            };
            whole.push_str(piece);
            part = Part::read(mark.split_once("part: ").unwrap().1.trim_end_matches(']')).unwrap();
        }
        assert_eq!(whole, text);
    }

    #[test]
    fn nothing_is_too_large() {
        let mut deep = json!("x".repeat(1_000));
        for _ in 0..100 {
            deep = json!({"a": deep, "b": [1, 2, 3]});
        }
        let wide: Map<String, Value> = (0..50_000).map(|n| (format!("key{n}"), json!(n))).collect();
        for value in [deep, Value::Object(wide)] {
            let (text, cut) = shortened(&value, &Part::default(), 500, Rest::Again);
            assert!(cut && text.chars().count() <= 503, "{}", text.len());
        }
    }
}
