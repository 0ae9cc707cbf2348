//! Occurrences of triggers: what has come due, and what became of it.
//!
//! An engine keeps them and knows nothing of what makes something due: a clock, a folder or a call from outside.

use adjutant_core::id::RunId;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admission::Admission;

/// Something that a trigger has come to, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The trigger.
    pub trigger: String,
    /// What it is known by: of two with the same key, the first counts.
    pub key: String,
    /// When it came due.
    pub due: Timestamp,
    /// When it was decided what becomes of it.
    pub at: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A run was admitted for it.
    Admitted(RunId),
    /// Nothing was done.
    Skipped {
        /// Why.
        why: String,
        /// For how many in a row, of which this is the last.
        count: u64,
    },
}

/// An occurrence that is to be recorded, together with its run.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// What is recorded.
    pub occurrence: Occurrence,
    /// The run that is admitted in the same step, where one is.
    pub admission: Option<Admission>,
    /// What else must hold.
    pub terms: FiringTerms,
}

/// What must hold for an occurrence to be recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiringTerms {
    /// How far the trigger must have come on its schedule; it has come to the due time afterwards.
    pub since: Option<Timestamp>,
    /// Whether no other run of the trigger may be under way.
    pub alone: bool,
}

/// What became of a firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fired {
    /// It is recorded, and its run is admitted.
    Recorded,
    /// Somebody else has recorded it, or the trigger has come further meanwhile.
    Known,
    /// This run of the trigger is under way; nothing is recorded.
    Busy(RunId),
}
