//! [`Purse`]: what the agents that an agent asks may take, within its own limits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::limit::Limits;
use adjutant_core::money::Money;
use adjutant_core::usage::Usage;
use adjutant_policy::facts::Past;
use serde::{Deserialize, Serialize};

use crate::tally::Tally;

/// The most that a run may take of what another one has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Tokens in and out.
    pub tokens: u64,
    /// Money, over all calls whose price is known.
    pub money: Money,
    /// Time from its start, without the time in which it waits for people, in milliseconds.
    pub wall_ms: u64,
}

impl Allowance {
    /// The limits of an agent that may take no more than this.
    #[must_use]
    pub fn within(self, own: Limits) -> Limits {
        Limits {
            tokens: own.tokens.min(self.tokens),
            money: own.money.min(self.money),
            wall_time: own.wall_time.min(Duration::from_millis(self.wall_ms)),
            ..own
        }
    }
}

/// What a run has used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) usage: Usage,
    /// None where the price of any call is not known.
    pub(crate) cost: Option<Money>,
    /// How long it worked, in milliseconds.
    #[serde(default)]
    pub(crate) active_ms: u64,
    /// The calls that it has made, for the policies that ask about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) past: Vec<Past>,
}

/// What is left of an agent's limits during one turn, for the agents that it asks. It is counted from what is recorded
/// alone, so a replay counts the same.
pub(crate) struct Purse(Mutex<State>);

struct State {
    tokens: u64,
    money: Money,
    /// How many of the calls of the turn have not begun yet that ask an agent.
    expected: u64,
    /// What was counted before the turn.
    before: Duration,
    spent: Spent,
}

/// What asked agents took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) usage: Usage,
    pub(crate) cost: Money,
    /// Answers whose cost is not known.
    pub(crate) unpriced: u32,
    /// How long others worked, each counted by itself.
    pub(crate) beside: Duration,
}

impl Purse {
    /// What `limits` leave beside what was counted, for so many calls that ask an agent.
    pub(crate) fn new(limits: &Limits, tally: &Tally, expected: usize) -> Self {
        Self(Mutex::new(State {
            tokens: limits.tokens.saturating_sub(tally.usage.total()),
            money: less(limits.money, tally.cost),
            expected: expected as u64,
            before: Duration::from_millis(tally.beside_ms),
            spent: Spent::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a share: calls of one turn have equal ones, and one that nobody foresaw, as a program makes, has half of
    /// what is left. None where nothing is left.
    pub(crate) fn take(&self, wall_time: Duration) -> Option<Allowance> {
        let mut state = self.state();
        let shares = if state.expected > 0 { state.expected } else { 2 };
        state.expected = state.expected.saturating_sub(1);
        let tokens = state.tokens.div_ceil(shares);
        let nanos = state.money.nanos().div_euclid(i64::try_from(shares).unwrap_or(i64::MAX));
        if tokens == 0 || nanos <= 0 || wall_time.is_zero() {
            return None;
        }
        let money = Money::from_nanos(nanos);
        state.tokens = state.tokens.saturating_sub(tokens);
        state.money = less(state.money, money);
        let wall_ms = u64::try_from(wall_time.as_millis()).unwrap_or(u64::MAX);
        Some(Allowance { tokens, money, wall_ms })
    }

    /// Counts what was used of a share, and puts back the rest.
    pub(crate) fn settle(&self, share: Allowance, used: &Used) {
        let mut state = self.state();
        let cost = used.cost.unwrap_or(Money::ZERO);
        state.tokens = state.tokens.saturating_add(share.tokens.saturating_sub(used.usage.total()));
        state.money += less(share.money, cost);
        state.spent.beside = state.spent.beside.saturating_add(Duration::from_millis(used.active_ms));
        state.spent.usage += used.usage;
        state.spent.cost += cost;
        state.spent.unpriced = state.spent.unpriced.saturating_add(u32::from(used.cost.is_none()));
    }

    /// Counts time in which the run waits for work elsewhere.
    pub(crate) fn wait(&self, time: Duration) {
        let mut state = self.state();
        state.spent.beside = state.spent.beside.saturating_add(time);
    }

    /// How long the run has worked, where it was active itself for so long. Of others that work at once each counts.
    pub(crate) fn active(&self, itself: Duration) -> Duration {
        let state = self.state();
        itself.saturating_add(state.before).saturating_add(state.spent.beside)
    }

    /// What was taken in all.
    pub(crate) fn spent(self) -> Spent {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).spent
    }
}

/// An amount without another; nothing where that is more.
fn less(amount: Money, other: Money) -> Money {
    Money::from_nanos(amount.nanos().saturating_sub(other.nanos()).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn purse(tokens: u64, expected: usize) -> Purse {
        let limits = Limits { tokens, money: Money::from_nanos(1_000), ..Limits::default() };
        Purse::new(&limits, &Tally::default(), expected)
    }

    fn used(tokens: u64) -> Used {
        let usage = Usage { input: tokens, ..Usage::default() };
        Used { usage, cost: Some(Money::from_nanos(1)), active_ms: 1, past: Vec::new() }
    }

    #[test]
    fn shares_never_add_up_to_more_than_there_is() {
        for expected in 0..5 {
            let purse = purse(100, expected);
            let shares = std::iter::from_fn(|| purse.take(LONG)).take(200);
            let sum: u64 = shares.map(|share| share.tokens).sum();
            assert!((90..=100).contains(&sum), "{expected}: {sum}");
        }
    }

    #[test]
    fn calls_of_one_turn_share_alike_and_give_back_what_they_did_not_use() {
        let purse = purse(90, 3);
        let shares: Vec<_> = (0..3).filter_map(|_| purse.take(LONG)).collect();
        assert_eq!(shares.iter().map(|share| share.tokens).collect::<Vec<_>>(), [30, 30, 30]);
        assert!(purse.take(LONG).is_none());
        shares.iter().for_each(|share| purse.settle(*share, &used(10)));
        assert_eq!(purse.take(LONG).unwrap().tokens, 30);
        assert_eq!(purse.spent().usage.total(), 30);
    }
}
