//! Limits: when a run must stop, whatever its model wants.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// What a run may spend. Every limit is on unless its author changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Model turns.
    pub steps: u32,
    /// Tokens in and out, over all model calls.
    pub tokens: u64,
    /// Money, over all model calls whose price is known.
    pub money: Money,
    /// Time from the start of the run, without the time it waited for people.
    #[serde(with = "text")]
    pub wall_time: Duration,
    /// Time in which nothing at all happened: no token, no progress of a tool, no step.
    #[serde(with = "text")]
    pub idle_time: Duration,
    /// How often the same call may give the same result, alone or in a cycle of two or three calls.
    pub repeats: u32,
    /// Failed tool calls in a row.
    pub errors: u32,
    /// Tool calls of one turn that run at the same time.
    pub parallel: u32,
    /// How often the conversation may be handed over to another agent in one turn.
    #[serde(skip_serializing_if = "is_usual")]
    pub handoffs: u32,
}

/// How often a conversation may be handed over where nothing is said.
const HANDOFFS: u32 = 5;

/// Definitions from before there were handoffs say nothing of them, and keep their digests.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_usual(handoffs: &u32) -> bool {
    *handoffs == HANDOFFS
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 50,
            tokens: 2_000_000,
            money: Money::from_nanos(5_000_000_000),
            wall_time: Duration::from_secs(60 * 60),
            idle_time: Duration::from_secs(5 * 60),
            repeats: 3,
            errors: 5,
            parallel: 8,
            handoffs: HANDOFFS,
        }
    }
}

/// Which limit ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// [`Limits::steps`].
    Steps,
    /// [`Limits::tokens`].
    Tokens,
    /// [`Limits::money`].
    Money,
    /// [`Limits::wall_time`].
    WallTime,
    /// [`Limits::idle_time`].
    IdleTime,
    /// [`Limits::repeats`].
    Repeats,
    /// [`Limits::errors`].
    Errors,
    /// What its author has said of when it has done enough.
    Condition,
}

impl Limit {
    /// The limit in words that follow "the limit of".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens",
            Self::Money => "money",
            Self::WallTime => "wall time",
            Self::IdleTime => "idle time",
            Self::Repeats => "repeated identical calls",
            Self::Errors => "consecutive errors",
            Self::Condition => "its own condition",
        }
    }
}

/// Durations as people write them.
mod text {
    use super::{Deserialize, Duration};
    use crate::time::{format_exact, parse_duration};

    pub(super) fn serialize<S: serde::Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_exact(*duration))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a duration: write it as `90s`, `5m` or `1h 30m`"
            ))
        })
    }
}
