//! What clients use that ask models themselves: counted in memory, and written down now and then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::money::Money;
use adjutant_core::time::Timestamp;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Advance, Amount, Draft, Engine};
use adjutant_store::random;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The kind of the documents in which usage stands.
const KIND: &str = "usage";
/// The length of a day, in milliseconds.
const DAY: i64 = 86_400_000;

/// What was used of one model by one asker on one day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Used {
    /// The day, as `2026-12-01` (UTC).
    pub day: String,
    /// What the asker is counted by.
    pub who: String,
    /// The model's id.
    pub model: String,
    /// How many calls.
    pub calls: u64,
    /// The tokens.
    pub tokens: Usage,
    /// What they cost, as far as their price is known, in billionths of a dollar.
    pub nanos: i64,
    /// How many calls have no known price.
    pub unpriced: u64,
}

/// How many documents are read at a time.
const PAGE: usize = 1_000;
/// How many calls of the size of one that is asked for are taken from the day at a time.
const AHEAD: u64 = 64;
/// The share of the day's budget that a process takes at a time at most: what one that dies can leave counted too much.
const SHARE: u64 = 100;

/// The account of a tenant in this process: what it has taken from the day ahead of calls, and what calls have used.
///
/// The day's budget stands in the store and is everybody's: that of runs, and of other processes. Calls are too many to ask the store
/// for each, so a part of the day is taken in advance and given out here. What is not used is given back; a process that dies leaves
/// it counted as taken.
#[derive(Debug, Default)]
pub(crate) struct Account {
    state: Mutex<State>,
    /// Held by whoever asks the store for more.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// What is left of what was taken from the day.
    left: Option<Advance>,
    /// Whether any of it was given out since it was last looked at.
    is_used: bool,
    /// What is left of earlier days, and what calls took beyond what was set aside for them, by day.
    open: BTreeMap<i64, (Amount, Amount)>,
    /// What was used, and whether it is not written yet.
    used: BTreeMap<(i64, String, String), (Used, bool)>,
    /// What tells the documents of this process from those of others.
    process: Option<String>,
}

/// An amount that is set aside for a call.
#[must_use]
#[derive(Debug)]
pub(super) struct Aside(Advance);

/// What was set aside for somebody who may have gone away: it goes back unless they take it.
struct Unclaimed {
    account: Arc<Account>,
    aside: Option<Aside>,
}

impl Unclaimed {
    fn keep(mut self) -> Aside {
        self.aside.take().unwrap_or(Aside(Advance { day: 0, amount: Amount::default() }))
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(aside) = self.aside.take() {
            self.account.spare(aside);
        }
    }
}

impl Used {
    /// Adds what another process has counted of the same.
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.tokens += other.tokens;
        self.nanos = self.nanos.saturating_add(other.nanos);
        self.unpriced += other.unpriced;
    }
}

impl Account {
    /// Sets an amount aside, if the day has room for it. Fails with [`Code::RunBudget`](adjutant_core::Code::RunBudget).
    pub(super) async fn set_aside(
        self: &Arc<Self>,
        engine: &Arc<dyn Engine>,
        most: Amount,
        limit: Option<Amount>,
        now: Timestamp,
    ) -> Result<Aside> {
        let day = now.0.div_euclid(DAY);
        if let Some(aside) = self.lock().give(day, most) {
            return Ok(aside);
        }
        let (account, engine) = (Arc::clone(self), Arc::clone(engine));
        // In a task of its own: what the store gives is somebody's also where whoever asked for it has gone away meanwhile.
        let asked = tokio::spawn(async move { account.ask(engine.as_ref(), most, limit, day).await });
        match asked.await {
            Ok(Ok(aside)) => Ok(aside.keep()),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(Error::new(Code::Internal, "what was set aside is lost").caused_by(&error)),
        }
    }

