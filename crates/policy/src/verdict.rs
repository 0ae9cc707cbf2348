//! [`Verdict`]: what the policies say.

use adjutant_core::hash::Digest;
use serde::{Deserialize, Serialize};

/// What the policies say of a [`Request`](crate::Request), and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What is to be done.
    pub outcome: Outcome,
    /// The names of the policies that made it so. None where nothing permits it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Why, for the operator.
    pub reason: String,
    /// Why, for the model, which is to find another way; it names what is missing. None where it is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<String>,
    /// What policies would have said that are only watched (`log_only`): the outcome if they were enforced, where that is
    /// another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
    /// The version of the set that has decided; none where there are no policies and the agent's own definition decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Digest>,
}

impl Verdict {
    /// The stricter of two that both hold. What either would mask is masked.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let (mut stricter, other) = if other.outcome > self.outcome { (other, self) } else { (self, other) };
        if let (Outcome::Redact(kinds), Outcome::Redact(more)) = (&mut stricter.outcome, &other.outcome) {
            kinds.extend(more.iter().cloned());
            kinds.sort();
            kinds.dedup();
        }
        if stricter.watched.is_none() {
            stricter.watched = other.watched.filter(|watched| watched.outcome > stricter.outcome);
        }
        stricter
    }
}

/// What is to be done. The order is that of severity: of two that both hold, the later one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It may be done as it is.
    Allow,
    /// It may be done once these kinds of things are masked in what goes out: `email`, `iban`, `secret`, ...
    Redact(Vec<String>),
    /// A person decides.
    Ask,
    /// It may not be done.
    Deny,
}

/// What policies would have said that are only watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The outcome if they were enforced.
    pub outcome: Outcome,
    /// Their names.
    pub policies: Vec<String>,
}
