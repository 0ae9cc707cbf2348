//! The reader of one table.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use adjutant_core::money::Money;
use adjutant_core::nearest;
use adjutant_core::time::parse_duration;

use super::node::{Content, Entry, Node, Place};
use super::problems::Problems;

/// Reads the keys of one table. Whatever is wrong is noted in its [`Problems`] and read as absent.
#[derive(Debug)]
pub struct Table<'a> {
    entries: &'a [Entry],
    place: Place,
    path: String,
    problems: &'a Problems,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    /// Reads a node as the table called `path` (`""` for the whole file). Anything but a table is noted.
    pub fn new(node: &'a Node, path: impl Into<String>, problems: &'a Problems) -> Option<Self> {
        let path = path.into();
        let Some(entries) = node.entries() else {
            let what = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
            let found = &node.content;
            problems.report(node.place, format!("{what} must be a table of keys and values, not {found}"));
            return None;
        };
        Some(Self { entries, place: node.place, path, problems, known: RefCell::default() })
    }

    /// Where the table begins.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What the table is called: the keys that lead to it, joined by dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where mistakes are noted.
    pub fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// The name of one of its keys as a person finds it in the file.
    pub fn name_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The entry of a key. Asking makes the key a known one.
    pub fn entry(&self, key: &'static str) -> Option<&'a Entry> {
        self.known.borrow_mut().push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key, whatever it is; a key with nothing after it is noted.
    pub fn value(&self, key: &'static str) -> Option<&'a Node> {
        let entry = self.entry(key)?;
        if entry.value.content == Content::Null {
            self.problems.report(entry.place, format!("`{}` has no value", self.name_of(key)));
            return None;
        }
        Some(&entry.value)
    }

    /// Whether a key stands in the table, rightly or wrongly filled.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Whether a key is missing, and another one stands there that is likely meant for it. Ask when all keys were read.
    pub fn is_misspelt(&self, key: &str) -> bool {
        let known = self.known.borrow();
        let mut unknown = self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str()));
        !self.has(key) && unknown.any(|entry| nearest(&entry.key, known.iter().copied()) == Some(key))
    }

    /// Notes that a key must be given, unless it stands in the table.
    pub fn require(&self, key: &'static str, help: &str) {
        if !self.has(key) {
            self.problems.report_with(self.place, format!("`{}` is missing", self.name_of(key)), help);
        }
    }

    /// A text.
    pub fn text(&self, key: &'static str) -> Option<&'a str> {
        let node = self.value(key)?;
        let Some(text) = node.as_text() else {
            let help = match node.content {
                Content::Boolean(_) | Content::Integer(_) | Content::Float(_) => "write it in quotes",
                _ => "write a text",
            };
            self.wrong(key, node, "text", help);
            return None;
        };
        Some(text)
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let node = self.value(key)?;
        match node.content {
            Content::Boolean(value) => Some(value),
            _ => {
                self.wrong(key, node, "`true` or `false`", "write it without quotes");
                None
            }
        }
    }

    /// A whole number within a range.
    pub fn integer<T>(&self, key: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        let node = self.value(key)?;
        let (least, most) = (range.start(), range.end());
        let number = match node.content {
            Content::Integer(number) => T::try_from(number).ok().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            self.wrong(key, node, &format!("a whole number from {least} to {most}"), "");
        }
        number
    }

    /// A number within a range.
    pub fn number(&self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let node = self.value(key)?;
        let number = match node.content {
            #[expect(clippy::cast_precision_loss, reason = "the ranges asked for are small")]
            Content::Integer(number) => Some(number as f64),
            Content::Float(number) => Some(number),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.wrong(key, node, &format!("a number from {least} to {most}"), "");
        }
        number
    }

    /// A duration longer than zero, such as `90s` or `1h 30m`.
    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        let node = self.value(key)?;
        let duration = node.as_text().and_then(parse_duration).filter(|duration| !duration.is_zero());
        if duration.is_none() {
            self.wrong(key, node, "a duration", "write it as `90s`, `5m` or `1h 30m`");
        }
        duration
    }

    /// An amount of money above zero, such as `0.50 USD`.
    pub fn money(&self, key: &'static str) -> Option<Money> {
        let node = self.value(key)?;
        let help = match &node.content {
            Content::Integer(number) => format!("write it with its currency: `{number} USD`"),
            Content::Float(number) => format!("write it with its currency: `{number} USD`"),
            _ => "write it as `0.50 USD`".to_owned(),
        };
        let money = node.as_text().and_then(|text| text.parse::<Money>().ok());
        let money = money.filter(|money| *money > Money::ZERO);
        if money.is_none() {
            self.wrong(key, node, "an amount of money above zero", &help);
        }
        money
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let node = self.value(key)?;
        let typed = node.as_text().unwrap_or_default();
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == typed) {
            return Some(*value);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        let help = match nearest(typed, choices.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => String::new(),
        };
        self.wrong(key, node, &format!("one of {}", words.join(", ")), &help);
        None
    }

    /// A list of texts, each with its place.
    pub fn texts(&self, key: &'static str) -> Option<Vec<(&'a str, Place)>> {
        let node = self.value(key)?;
        let Content::List(items) = &node.content else {
            let help = match node.as_text() {
                Some(text) if text.chars().count() <= 60 => {
                    // One of its brackets may be there.
                    format!("write it as `[{}]`", text.trim_matches(['[', ']']))
                }
                _ => String::new(),
            };
            self.wrong(key, node, "a list of texts", &help);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.as_text() {
                Some(text) => texts.push((text, item.place)),
                None => self.wrong(key, item, "a list of texts", "write each in quotes"),
            }
        }
        Some(texts)
    }

    /// A table within this one.
    pub fn table(&self, key: &'static str) -> Option<Table<'a>> {
        Table::new(self.value(key)?, self.name_of(key), self.problems)
    }

    /// The entries of a table within this one whose keys are the author's own names.
    pub fn named(&self, key: &'static str) -> &'a [Entry] {
        let Some(node) = self.value(key) else { return &[] };
        match Table::new(node, self.name_of(key), self.problems) {
            Some(table) => table.entries,
            None => &[],
        }
    }

    /// Notes that a value is of the wrong kind.
    pub fn wrong(&self, key: &str, node: &Node, wanted: &str, help: &str) {
        let message = format!("`{}` must be {wanted}, not {}", self.name_of(key), node.content);
        if help.is_empty() {
            self.problems.report(node.place, message);
        } else {
            self.problems.report_with(node.place, message, help);
        }
    }

    /// Notes the keys that nobody asked for.
    pub fn finish(self) {
        let known = self.known.into_inner();
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let name =
                if self.path.is_empty() { entry.key.clone() } else { format!("{}.{}", self.path, entry.key) };
            let help = match nearest(&entry.key, known.iter().copied()) {
                Some(key) => format!("did you mean `{key}`?"),
                None => {
                    let mut keys = known.clone();
                    keys.sort_unstable();
                    keys.dedup();
                    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                    format!("known here are {}", keys.join(", "))
                }
            };
            self.problems.report_with(entry.place, format!("unknown key `{name}`"), help);
        }
    }
}
