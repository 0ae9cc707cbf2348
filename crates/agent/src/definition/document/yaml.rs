//! YAML as a tree.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, SnippetMode, Spanned};

use super::mistake::mistakes;
use super::node::{Content, Entry, Node, Place};
use super::problems::Problems;

/// How many values a document may have, and so how much an alias can multiply.
const MOST_NODES: usize = 20_000;
/// How deep lists and tables may nest.
const MOST_DEPTH: usize = 110;

/// Reads YAML 1.2 that stands below `lines_before` lines of a file. Nothing at all is an empty table.
///
/// What cannot be read is noted, and then there is no tree. Only spellings of YAML 1.2 are booleans; a key that stands
/// twice and merge keys are mistakes; aliases are expanded within a bound.
pub fn parse(text: &str, lines_before: usize, problems: &Problems) -> Option<Node> {
    match serde_saphyr::from_str_with_options::<Raw>(text, options()) {
        Ok(raw) => {
            let mut node = raw.into_node(lines_before);
            if node.content == Content::Null {
                node.content = Content::Table(Vec::new());
            }
            Some(node)
        }
        Err(error) => {
            let location = error.location();
            let line = location.and_then(|at| usize::try_from(at.line()).ok()).unwrap_or(1);
            let column = location.and_then(|at| usize::try_from(at.column()).ok()).unwrap_or(1);
            for (place, message) in mistakes(text, Place { line, column }, &said(&error)) {
                problems.report(place.below(lines_before), message);
            }
            None
        }
    }
}

/// The parser's message without the place that it adds to it.
fn said(error: &serde_saphyr::Error) -> String {
    let options = serde_saphyr::render_options! { snippets: SnippetMode::Off };
    let text = error.render_with_options(options);
    let end = [" at line ", " (defined at line ", " (used at line "]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min();
    let text = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MOST_NODES * 2,
            max_nodes: MOST_NODES,
            max_depth: MOST_DEPTH,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_NODES,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// A node with the parser's own places.
struct Raw(Spanned<Value>);

enum Value {
    Scalar(Content),
    List(Vec<Raw>),
    Table(Vec<(Spanned<String>, Raw)>),
}

impl Raw {
    fn into_node(self, lines_before: usize) -> Node {
        let content = match self.0.value {
            Value::Scalar(content) => content,
            Value::List(items) => {
                Content::List(items.into_iter().map(|item| item.into_node(lines_before)).collect())
            }
            Value::Table(pairs) => Content::Table(
                pairs
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key: key.value,
                        place: place(key.referenced, lines_before),
                        value: value.into_node(lines_before),
                    })
                    .collect(),
            ),
        };
        Node { place: place(self.0.referenced, lines_before), content }
    }
}

fn place(location: serde_saphyr::Location, lines_before: usize) -> Place {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
    Place { line: number(location.line()), column: number(location.column()) }.below(lines_before)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Scalar(Content::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(Content::Boolean(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(Content::Integer(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(Content::Integer(value.into())))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if !value.is_finite() {
            return Err(E::custom("a number must be finite"));
        }
        Ok(Value::Scalar(Content::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(Content::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Scalar(Content::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table: Vec<(Spanned<String>, Raw)> = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            if table.len() >= MOST_NODES {
                return Err(A::Error::custom("the table has too many keys"));
            }
            table.push((key, entries.next_value()?));
        }
        Ok(Value::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, String> {
        let problems = Problems::new("a.md");
        match parse(text, 1, &problems) {
            Some(node) => Ok(node),
            None => Err(problems.into_errors().iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let node = read("model: main\nlimits: { steps: 20,\n  money: 0.50 USD }\n").unwrap();
        let entries = node.entries().unwrap();
        assert_eq!(entries[0].place, Place { line: 2, column: 1 });
        assert_eq!(entries[0].value.place, Place { line: 2, column: 8 });
        let limits = entries[1].value.entries().unwrap();
        assert_eq!(limits[0].place, Place { line: 3, column: 11 });
        assert_eq!(limits[0].value.content, Content::Integer(20));
        assert_eq!(limits[1].place, Place { line: 4, column: 3 });
        assert_eq!(limits[1].value.as_text(), Some("0.50 USD"));
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let json = read("[yes, true, ~, 5m, 1e3, -4, \"7\", 18446744073709551615]").unwrap().to_json();
        let expected =
            serde_json::json!(["yes", true, null, "5m", 1000.0, -4, "7", 18_446_744_073_709_551_615_u64]);
        assert_eq!(json, expected);
        assert_eq!(read("").unwrap().content, Content::Table(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_has_a_place() {
        for (text, start) in [
            ("a: 1\na: 2\n", "a.md:3:1: the key `a` stands twice"),
            ("a: [1, 2\nb: 3", "a.md:2:4: the bracket that begins here has no end"),
            ("a: b\nlist: [x, \"]\", {y: 1}\nc: 3", "a.md:3:7: the bracket that begins here has no end"),
            ("a: [\n  x\n  y: 1: 2 ]", "a.md:"),
            ("a: {\n  x: 1\n  y: 2 }", "a.md:4:4: a comma or a closing bracket is missing before this"),
            ("a: main\n b: [c]\n", "a.md:3:2: this line is indented more than the key above it"),
            ("a:\n  b: 3\n   c: 3\n", "a.md:4:4: this line is indented more than the key above it"),
            ("a:\n  b: 3\n c: 3\n", "a.md:4:2: this line is indented otherwise than those around it"),
            (
                "a: main\n b: [c\nd: 1\n",
                "a.md:3:2: this line is indented more than the key above it, which has a value alreadya.md:3:5: the bracket",
            ),
            ("a: b: c", "a.md:2:5: a `:` stands within a value"),
            ("a: \"x", "a.md:2:4: the quote that begins here has no end"),
            ("a:\n\t- b", "a.md:3:2: a tab cannot indent"),
            ("a: @x", "a.md:2:4: a value cannot begin with this character"),
            ("a: *nobody", "a.md:2:4: "),
            ("<<: { a: 1 }", "a.md:2:1: "),
            ("[a]: 1", "a.md:2:1: "),
            ("a: .inf", "a.md:2:4: "),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.starts_with(start), "{text:?}: {message}");
            assert!(!message.contains('\n') && !message.contains("at line"), "{message}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
        for (from, to) in ('a'..='h').zip('b'..='i') {
            laughs.push_str(&format!("{to}: &{to} [*{from},*{from},*{from},*{from},*{from},*{from}]\n"));
        }
        let deep = "[".repeat(100_000);
        let wide = "- x\n".repeat(200_000);
        for bomb in [laughs.as_str(), &deep, &wide] {
            assert!(read(bomb).is_err());
        }
    }
}
