//! [`Ruling`]: what guardrails have said, as it is recorded.

use adjutant_durable::{Entry, Operation, Record};
use adjutant_policy::detect::{Hit, Pseudonyms};
use serde::{Deserialize, Serialize};

use super::check::GUARD;
use super::subject::Subject;
use crate::definition::Point;

/// What guardrails have said of something, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What each has said, in the order in which they looked. One that blocks is the last.
    pub verdicts: Vec<Verdict>,
    /// What it became; none where it stayed as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed: Option<Subject>,
    /// What the pseudonyms in it stand for.
    #[serde(default, skip_serializing_if = "Pseudonyms::is_empty")]
    pub names: Pseudonyms,
}

/// What one guardrail has said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which.
    pub guardrail: String,
    /// What was done.
    pub did: Did,
    /// What it has found that is sure enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
}

/// What was found in one of the texts that were looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Which text, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub text: usize,
    /// What, how sure, and where.
    #[serde(flatten)]
    pub hit: Hit,
}

fn is_first(text: &usize) -> bool {
    *text == 0
}

/// What a guardrail did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// It has found nothing.
    Passed,
    /// It let pass what it found.
    Warned,
    /// It took out what it found.
    Masked,
    /// It put names in its place.
    Pseudonymised,
    /// It let nothing pass.
    Blocked,
}

/// What did not pass, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The guardrail.
    pub guardrail: String,
    /// Where it stands.
    pub on: Point,
    /// What is said of it.
    pub why: String,
}

/// What the pseudonyms of a run stand for, by its records.
pub(crate) fn names(records: &[Record]) -> Pseudonyms {
    let mut names = Pseudonyms::default();
    let mut open = std::collections::BTreeSet::new();
    for record in records {
        match &record.entry {
            Entry::Issued { key, operation: Operation { name, .. }, .. } if name == GUARD => {
                open.insert((record.segment, key));
            }
            Entry::Completed { key, outcome: Ok(recorded) } if open.contains(&(record.segment, key)) => {
                names.extend(recorded.to::<Ruling>().map(|ruling| ruling.names).unwrap_or_default());
            }
            _ => {}
        }
    }
    names
}
