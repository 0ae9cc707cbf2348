//! What a tool says of itself: what a model sees of it, and what the run must know before it calls it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the tool is called that finds other tools, in requests that offer a model only some of those that its agent has.
pub const SEARCH_TOOLS: &str = "search_tools";

/// What the tool is called that gives a model the instructions of a skill.
pub const LOAD_SKILL: &str = "load_skill";

/// What happens if a call is made twice, or is made and its answer is lost.
///
/// Whichever it is, the call carries an idempotency key that stays the same over every attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It changes nothing. It may run again, and before anything is on disk.
    Pure,
    /// Made twice with the same key, it has happened once. It runs again after a crash.
    Idempotent,
    /// Made twice, it has happened twice. It never runs again by itself: an answer that was lost waits for a person.
    AtMostOnce,
    /// Made twice, it has happened twice, but the tool can look a key up and say what came of it.
    Reconcile,
}

impl Effect {
    /// Whether the call may run again without asking.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::Pure | Self::Idempotent)
    }

    /// The word for it in files and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Idempotent => "idempotent",
            Self::AtMostOnce => "at_most_once",
            Self::Reconcile => "reconcile",
        }
    }
}

/// A tool as data: everything about it except the code. Pinned with the run that uses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// What models call it: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// The JSON schema (2020-12) of its arguments: an object.
    pub parameters: Value,
    /// What happens if it is called twice.
    pub effect: Effect,
    /// How long one call may take.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// How many calls of it one process makes at a time; no limit where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What it does with information, as far as somebody has said it.
    #[serde(default, skip_serializing_if = "Flow::is_default")]
    pub flow: Flow,
}

/// What a tool does with information, as far as its author or the project says it. What is not said is derived by
/// `policy` from its effect and its schema, always to the careful side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flow {
    /// Where its output comes from, as the kind and the name of a source: `mcp:github`, `web`, `file`. Each call adds
    /// to it what is known of the one result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether its output can be believed: written by nobody but the operator or the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted: Option<bool>,
    /// Who may see its output; anybody where none is given, and where `*` is among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<Vec<String>>,
    /// The fields of its output, by name, that the service itself issues and nobody outside writes, though the rest may be
    /// anybody's: the id of a mail, the size of a file.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub issued: BTreeSet<String>,
    /// Whether a call carries its arguments out of the reach of the project: a message, a URL, a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<bool>,
    /// What each argument is for, by its name or, within one, its JSON pointer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Role>,
}

impl Flow {
    /// The flow of a tool that carries nothing out, with the source of its output.
    pub fn inside(source: impl Into<String>) -> Self {
        Self { source: Some(source.into()), egress: Some(false), ..Self::default() }
    }

    /// The flow of a tool whose calls carry their arguments out, with the source of its output.
    pub fn outside(source: impl Into<String>) -> Self {
        Self { source: Some(source.into()), egress: Some(true), ..Self::default() }
    }

    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What an argument of a tool is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// To whom: a recipient, an account, a host. It decides who gets what goes out.
    Recipient,
    /// On what: the id, the name or the path of the thing that is changed or read.
    Target,
    /// What goes out or is stored: a body, a subject, a query.
    Content,
    /// How much: an amount, a count.
    Amount,
    /// A choice that says neither of these: a flag, a format, a page.
    Option,
}

impl Role {
    /// The word for it in files and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Target => "target",
            Self::Content => "content",
            Self::Amount => "amount",
            Self::Option => "option",
        }
    }
}

impl ToolSpec {
    /// How long a call may take where nothing else is said.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
}

/// Durations as whole milliseconds.
mod millis {
    use super::{Deserialize, Duration};

    pub(super) fn serialize<S: serde::Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
