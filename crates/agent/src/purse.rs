//! [`Purse`]: what the agents that an agent asks may take, within its own limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::id::RunId;
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
    /// Time in which nothing at all happens, in milliseconds, where whoever asks waits less long than the run would itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
}

impl Allowance {
    /// The limits of an agent that may take no more than this.
    #[must_use]
    pub fn within(self, own: Limits) -> Limits {
        Limits {
            tokens: own.tokens.min(self.tokens),
            money: own.money.min(self.money),
            wall_time: own.wall_time.min(Duration::from_millis(self.wall_ms)),
            idle_time: self
                .idle_ms
                .map_or(own.idle_time, |idle| own.idle_time.min(Duration::from_millis(idle))),
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
    /// How often it has asked its model. None in what earlier versions wrote.
    #[serde(default)]
    pub(crate) turns: u32,
}

/// What is left of an agent's limits during one turn, for the agents that it asks. It is counted from what is recorded
/// alone, so a replay counts the same.
pub(crate) struct Purse {
    state: Mutex<State>,
    /// What was taken out of it and out of all its parts, also out of those that nobody settles.
    account: Arc<Mutex<Account>>,
}

struct State {
    tokens: u64,
    money: Money,
    /// How many of the calls of the turn have not begun yet that ask an agent.
    expected: u64,
    /// What was counted before the turn.
    before: Duration,
    /// How long others worked in this part, each counted by itself.
    beside: Duration,
}

/// What is taken out of a purse and all its parts.
#[derive(Default)]
struct Account {
    usage: Usage,
    cost: Money,
    unpriced: u32,
    turns: u64,
    /// Runs that were given up before they said what they had used.
    given_up: Vec<RunId>,
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
    /// How often their models were asked.
    pub(crate) turns: u64,
}

impl Purse {
    /// What `limits` leave beside what was counted, for so many calls that ask an agent.
    pub(crate) fn new(limits: &Limits, tally: &Tally, expected: usize) -> Self {
        let state = State {
            tokens: limits.tokens.saturating_sub(tally.usage.total()),
            money: less(limits.money, tally.cost),
            expected: expected as u64,
            before: Duration::from_millis(tally.beside_ms),
            beside: Duration::ZERO,
        };
        Self { state: Mutex::new(state), account: Arc::default() }
    }

    /// Says that so many more shares will be taken.
    pub(crate) fn expect(&self, shares: usize) {
        let mut state = self.state();
        state.expected = state.expected.saturating_add(shares as u64);
    }

    /// Says that so many shares of those that were expected will not be taken.
    pub(crate) fn expect_less(&self, shares: usize) {
        let mut state = self.state();
        state.expected = state.expected.saturating_sub(shares as u64);
    }

    /// A purse of its own with a [share](Self::take) of this one, until it is [joined](Self::join) again.
    pub(crate) fn part(&self, wall_time: Duration) -> Option<Self> {
        let share = self.take(wall_time)?;
        let state = self.state();
        let before = state.before.saturating_add(state.beside);
        let (tokens, money) = (share.tokens, share.money);
        let state = State { tokens, money, expected: 0, before, beside: Duration::ZERO };
        Some(Self { state: Mutex::new(state), account: Arc::clone(&self.account) })
    }

    /// Puts back what is left of a part. Parts that work at once take the time of the one that takes longest.
    pub(crate) fn join(&self, part: &Self) {
        let (left, at) = {
            let part = part.state();
            ((part.tokens, part.money), part.before.saturating_add(part.beside))
        };
        let mut state = self.state();
        state.tokens = state.tokens.saturating_add(left.0);
        state.money += left.1;
        state.beside = state.beside.max(at.saturating_sub(state.before));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
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
        Some(Allowance { tokens, money, wall_ms, idle_ms: None })
    }

    /// Whether nothing is left to [take](Self::take), beside time.
    pub(crate) fn is_spent(&self) -> bool {
        let state = self.state();
        state.tokens == 0 || state.money.nanos() <= 0
    }

    /// Counts what was used of a share, and puts back the rest.
    pub(crate) fn settle(&self, share: Allowance, used: &Used) {
        let cost = used.cost.unwrap_or(Money::ZERO);
        let mut state = self.state();
        // A call may take more than was left of its share; then others have less.
        state.tokens = state.tokens.saturating_add(share.tokens).saturating_sub(used.usage.total());
        state.money = less(state.money + share.money, cost);
        state.beside = state.beside.saturating_add(Duration::from_millis(used.active_ms));
        drop(state);
        self.count(used);
    }

    /// Counts what was used of a share of which nothing is put back.
    pub(crate) fn count(&self, used: &Used) {
        let mut account = self.account();
        account.usage += used.usage;
        account.cost += used.cost.unwrap_or(Money::ZERO);
        account.unpriced = account.unpriced.saturating_add(u32::from(used.cost.is_none()));
        account.turns = account.turns.saturating_add(used.turns.into());
    }

    /// Notes that a run was given up which holds a share: nothing of it is put back, and what it has used is to be looked up.
    pub(crate) fn give_up(&self, run: RunId) {
        self.account().given_up.push(run);
    }

    /// The runs that were given up and not looked up yet.
    pub(crate) fn given_up(&self) -> Vec<RunId> {
        std::mem::take(&mut self.account().given_up)
    }

    /// Counts time in which the run waits for work elsewhere.
    pub(crate) fn wait(&self, time: Duration) {
        let mut state = self.state();
        state.beside = state.beside.saturating_add(time);
    }

    /// How long the run has worked, where it was active itself for so long. Of others that work at once each counts.
    pub(crate) fn active(&self, itself: Duration) -> Duration {
        let state = self.state();
        itself.saturating_add(state.before).saturating_add(state.beside)
    }

    /// What was taken up to now.
    pub(crate) fn spent(&self) -> Spent {
        let beside = self.state().beside;
        let account = self.account();
        let Account { usage, cost, unpriced, turns, .. } = *account;
        Spent { usage, cost, unpriced, turns, beside }
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
        Used { usage, cost: Some(Money::from_nanos(1)), active_ms: 1, past: Vec::new(), turns: 1 }
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
    fn parts_share_alike_and_take_the_time_of_the_longest() {
        let purse = purse(90, 0);
        purse.expect(3);
        let parts: Vec<_> = (0..3).filter_map(|_| purse.part(LONG)).collect();
        assert!(purse.part(LONG).is_none());
        for (part, seconds) in parts.iter().zip([5, 20, 10]) {
            let share = part.take(LONG).unwrap();
            assert_eq!(share.tokens, 15, "half of a third");
            part.settle(share, &Used { active_ms: seconds * 1_000, ..used(10) });
        }
        parts.iter().for_each(|part| purse.join(part));
        assert_eq!(purse.active(Duration::ZERO), Duration::from_secs(20));
        assert_eq!(purse.spent().usage.total(), 30);
        purse.expect(1);
        assert_eq!(purse.take(LONG).unwrap().tokens, 60);
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
