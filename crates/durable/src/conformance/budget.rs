//! The ledger of what runs may take.

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Result};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::probe::{Outside, admission, fails, host, outcome, run_id, same, serve};
use super::{Harness, Instance};
use crate::admission::Admission;
use crate::ctx::Ctx;
use crate::engine::Engine;
use crate::operation::{Amount, Effects, Spending};
use crate::record::Outcome;
use crate::work::{Attempt, Done, Finished, Work};

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, nanos: 0 }
}

/// Takes something from the budget.
struct Spends {
    outside: Outside,
    spent: Option<Amount>,
}

impl Work for Spends {
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let (outside, spent) = (self.outside.clone(), self.spent);
        async move {
            outside.execute(&attempt.idempotency_key).await;
            Finished { done: Done::Ok(Json::null()), spent }
        }
        .boxed()
    }
}

async fn spend(ctx: &Ctx, outside: &Outside, reserve: u64, spent: Option<u64>) -> Outcome {
    let spending = Spends { outside: outside.clone(), spent: spent.map(tokens) };
    let effects = Effects::new(Effect::Idempotent).reserve(tokens(reserve));
    ctx.effect("spend", effects, Json::null(), spending).await
}

async fn start_with_budget(engine: &dyn Engine) -> Result<()> {
    let admission = admission(engine, "one", Json::null()).await?;
    engine.start(Admission { budget: Some(tokens(100)), ..admission }).await.map(drop)
}

/// What does not fit is not done; what was used, not what was set aside, is charged; the whole where that is not
/// known.
pub async fn budgets_are_upper_bounds(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let spending = {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            async move {
                spend(&ctx, &outside, 100, Some(10)).await?;
                let too_much = spend(&ctx, &outside, 91, Some(1)).await.err();
                spend(&ctx, &outside, 90, Some(30)).await?;
                spend(&ctx, &outside, 60, None).await?;
                let nothing_left = spend(&ctx, &outside, 1, Some(1)).await.err();
                Json::of(&[too_much, nothing_left].map(|error| error.map(|error| error.code())))
            }
        })
    };
    let instance = serve(harness, spending).await?;
    let engine = instance.engine();
    start_with_budget(&*engine).await?;
    let refused = Json::of(&[Code::RunBudget, Code::RunBudget]);
    same("the refusals", outcome(&*engine, &run_id("one")).await?, refused)?;
    same("the executions", outside.total(), 3)
}

/// A child without a budget of its own takes from its parent's.
pub async fn budgets_are_shared_with_children(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let family = {
        let outside = outside.clone();
        host(move |ctx, admission, _| {
            let outside = outside.clone();
            async move {
                if admission.origin.is_some() {
                    return spend(&ctx, &outside, 70, Some(70)).await;
                }
                ctx.child("child", &Admission { budget: None, ..admission.clone() }).await?;
                spend(&ctx, &outside, 20, Some(20)).await?;
                ctx.child("child", &Admission { budget: None, ..admission }).await
            }
        })
    };
    let instance = serve(harness, family).await?;
    let engine = instance.engine();
    start_with_budget(&*engine).await?;
    fails(outcome(&*engine, &run_id("one")).await?, Code::RunBudget)?;
    same("the executions", outside.total(), 2)
}

/// A call whose answer was lost is charged what was set aside for it.
pub async fn lost_calls_are_charged(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let spending = || {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            async move {
                spend(&ctx, &outside, 40, Some(5)).await?;
                // 40 were lost and 5 were used.
                let too_much = spend(&ctx, &outside, 56, Some(56)).await.err();
                spend(&ctx, &outside, 55, Some(55)).await?;
                Json::of(&too_much.map(|error| error.code()))
            }
        })
    };
    let instance = serve(harness, spending()).await?;
    start_with_budget(&*instance.engine()).await?;
    outside.until(1).await?;
    instance.crash().await?;
    outside.open();
    let instance = serve(harness, spending()).await?;
    let ended = outcome(&*instance.engine(), &run_id("one")).await?;
    same("the refusal", ended, Json::of(&Code::RunBudget))
}

/// What runs took is counted by day, name and person, with what was lost, and stays when they are forgotten; for whom it was does not.
pub async fn what_was_taken_outlives_the_runs(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let spending = host(move |ctx, _, _| {
        let outside = outside.clone();
        async move {
            spend(&ctx, &outside, 40, Some(10)).await?;
            spend(&ctx, &outside, 40, None).await
        }
    });
    let instance = serve(harness, spending).await?;
    let engine = instance.engine();
    for (run, user) in [("one", Some("ann")), ("two", Some("ann")), ("three", None)] {
        let admission =
            Admission { user: user.map(Into::into), ..admission(&*engine, run, Json::null()).await? };
        engine.start(Admission { name: "clerk".into(), budget: Some(tokens(100)), ..admission }).await?;
        outcome(&*engine, &run_id(run)).await??;
    }
    let taken = async || -> Result<Vec<_>> {
        let all = engine.spending(i64::MIN, i64::MAX).await?;
        let told = |of: Spending| (of.name, of.user, of.calls, of.amount);
        Ok(all.into_iter().map(told).collect())
    };
    let of = |user: Option<&str>, calls, amount| {
        ("clerk".to_owned(), user.map(str::to_owned), calls, tokens(amount))
    };
    same("what was taken", taken().await?, vec![of(None, 2, 50), of(Some("ann"), 4, 100)])?;
    let day = engine.spending(i64::MIN, i64::MAX).await?.first().map_or(0, |of| of.day);
    same("the day before", engine.spending(day - 2, day - 1).await?, Vec::new())?;
    let other = harness.open(Scope::new("acme", "local")?).await?.engine();
    same("what another tenant took", other.spending(i64::MIN, i64::MAX).await?, Vec::new())?;
    same("what is erased", engine.erase_user("ann", "bob").await?, 2)?;
    same("what was taken by then", taken().await?, vec![of(None, 6, 150)])
}
