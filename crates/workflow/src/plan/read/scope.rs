//! [`Scope`]: the values that can be named at a place of a workflow.

use std::collections::BTreeSet;

use crate::expression::Expression;

/// What a workflow was started with.
pub(crate) const INPUT: &str = "input";
/// What the step before has made.
pub(crate) const LAST: &str = "last";

/// The values that can be named at a place of a workflow.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    names: BTreeSet<String>,
    /// Every name that some step has, to tell a second one of that name.
    used: BTreeSet<String>,
}

impl Scope {
    /// What can be named at the beginning.
    pub(super) fn begin() -> Self {
        let names: BTreeSet<String> = [INPUT, LAST].map(str::to_owned).into();
        Self { used: names.clone(), names }
    }

    /// These names and no others.
    pub(super) fn of(names: &[&str]) -> Self {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Self { used: names.clone(), names }
    }

    /// The same with more names, for what is done within.
    pub(super) fn with(&self, names: &[&str]) -> Self {
        let mut scope = self.clone();
        scope.names.extend(names.iter().map(|name| (*name).to_owned()));
        scope
    }

    /// Takes in a name; false where there is one already.
    pub(super) fn add(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned());
        self.used.insert(name.to_owned())
    }

    /// Whether a value of that name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// All names that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// Whether a word can be the name of a value, so that expressions can name it.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.len() <= 40
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && Expression::can_name(word)
}
