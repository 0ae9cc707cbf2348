//! Steps that wait for events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::argument::Argument;
use super::step::Step;
use crate::expression::Expression;

/// Steps that wait for events of some kinds, and give rise to others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eventful {
    /// The events that it begins with, by their kinds.
    pub first: BTreeMap<String, Argument>,
    /// The JSON schemas of what events of a kind hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Value>,
    /// The steps by their names.
    pub steps: BTreeMap<String, Reaction>,
    /// How many events there may be in all.
    pub most: usize,
}

/// A step that waits for events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reaction {
    /// What it waits for.
    pub on: Awaited,
    /// How many of it work at the same time.
    pub workers: usize,
    /// What it does.
    pub does: Does,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// Each event of a kind, which it sees as `event`.
    Each(String),
    /// So many events of some kinds at once, which it sees in `events`, by their kinds.
    Several(BTreeMap<String, usize>),
}

impl Awaited {
    /// How many events of which kinds it takes at once.
    pub fn takes(&self) -> impl Iterator<Item = (&str, usize)> {
        let (one, several) = match self {
            Self::Each(kind) => (Some((kind.as_str(), 1)), None),
            Self::Several(kinds) => (None, Some(kinds)),
        };
        one.into_iter().chain(several.into_iter().flatten().map(|(kind, count)| (kind.as_str(), *count)))
    }
}

/// What a step does with the events that it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// It does other steps, and gives rise to events.
    Steps {
        /// The steps.
        steps: Vec<Step>,
        /// The events that it gives rise to.
        emits: Vec<Emission>,
    },
    /// It waits for an event of this kind that somebody outside signals by that name.
    Outside {
        /// The kind.
        kind: String,
        /// What those outside are shown.
        request: Argument,
    },
}

/// Events that a step gives rise to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emission {
    /// Their kind.
    pub kind: String,
    /// What each holds.
    pub data: Argument,
    /// When there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// The list for each of whose members there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Argument>,
}

impl Does {
    /// The kinds of the events that it gives rise to.
    pub fn gives(&self) -> Vec<&str> {
        match self {
            Self::Steps { emits, .. } => emits.iter().map(|emission| emission.kind.as_str()).collect(),
            Self::Outside { kind, .. } => vec![kind],
        }
    }
}