    /// Takes more from the day, and sets an amount of it aside.
    async fn ask(
        self: Arc<Self>,
        engine: &dyn Engine,
        most: Amount,
        limit: Option<Amount>,
        day: i64,
    ) -> Result<Unclaimed> {
        let _asking = self.asking.lock().await;
        // Somebody else may have asked for more meanwhile.
        if let Some(aside) = self.lock().give(day, most) {
            return Ok(Unclaimed { account: Arc::clone(&self), aside: Some(aside) });
        }
        let advance = engine.advance(most, ahead(most, limit)).await?;
        let rest = Amount {
            tokens: advance.amount.tokens.saturating_sub(most.tokens),
            nanos: advance.amount.nanos.saturating_sub(most.nanos),
        };
        let mut state = self.lock();
        state.take_back(Advance { amount: rest, ..advance });
        state.is_used = true;
        drop(state);
        let aside = Some(Aside(Advance { amount: most, ..advance }));
        Ok(Unclaimed { account: Arc::clone(&self), aside })
    }

    /// Counts a call, in the place of what was set aside for it. A cost that is not known counts nothing.
    pub(super) fn count(
        &self,
        Aside(aside): Aside,
        (who, model): (&str, &str),
        tokens: Usage,
        cost: Option<Money>,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        state.charge(aside, Amount { tokens: tokens.total(), nanos: cost.map_or(0, Money::nanos) });
        let day = now.0.div_euclid(DAY);
        let entry = state.used.entry((day, who.to_owned(), model.to_owned())).or_insert_with(|| {
            let (who, model) = (who.to_owned(), model.to_owned());
            (Used { day: named(day), who, model, ..Used::default() }, true)
        });
        let (used, is_new) = entry;
        used.calls += 1;
        used.tokens += tokens;
        match cost {
            Some(cost) => used.nanos = used.nanos.saturating_add(cost.nanos()),
            None => used.unpriced += 1,
        }
        *is_new = true;
    }

    /// Gives back what was set aside for a call that took nothing.
    pub(super) fn spare(&self, Aside(aside): Aside) {
        self.lock().take_back(aside);
    }

    /// Writes down what is new, and gives back what nobody needed since the last time; with `everything` all that is left.
    pub(super) async fn settle(&self, engine: &dyn Engine, everything: bool) -> Result<()> {
        let open = self.lock().close(everything);
        let mut open = open.into_iter();
        while let Some((day, (rest, beyond))) = open.next() {
            if let Err(error) = engine.settle(Advance { day, amount: rest }, beyond).await {
                let mut state = self.lock();
                state.open.insert(day, (rest, beyond));
                state.open.extend(open);
                return Err(error);
            }
        }
        self.write(engine).await
    }

