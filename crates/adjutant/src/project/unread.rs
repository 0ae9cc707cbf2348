//! What is written in `adjutant.toml` and could not be read.

use std::collections::BTreeSet;

use adjutant_agent::definition::Gaps;
use adjutant_agent::definition::document::Table;

use super::settings::Settings;

/// What of `adjutant.toml` could not be read: a name that is missed may only be hidden by the mistake there.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) tools: Hidden,
    pub(super) models: Hidden,
    variables: bool,
}

/// The names of one table that could not be read.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Not even the names are known.
    all: bool,
    names: BTreeSet<String>,
}

impl Unread {
    /// Nothing of the file could be read.
    pub(super) fn all() -> Self {
        let all = || Hidden { all: true, names: BTreeSet::new() };
        Self { tools: all(), models: all(), variables: true }
    }

    /// What `settings` lacks of the file. Ask when all keys were read.
    pub(super) fn of(root: &Table<'_>, settings: &Settings) -> Self {
        Self {
            tools: Hidden::of(root, "tools", |name| settings.tools.contains_key(name)),
            models: Hidden::of(root, "models", |name| settings.models.contains_key(name)),
            variables: Hidden::of(root, "variables", |_| true).all,
        }
    }

    /// The gaps of an agent that has these of its own.
    pub(super) fn gaps(&self, own: Gaps) -> Gaps {
        Gaps { variables: own.variables || self.variables, ..own }
    }
}

impl Hidden {
    fn of(root: &Table<'_>, key: &'static str, is_read: impl Fn(&str) -> bool) -> Self {
        let entry = root.entry(key);
        match entry.map(|entry| entry.value.entries()) {
            Some(Some(entries)) => {
                let names = entries.iter().map(|entry| entry.key.clone()).filter(|name| !is_read(name));
                Self { all: false, names: names.collect() }
            }
            Some(None) => Self { all: true, names: BTreeSet::new() },
            None => Self { all: root.is_misspelt(key), names: BTreeSet::new() },
        }
    }

    /// Adds names that could not be used.
    pub(super) fn extend<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.names.extend(names.map(str::to_owned));
    }

    /// Whether a name stands there, or belongs to one that does: `shop__order` to `shop`.
    pub(super) fn holds(&self, name: &str) -> bool {
        let belongs = |hidden: &String| {
            name.strip_prefix(hidden.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        self.all || self.names.iter().any(belongs)
    }
}
