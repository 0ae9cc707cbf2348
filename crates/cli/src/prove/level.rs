//! [`Level`]: how much is permitted, as sets that Cedar can decide.

use adjutant::policy::{Outcome, Verdict};
use cedar_policy::{Effect, Policy};
use serde::Serialize;

/// How much is permitted. Each level is within the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// At all: as it is, masked, or once a person has agreed.
    WithApproval,
    /// Without asking anybody, perhaps with parts masked.
    Unattended,
    /// Without asking anybody, as it is.
    AsItIs,
}

impl Level {
    pub(crate) const ALL: [Self; 3] = [Self::WithApproval, Self::Unattended, Self::AsItIs];

    /// Whether a policy is one of the set of this level. Watched policies are of none.
    ///
    /// Who agrees lifts forbids that ask, and a mask lifts forbids that mask; a permit that asks or masks permits only
    /// where that counts as permitted.
    pub(super) fn has(self, policy: &Policy) -> bool {
        let is = |name: &str| policy.annotation(name).is_some();
        let permits = policy.effect() == Effect::Permit;
        match self {
            Self::WithApproval => permits || !(is("ask") || is("redact")),
            Self::Unattended if permits => !is("ask"),
            Self::Unattended => is("ask") || !is("redact"),
            Self::AsItIs => !permits || !(is("ask") || is("redact")),
        }
    }

    /// Whether a verdict permits so much.
    pub(crate) fn is_reached(self, verdict: &Verdict) -> bool {
        match self {
            Self::WithApproval => verdict.outcome != Outcome::Deny,
            Self::Unattended => matches!(verdict.outcome, Outcome::Allow | Outcome::Redact(_)),
            Self::AsItIs => verdict.outcome == Outcome::Allow,
        }
    }

    /// Ends the sentence "it is allowed ..".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::WithApproval => "at all, be it that a person agrees",
            Self::Unattended => "without asking anybody",
            Self::AsItIs => "without masking anything",
        }
    }
}

/// Whether a policy is only watched.
pub(super) fn is_watched(policy: &Policy) -> bool {
    policy.annotation("mode").is_some_and(|mode| mode.trim() == "log_only")
}
