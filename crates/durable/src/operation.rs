//! What a run asks for.

use std::fmt;
use std::time::Duration;

use adjutant_core::error::Retry;
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error};
use serde::{Deserialize, Serialize};

/// One thing that a run asks of the outside, as data. What does the work travels beside it (see [`crate::Work`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What kind of thing.
    pub kind: Kind,
    /// What it is called: the last component of its key, and what people see.
    pub name: String,
    /// What goes in. It is part of the operation's identity.
    pub input: Json,
}

/// What kind of thing an operation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A call to the outside: a model, a tool.
    Effect(Effects),
    /// A wait. The deadline is fixed when the operation is recorded.
    Timer {
        /// How long, in milliseconds.
        after_ms: u64,
    },
    /// A wait for somebody to answer; the operation's name is the name to answer to, its input what is asked.
    Signal,
    /// Another run, whose id follows from this run's and the key; the input is its [`crate::Admission`].
    Child,
    /// A reading that answers at once: 16 random bytes.
    Random,
    /// A reading that answers at once: the messages that came for the run since the last reading.
    Inbox,
    /// Marks a change in the sequence of steps: whether this run is new enough to take it.
    Version,
    /// Something for those who watch. It has no answer.
    Emit,
}

impl Kind {
    /// Whether a run that waits only for such operations can be dropped from memory.
    pub fn is_parkable(&self) -> bool {
        matches!(self, Self::Timer { .. } | Self::Signal | Self::Child)
    }

    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Effect(_) => "effect",
            Self::Timer { .. } => "timer",
            Self::Signal => "signal",
            Self::Child => "child",
            Self::Random => "random",
            Self::Inbox => "inbox",
            Self::Version => "version",
            Self::Emit => "emit",
        }
    }
}

/// How an effect behaves and may be treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// What happens if it is done twice.
    pub effect: Effect,
    /// How long one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long one attempt may go without a sign of life (a token, progress), in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// What to do when an attempt fails.
    #[serde(default, skip_serializing_if = "RetryPolicy::is_none")]
    pub retry: RetryPolicy,
    /// The most that the effect may take from the run's shared budget; reserved before it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Amount>,
    /// Whether a failure that time or a person can mend stops the run where it is, to be resumed, instead of being the
    /// effect's answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halts: bool,
}

impl Effects {
    /// An effect of a class, tried once, without a timeout.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            timeout_ms: None,
            idle_ms: None,
            retry: RetryPolicy::default(),
            reserve: None,
            halts: false,
        }
    }

    /// An effect that changes nothing.
    pub fn pure() -> Self {
        Self::new(Effect::Pure)
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Sets how long one attempt may go without a sign of life.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle_ms = Some(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Sets what to do when an attempt fails.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Lets a failure that time or a person can mend stop the run where it is.
    #[must_use]
    pub fn halting(mut self) -> Self {
        self.halts = true;
        self
    }

    /// Whether the run is to stop where it is for this failure.
    pub fn is_halted_by(&self, error: &Error) -> bool {
        let mendable = [
            Code::ModelKeyMissing,
            Code::ModelKeyRefused,
            Code::RunBudget,
            Code::ProgramDiverged,
            Code::InterpreterUnavailable,
        ]
        .contains(&error.code());
        self.halts && (mendable || error.code().retry() == Retry::Later)
    }

    /// Reserves an upper bound from the run's shared budget.
    #[must_use]
    pub fn reserve(mut self, amount: Amount) -> Self {
        self.reserve = Some(amount);
        self
    }
}

/// When to try a failed effect again: only effects that may be repeated, only errors that a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all.
    pub attempts: u32,
    /// The wait before the second attempt, in milliseconds; it doubles with each further one.
    pub first_wait_ms: u64,
}