    /// Writes down what was used since the last time.
    async fn write(&self, engine: &dyn Engine) -> Result<()> {
        let (process, new) = {
            let mut state = self.lock();
            let process = match &state.process {
                Some(process) => process.clone(),
                None => state.process.insert(random::run_id()?.to_string()).clone(),
            };
            let latest = state.used.keys().map(|(day, ..)| *day).max();
            // What is written of days that are over stays in the store.
            state.used.retain(|(day, ..), (_, is_new)| *is_new || Some(*day) == latest);
            let new = state.used.iter_mut().filter(|(_, (_, is_new))| *is_new);
            let new: Vec<_> = new
                .map(|(key, (used, is_new))| {
                    *is_new = false;
                    (key.clone(), used.clone())
                })
                .collect();
            (process, new)
        };
        for (key, used) in new {
            let what = Digest::of_parts(&[used.who.as_bytes(), used.model.as_bytes()]);
            let name = format!("{}/{}/{process}", used.day, what.short());
            let written = match Json::of(&used) {
                Ok(body) => engine.put_document(Draft::new(KIND, name, body)).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                if let Some((_, is_new)) = self.lock().used.get_mut(&key) {
                    *is_new = true;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much to ask the day for where a call may take so much.
fn ahead(most: Amount, limit: Option<Amount>) -> Amount {
    let times = i64::try_from(AHEAD).unwrap_or(i64::MAX);
    let wanted =
        Amount { tokens: most.tokens.saturating_mul(AHEAD), nanos: most.nanos.saturating_mul(times) };
    let share = i64::try_from(SHARE).unwrap_or(i64::MAX);
    let bound = limit.map_or(wanted, |limit| Amount {
        tokens: wanted.tokens.min(limit.tokens / SHARE),
        nanos: wanted.nanos.min(limit.nanos / share),
    });
    Amount { tokens: bound.tokens.max(most.tokens), nanos: bound.nanos.max(most.nanos) }
}

impl State {
    /// Gives out of what is left of the day. None where that is less.
    fn give(&mut self, day: i64, most: Amount) -> Option<Aside> {
        let left = self.left.as_mut().filter(|left| left.day == day)?;
        if left.amount.tokens < most.tokens || left.amount.nanos < most.nanos {
            return None;
        }
        left.amount.tokens -= most.tokens;
        left.amount.nanos -= most.nanos;
        self.is_used = true;
        Some(Aside(Advance { day, amount: most }))
    }

    /// Takes a rest back. What is of another day than what is left waits to be given back.
    fn take_back(&mut self, rest: Advance) {
        match &mut self.left {
            Some(left) if left.day == rest.day => add(&mut left.amount, rest.amount),
            Some(left) if left.day < rest.day => {
                let over = std::mem::replace(left, rest);
                add(&mut self.open.entry(over.day).or_default().0, over.amount);
            }
            Some(_) => add(&mut self.open.entry(rest.day).or_default().0, rest.amount),
            None => self.left = Some(rest),
        }
    }

    /// Replaces what was set aside by what was taken.
    fn charge(&mut self, aside: Advance, taken: Amount) {
        let minus = |more: Amount, less: Amount| Amount {
            tokens: more.tokens.saturating_sub(less.tokens),
            nanos: more.nanos.saturating_sub(less.nanos).max(0),
        };
        let beyond = minus(taken, aside.amount);
        if beyond != Amount::default() {
            add(&mut self.open.entry(aside.day).or_default().1, beyond);
        }
        self.take_back(Advance { amount: minus(aside.amount, taken), ..aside });
    }

    /// What is to be given back and to be counted beside.
    fn close(&mut self, everything: bool) -> BTreeMap<i64, (Amount, Amount)> {
        if (everything || !self.is_used)
            && let Some(left) = self.left.take()
        {
            add(&mut self.open.entry(left.day).or_default().0, left.amount);
        }
        self.is_used = false;
        let mut open = std::mem::take(&mut self.open);
        open.retain(|_, pair| *pair != Default::default());
        open
    }
}

fn add(to: &mut Amount, more: Amount) {
    to.tokens = to.tokens.saturating_add(more.tokens);
    to.nanos = to.nanos.saturating_add(more.nanos);
}

/// What was used, by the documents of all processes, newest day last. Their keys begin with the day.
pub(super) async fn used(engine: &dyn Engine, from: Option<Date>, until: Option<Date>) -> Result<Vec<Used>> {
    let [mut after, until] = [from, until].map(|day| day.map(|day| day.to_string()));
    let mut all: Vec<Used> = Vec::new();
    loop {
        let page = engine.documents(KIND, "", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.key.clone());
        for document in &page {
            let used: Used = document.body.to()?;
            if until.as_ref().is_some_and(|until| used.day > *until) {
                return Ok(all);
            }
            all.push(used);
        }
    }
}

/// A day by its date.
pub(crate) fn named(day: i64) -> String {
    let at = jiff::Timestamp::from_second(day.saturating_mul(DAY / 1_000));
    at.map_or_else(|_| day.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::Scope;
    use adjutant_core::time::Clock;
    use adjutant_store::{Daily, Store, SystemClock};

    use super::*;

    fn amount(tokens: u64, nanos: i64) -> Amount {
        Amount { tokens, nanos }
    }

    #[tokio::test]
    async fn the_day_is_shared_by_processes_and_what_is_left_is_given_back() {
        let store = Store::in_memory().unwrap();
        let (daily, limit) = (Daily::default(), Some(amount(100, 1_000)));
        daily.set(limit);
        let engine = store.engine_within(Scope::default(), daily);
        let (here, there) = (Arc::new(Account::default()), Arc::new(Account::default()));
        let now = SystemClock.now();
        let first = here.set_aside(&engine, amount(60, 10), limit, now).await.unwrap();
        let refused = there.set_aside(&engine, amount(60, 10), limit, now).await.unwrap_err();
        assert_eq!(refused.code(), Code::RunBudget);
        let usage = Usage { input: 10, output: 10, ..Usage::default() };
        here.count(first, ("key", "m"), usage, Some(Money::from_nanos(990)), now);
        here.settle(&*engine, true).await.unwrap();
        // 20 tokens and 990 billionths were taken.
        assert!(there.set_aside(&engine, amount(81, 1), limit, now).await.is_err());
        let second = there.set_aside(&engine, amount(80, 10), limit, now).await.unwrap();
        there.spare(second);
        there.settle(&*engine, false).await.unwrap();
        assert!(
            here.set_aside(&engine, amount(80, 10), limit, now).await.is_err(),
            "it was used a moment ago"
        );
        there.settle(&*engine, false).await.unwrap();
        assert!(here.set_aside(&engine, amount(80, 10), limit, now).await.is_ok());
        let used = used(&*engine, None, None).await.unwrap();
        assert_eq!((used[0].calls, used[0].tokens.total(), used[0].nanos), (1, 20, 990));
    }

    #[tokio::test]
    async fn who_goes_away_while_the_store_answers_takes_nothing_along() {
        let store = Store::in_memory().unwrap();
        let (daily, limit) = (Daily::default(), Some(amount(10_000, 10_000)));
        daily.set(limit);
        let engine = store.engine_within(Scope::default(), daily);
        let (account, now) = (Arc::new(Account::default()), SystemClock.now());
        for patience in 0..200 {
            let asks = account.set_aside(&engine, amount(100, 100), limit, now);
            let waited = tokio::time::timeout(std::time::Duration::from_micros(patience), asks).await;
            if let Ok(aside) = waited {
                account.spare(aside.unwrap());
            }
            account.settle(&*engine, true).await.unwrap();
        }
        while account.asking.try_lock().is_err() {
            tokio::task::yield_now().await;
        }
        account.settle(&*engine, true).await.unwrap();
        let left = engine.advance(Amount::default(), amount(10_000, 10_000)).await.unwrap().amount;
        assert_eq!(left, amount(10_000, 10_000));
    }

    proptest::proptest! {
        /// Whatever calls take, what the store counts in the end is what they took.
        #[test]
        fn nothing_is_lost_between_here_and_the_store(calls in proptest::collection::vec((0u64..50, 0i64..50, 0u64..80, 0i64..80, proptest::bool::ANY), 0..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let store = Store::in_memory().unwrap();
                let (daily, limit) = (Daily::default(), Some(amount(10_000, 10_000)));
                daily.set(limit);
                let engine = store.engine_within(Scope::default(), daily);
                let (account, now) = (Arc::new(Account::default()), SystemClock.now());
                let mut taken = Amount::default();
                for (tokens, nanos, used, cost, settles) in calls {
                    let aside = account.set_aside(&engine, amount(tokens, nanos), limit, now).await.unwrap();
                    let usage = Usage { input: used, ..Usage::default() };
                    account.count(aside, ("k", "m"), usage, Some(Money::from_nanos(cost)), now);
                    add(&mut taken, amount(used, cost));
                    if settles {
                        account.settle(&*engine, false).await.unwrap();
                    }
                }
                account.settle(&*engine, true).await.unwrap();
                let left = engine.advance(Amount::default(), amount(10_000, 10_000)).await.unwrap().amount;
                assert_eq!(left, amount(10_000 - taken.tokens, 10_000 - taken.nanos));
            });
        }
    }

    #[test]
    fn a_day_has_its_date() {
        assert_eq!((named(0).as_str(), named(20_788).as_str()), ("1970-01-01", "2026-12-01"));
    }
}
