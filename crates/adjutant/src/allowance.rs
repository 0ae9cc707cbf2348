//! What is left of a project's budget for the day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use adjutant_agent::{Reply, Summary};
use adjutant_core::id::RunId;
use adjutant_core::money::Money;
use adjutant_core::time::Timestamp;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Amount, Engine, RunInfo};

use crate::project::Budget;

const DAY: i64 = 86_400_000;

/// What the runs that are over have spent. It does not change any more, so it is read once.
#[derive(Default)]
pub(crate) struct Allowance(Mutex<HashMap<RunId, Amount>>);

impl Allowance {
    /// What a run that starts now may spend: what is left of the day (UTC), and no more than `wanted`. None where
    /// nothing bounds it.
    ///
    /// Fails with [`Code::RunBudget`] when nothing is left. Runs that go on at the same time do not know of each other:
    /// each is given what was left when it began.
    pub(crate) async fn grant(
        &self,
        engine: &dyn Engine,
        budget: Budget,
        wanted: Option<Amount>,
        now: Timestamp,
    ) -> Result<Option<Amount>> {
        if budget == Budget::default() {
            return Ok(wanted);
        }
        let spent = self.spent(engine, now).await?;
        let left = left(budget, spent);
        if left.tokens == 0 || left.nanos <= 0 {
            return Err(Error::new(Code::RunBudget, "the project's budget for today is used up")
                .with_help("wait until tomorrow (UTC), or raise `[budget]` in `adjutant.toml`"));
        }
        Ok(Some(wanted.map_or(left, |wanted| smaller(wanted, left))))
    }

    async fn spent(&self, engine: &dyn Engine, now: Timestamp) -> Result<Amount> {
        let midnight = now.0 - now.0.rem_euclid(DAY);
        let mut sum = Amount::default();
        for info in engine.runs(usize::MAX).await?.iter().take_while(|info| info.created.0 >= midnight) {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&info.run).copied();
            let spent = match known {
                Some(spent) => spent,
                None => self.read(engine, info).await?,
            };
            sum = Amount {
                tokens: sum.tokens.saturating_add(spent.tokens),
                nanos: sum.nanos.saturating_add(spent.nanos),
            };
        }
        Ok(sum)
    }

    async fn read(&self, engine: &dyn Engine, info: &RunInfo) -> Result<Amount> {
        let reply = info.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok()?.to::<Reply>().ok());
        let spent = match reply {
            Some(reply) => amount(&reply.usage, reply.cost),
            None => {
                let summary = Summary::of(&engine.history(&info.run, 0).await?)?;
                amount(&summary.usage, summary.cost)
            }
        };
        if info.outcome.is_some() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(info.run.clone(), spent);
        }
        Ok(spent)
    }
}

fn amount(usage: &Usage, cost: Option<Money>) -> Amount {
    Amount { tokens: usage.total(), nanos: cost.unwrap_or(Money::ZERO).nanos() }
}

fn left(budget: Budget, spent: Amount) -> Amount {
    Amount {
        tokens: budget.tokens.map_or(u64::MAX, |tokens| tokens.saturating_sub(spent.tokens)),
        nanos: budget.money.map_or(i64::MAX, |money| money.nanos().saturating_sub(spent.nanos)),
    }
}

fn smaller(a: Amount, b: Amount) -> Amount {
    Amount { tokens: a.tokens.min(b.tokens), nanos: a.nanos.min(b.nanos) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_more_than_there_was() {
        let budget = Budget { money: Some("1 USD".parse().unwrap()), tokens: None };
        let spent = Amount { tokens: 10, nanos: 400_000_000 };
        assert_eq!(left(budget, spent), Amount { tokens: u64::MAX, nanos: 600_000_000 });
        let budget = Budget { money: None, tokens: Some(5) };
        assert_eq!(left(budget, spent), Amount { tokens: 0, nanos: i64::MAX });
    }
}
