//! What clients use that ask models themselves: counted in memory, and written down now and then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::money::Money;
use adjutant_core::time::Timestamp;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Amount, Draft, Engine};
use adjutant_store::random;
use serde::{Deserialize, Serialize};

/// The kind of the documents in which usage stands.
const KIND: &str = "usage";
/// The length of a day, in milliseconds.
const DAY: i64 = 86_400_000;
/// How many documents of a day are read at a time.
const PAGE: usize = 500;

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

/// The account of a tenant in this process.
#[derive(Debug, Default)]
pub(crate) struct Account {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The day that is counted, in days since 1970, once what others have counted on it was read.
    day: Option<i64>,
    /// What others have counted on it by then.
    before: Amount,
    /// What was counted here, and what of it is not written yet.
    used: BTreeMap<(i64, String, String), (Used, bool)>,
    /// What is set aside for calls under way.
    aside: Amount,
    /// What tells the documents of this process from those of others.
    process: Option<String>,
}

/// An amount that is set aside for a call.
#[must_use]
#[derive(Debug)]
pub(super) struct Aside(Amount);

impl Account {
    /// Reads what was counted on this day before, once a day.
    pub(super) async fn open(&self, engine: &dyn Engine, now: Timestamp) -> Result<()> {
        let day = now.0.div_euclid(DAY);
        if self.lock().day == Some(day) {
            return Ok(());
        }
        let (mut before, mut after) = (Amount::default(), None::<String>);
        let (prefix, own) = (format!("{}/", named(day)), self.lock().process.clone());
        loop {
            let page = engine.documents(KIND, &prefix, after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|document| document.key.clone());
            for document in page {
                let is_own = own.as_ref().is_some_and(|own| document.key.ends_with(own.as_str()));
                if let (Ok(used), false) = (document.body.to::<Used>(), is_own) {
                    before.tokens = before.tokens.saturating_add(used.tokens.total());
                    before.nanos = before.nanos.saturating_add(used.nanos);
                }
            }
            if is_last {
                break;
            }
        }
        let mut state = self.lock();
        if state.day != Some(day) {
            (state.day, state.before) = (Some(day), before);
            // What is written stays in the store.
            state.used.retain(|(of, ..), (_, is_new)| *of == day || *is_new);
        }
        Ok(())
    }

    /// Sets an amount aside, if the day has room for it. Fails with [`Code::RunBudget`].
    pub(super) fn set_aside(&self, most: Amount, limit: Option<Amount>) -> Result<Aside> {
        let mut state = self.lock();
        if let Some(limit) = limit {
            let taken = state.taken();
            let tokens = taken.tokens.saturating_add(state.aside.tokens).saturating_add(most.tokens);
            let nanos = taken.nanos.saturating_add(state.aside.nanos).saturating_add(most.nanos);
            if tokens > limit.tokens || nanos > limit.nanos {
                return Err(Error::new(
                    Code::RunBudget,
                    "the project's budget for today has no room for this call",
                )
                .with_help("ask again tomorrow (UTC), or raise `[budget]` in `adjutant.toml`"));
            }
        }
        state.aside.tokens = state.aside.tokens.saturating_add(most.tokens);
        state.aside.nanos = state.aside.nanos.saturating_add(most.nanos);
        Ok(Aside(most))
    }

    /// Counts a call, in the place of what was set aside for it. A cost that is not known counts nothing.
    pub(super) fn count(
        &self,
        aside: Aside,
        (who, model): (&str, &str),
        tokens: Usage,
        cost: Option<Money>,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        state.give_back(&aside);
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
    pub(super) fn spare(&self, aside: &Aside) {
        self.lock().give_back(aside);
    }

    /// Writes down what is new.
    pub(super) async fn settle(&self, engine: &dyn Engine) -> Result<()> {
        let (process, new) = {
            let mut state = self.lock();
            let process = match &state.process {
                Some(process) => process.clone(),
                None => state.process.insert(random::run_id()?.to_string()).clone(),
            };
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

impl State {
    fn taken(&self) -> Amount {
        let today = self.used.iter().filter(|((day, ..), _)| Some(*day) == self.day);
        today.fold(self.before, |taken, (_, (used, _))| Amount {
            tokens: taken.tokens.saturating_add(used.tokens.total()),
            nanos: taken.nanos.saturating_add(used.nanos),
        })
    }

    fn give_back(&mut self, aside: &Aside) {
        self.aside.tokens = self.aside.tokens.saturating_sub(aside.0.tokens);
        self.aside.nanos = self.aside.nanos.saturating_sub(aside.0.nanos).max(0);
    }
}

/// What was used, by the documents of all processes, newest day last.
pub(super) async fn used(engine: &dyn Engine, most: usize) -> Result<Vec<Used>> {
    let documents = engine.documents(KIND, "", None, most).await?;
    Ok(documents.iter().filter_map(|document| document.body.to().ok()).collect())
}

/// A day by its date.
fn named(day: i64) -> String {
    let at = jiff::Timestamp::from_second(day.saturating_mul(DAY / 1_000));
    at.map_or_else(|_| day.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(tokens: u64, nanos: i64) -> Amount {
        Amount { tokens, nanos }
    }

    #[test]
    fn what_is_set_aside_and_what_was_taken_leave_no_room() {
        let account = Account::default();
        account.lock().day = Some(0);
        let limit = Some(amount(100, 1_000));
        let first = account.set_aside(amount(60, 10), limit).unwrap();
        assert_eq!(account.set_aside(amount(60, 10), limit).unwrap_err().code(), Code::RunBudget);
        let usage = Usage { input: 10, output: 10, ..Usage::default() };
        account.count(first, ("key", "m"), usage, Some(Money::from_nanos(990)), Timestamp(5));
        let second = account.set_aside(amount(60, 10), limit).unwrap();
        assert_eq!(account.set_aside(amount(1, 1), limit).unwrap_err().code(), Code::RunBudget);
        account.spare(&second);
        assert!(account.set_aside(amount(80, 10), limit).is_ok());
        // Another day has room of its own.
        account.lock().day = Some(1);
        assert!(account.set_aside(amount(10, 10), limit).is_ok());
    }

    #[test]
    fn a_day_has_its_date() {
        assert_eq!((named(0).as_str(), named(20_788).as_str()), ("1970-01-01", "2026-12-01"));
    }
}