impl RetryPolicy {
    /// The longest wait between two attempts that the doubling leads to.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// How long to wait after the `attempt`-th attempt failed; none if that was the last.
    pub fn wait_after(&self, attempt: u32) -> Option<Duration> {
        (attempt < self.attempts).then(|| {
            let factor = 1u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
            Duration::from_millis(self.first_wait_ms.saturating_mul(factor)).min(Self::LONGEST_WAIT)
        })
    }
}

impl Default for RetryPolicy {
    /// One attempt.
    fn default() -> Self {
        Self { attempts: 1, first_wait_ms: 0 }
    }
}

/// An amount of what budgets count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Tokens in and out.
    pub tokens: u64,
    /// Billionths of a US dollar (see [`adjutant_core::money::Money::nanos`]).
    pub nanos: i64,
}

/// A part of what a project may take on a day, for calls that are no steps of runs. It counts as taken from when it is given, so a
/// process that dies with one leaves too much counted and never too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The day that it is of, in days since 1970-01-01 (UTC).
    pub day: i64,
    /// How much it is.
    pub amount: Amount,
}

/// What an agent or workflow took of models on one day, for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// The day, in days since 1970-01-01 (UTC).
    pub day: i64,
    /// The agent or workflow: whose run asked the model.
    pub name: String,
    /// For whom; none where it was for nobody in particular, or is forgotten.
    pub user: Option<String>,
    /// How often a model was asked.
    pub calls: u64,
    /// How much it is.
    pub amount: Amount,
}

/// What tells one operation from another at the same key: the first 16 bytes of a hash over all of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationHash(pub [u8; 16]);

impl Operation {
    /// The hash of the operation. Inputs that grow are given as a difference to a hashed predecessor, so this costs
    /// what is new, not what there is.
    pub fn hash(&self) -> OperationHash {
        let effect = match &self.kind {
            Kind::Effect(effects) => effects.effect.as_str(),
            _ => "",
        };
        let after = match self.kind {
            Kind::Timer { after_ms } => after_ms,
            _ => 0,
        };
        let digest = Digest::of_parts(&[
            self.kind.as_str().as_bytes(),
            effect.as_bytes(),
            &after.to_le_bytes(),
            self.name.as_bytes(),
            self.input.as_str().as_bytes(),
        ]);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        OperationHash(bytes)
    }

    /// The operation in one line for people, its input cut to a readable length.
    pub fn summary(&self) -> String {
        const LONGEST: usize = 200;
        let input: String = self.input.as_str().chars().take(LONGEST).collect();
        let cut = if input.len() < self.input.len() { "..." } else { "" };
        format!("{} {} {input}{cut}", self.kind.as_str(), self.name)
    }
}

impl fmt::Display for OperationHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for OperationHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_matters_is_in_the_hash() {
        let timer = |after_ms| Operation {
            kind: Kind::Timer { after_ms },
            name: "sleep".into(),
            input: Json::null(),
        };
        let effect = |effect, input: &str| Operation {
            kind: Kind::Effect(Effects::new(effect)),
            name: "pay".into(),
            input: Json::parse(input).unwrap(),
        };
        assert_ne!(timer(1).hash(), timer(2).hash());
        assert_ne!(effect(Effect::Pure, "1").hash(), effect(Effect::AtMostOnce, "1").hash());
        assert_ne!(effect(Effect::Pure, "1").hash(), effect(Effect::Pure, "2").hash());
        // A later version may try oftener or wait longer without breaking the replay of older runs.
        let patient = Operation {
            kind: Kind::Effect(Effects::pure().timeout(Duration::from_secs(9))),
            ..effect(Effect::Pure, "1")
        };
        assert_eq!(patient.hash(), effect(Effect::Pure, "1").hash());
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let policy = RetryPolicy { attempts: 40, first_wait_ms: 100 };
        assert_eq!(policy.wait_after(1), Some(Duration::from_millis(100)));
        assert_eq!(policy.wait_after(3), Some(Duration::from_millis(400)));
        assert_eq!(policy.wait_after(39), Some(RetryPolicy::LONGEST_WAIT));
        assert_eq!(policy.wait_after(40), None);
    }
}
