//! Lists that are read a page at a time: of runs and of sessions.
//!
//! A page is found by where the last one ended, not by counting: what is added meanwhile moves nothing, and no list is read as a
//! whole.

use std::fmt;

use adjutant_core::id::SessionId;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{RunInfo, RunState};

/// Which runs are meant; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Those that stand in one of these ways; however they stand where there is none.
    pub states: Vec<RunState>,
    /// Those of this agent or workflow.
    pub name: Option<String>,
    /// Those that are turns of this conversation.
    pub session: Option<SessionId>,
    /// Those that handle the data of this person.
    pub user: Option<String>,
    /// Only those that no other run has started.
    pub roots: bool,
    /// Those that were recorded at that time or later.
    pub since: Option<Timestamp>,
    /// Those that were recorded before that time.
    pub before: Option<Timestamp>,
}

impl RunFilter {
    /// Runs that are not over.
    pub fn open() -> Self {
        use RunState::{Halted, Paused, Ready, Running, Waiting};
        Self { states: vec![Ready, Running, Waiting, Paused, Halted], ..Self::default() }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

/// A place in a list: a text that only the engine which made it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A conversation at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Its first turn.
    pub first: RunInfo,
    /// Its latest turn.
    pub latest: RunInfo,
    /// How many turns it has.
    pub turns: u64,
    /// When one of its turns was last written to.
    pub updated: Timestamp,
}
