//! [`Overlay`]: what the environment and flags give, laid over what the file says.

use adjutant_agent::definition::document::{Content, Entry, Node, Place};
use adjutant_core::{Code, Error, nearest};

use super::keys::{KEYS, Key, Kind, PREFIX, meant, named};
use crate::project::environment::Environment;

/// What was given beside the file. A value of it stands at a place that no file has: line 0, and its number as the column.
#[derive(Clone, Debug, Default)]
pub(in crate::project) struct Overlay {
    given: Vec<Given>,
    unknown: Vec<Error>,
}

/// One setting that was given.
#[derive(Clone, Debug)]
struct Given {
    key: Key,
    text: String,
    /// Who gave it, for people.
    by: String,
}

impl Overlay {
    /// What an environment gives, and what was typed.
    pub(in crate::project) fn of(environment: &Environment) -> Self {
        let mut overlay = Self::default();
        for key in KEYS {
            let variable = key.variable();
            if let Some(text) = environment.get(&variable) {
                overlay.given.push(Given { key, text: text.trim().to_owned(), by: variable });
            }
        }
        for variable in environment.names().filter(|name| name.starts_with(PREFIX)) {
            overlay.unknown.extend(meant(variable).map(|meant| {
                Error::new(Code::ProjectInvalid, format!("the variable `{variable}` gives no setting"))
                    .with_help(format!("did you mean `{meant}`?"))
                    .at(variable, None, None)
            }));
        }
        for (path, text) in environment.typed() {
            match named(path) {
                Some(key) => {
                    overlay.given.push(Given { key, text: text.clone(), by: format!("--set {path}") });
                }
                None => overlay.unknown.push(no_setting(path)),
            }
        }
        overlay
    }

    /// Lays it over a file. What is given later goes over what was given before.
    pub(in crate::project) fn lay(&self, root: &mut Node) {
        for (number, given) in self.given.iter().enumerate() {
            let place = Place { line: 0, column: number + 1 };
            let keys: Vec<&str> = given.key.path.split('.').collect();
            put(root, &keys, given.node(place), place);
        }
    }

    /// What is wrong with the names of what was given.
    pub(in crate::project) fn unknown(&self) -> Vec<Error> {
        self.unknown.clone()
    }

    /// An error as it is told: one about what was given names who gave it, in the place of the file.
    pub(in crate::project) fn told(&self, error: Error) -> Error {
        let column = error.location().filter(|at| at.line == Some(0)).and_then(|at| at.column);
        match column.and_then(|column| self.by(column)) {
            Some(by) => error.at(by, None, None),
            None => error,
        }
    }

    /// Who gave what stands at a column of line 0.
    pub(super) fn by(&self, column: usize) -> Option<&str> {
        self.given.get(column.checked_sub(1)?).map(|given| given.by.as_str())
    }
}

impl Given {
    /// The value as the file would have it. What does not fit stays a text, which the reader refuses.
    fn node(&self, place: Place) -> Node {
        let text = || Content::Text(self.text.clone());
        let content = match self.key.kind {
            Kind::Text => text(),
            Kind::Flag => self.text.parse().map_or_else(|_| text(), Content::Boolean),
            Kind::Number => self.text.replace('_', "").parse().map_or_else(|_| text(), Content::Integer),
            Kind::Texts => {
                let texts = self.text.split(',').map(str::trim).filter(|text| !text.is_empty());
                let node = |text: &str| Node { place, content: Content::Text(text.to_owned()) };
                Content::List(texts.map(node).collect())
            }
        };
        Node { place, content }
    }
}

fn no_setting(path: &str) -> Error {
    let error = Error::new(Code::InputInvalid, format!("`{path}` is no setting that can be typed"));
    match nearest(path, KEYS.iter().map(|key| key.path)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help("`adjutant config show` lists those that can"),
    }
}

/// Puts a value where keys lead. Where the file has something else than a table on the way, it stays for the reader to refuse.
fn put(node: &mut Node, keys: &[&str], value: Node, place: Place) {
    let (Content::Table(entries), Some((first, rest))) = (&mut node.content, keys.split_first()) else {
        return;
    };
    let there = entries.iter().position(|entry| entry.key == *first);
    let entry = match there.and_then(|index| entries.get_mut(index)) {
        Some(entry) => entry,
        None => {
            let empty = Node { place, content: Content::Table(Vec::new()) };
            entries.push(Entry { key: (*first).to_owned(), place, value: empty });
            let Some(entry) = entries.last_mut() else { return };
            entry
        }
    };
    match rest.is_empty() {
        true => entry.value = value,
        false => put(&mut entry.value, rest, value, place),
    }
}
