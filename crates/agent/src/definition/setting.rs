//! Single limits, as authors set them over the defaults.

use std::time::Duration;

use adjutant_core::limit::Limits;
use adjutant_core::money::Money;
use adjutant_core::{Error, Result};

use super::document::Table;

/// One limit that an author sets; the others stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Sets [`Limits::steps`].
    Steps(u32),
    /// Sets [`Limits::tokens`].
    Tokens(u64),
    /// Sets [`Limits::money`].
    Money(Money),
    /// Sets [`Limits::wall_time`].
    WallTime(Duration),
    /// Sets [`Limits::idle_time`].
    IdleTime(Duration),
    /// Sets [`Limits::repeats`].
    Repeats(u32),
    /// Sets [`Limits::errors`].
    Errors(u32),
    /// Sets [`Limits::parallel`].
    Parallel(u32),
    /// Sets [`Limits::handoffs`].
    Handoffs(u32),
}

impl Setting {
    /// Sets it.
    pub fn apply(self, limits: &mut Limits) {
        match self {
            Self::Steps(steps) => limits.steps = steps,
            Self::Tokens(tokens) => limits.tokens = tokens,
            Self::Money(money) => limits.money = money,
            Self::WallTime(duration) => limits.wall_time = duration,
            Self::IdleTime(duration) => limits.idle_time = duration,
            Self::Repeats(repeats) => limits.repeats = repeats,
            Self::Errors(errors) => limits.errors = errors,
            Self::Parallel(parallel) => limits.parallel = parallel,
            Self::Handoffs(handoffs) => limits.handoffs = handoffs,
        }
    }
}

/// Lets [`Agent::limit`](crate::Agent::limit) take a setting as it takes one that had to be read.
impl From<Setting> for Result<Setting, Error> {
    fn from(setting: Setting) -> Self {
        Ok(setting)
    }
}

/// Reads a table of limits. What is wrong is noted and left out.
pub fn read(table: Table<'_>) -> Vec<Setting> {
    let settings = [
        table.integer("steps", 1..=100_000).map(Setting::Steps),
        table.integer("tokens", 1..=u64::MAX / 2).map(Setting::Tokens),
        table.money("money").map(Setting::Money),
        table.duration("wall_time").map(Setting::WallTime),
        table.duration("idle_time").map(Setting::IdleTime),
        table.integer("repeats", 1..=1_000).map(Setting::Repeats),
        table.integer("errors", 1..=1_000).map(Setting::Errors),
        table.integer("parallel", 1..=256).map(Setting::Parallel),
        table.integer("handoffs", 0..=100).map(Setting::Handoffs),
    ];
    table.finish();
    settings.into_iter().flatten().collect()
}

/// The most model turns.
pub fn steps(most: u32) -> Setting {
    Setting::Steps(most)
}

/// The most tokens in and out.
pub fn tokens(most: u64) -> Setting {
    Setting::Tokens(most)
}

/// The most money, written as `0.50 USD`. Fails with [`Code::InputInvalid`](adjutant_core::Code::InputInvalid); the
/// agent reports it when it is built.
pub fn money(most: &str) -> Result<Setting> {
    most.parse().map(Setting::Money)
}

/// The longest time from the start, without the time in which it waits for people.
pub fn wall_time(longest: Duration) -> Setting {
    Setting::WallTime(longest)
}

/// The longest time in which nothing happens.
pub fn idle_time(longest: Duration) -> Setting {
    Setting::IdleTime(longest)
}

/// How often the same call may give the same result.
pub fn repeats(most: u32) -> Setting {
    Setting::Repeats(most)
}

/// How many tool calls may fail in a row.
pub fn errors(most: u32) -> Setting {
    Setting::Errors(most)
}

/// How many tool calls of one turn run at the same time.
pub fn parallel(most: u32) -> Setting {
    Setting::Parallel(most)
}

/// How often the conversation may be handed over in one turn.
pub fn handoffs(most: u32) -> Setting {
    Setting::Handoffs(most)
}
