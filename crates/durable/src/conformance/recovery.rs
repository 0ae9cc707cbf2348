//! Processes that die, and those that only seem to.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Result};
use futures::FutureExt;
use futures::future::{BoxFuture, Either, join_all, select};

use super::probe::{
    Outside, broken, cancel, check, ends_with, eventually, fails, host, outcome, records, resolve, run_id,
    same, serve, signal, start, until,
};
use super::{Harness, Instance};
use crate::engine::{Engine, Host, RunState, Wait};
use crate::mail::{Letter, Mail, Resolution};
use crate::operation::Effects;
use crate::record::Entry;
use crate::replay::waits;
use crate::work::{Attempt, Done, Finished, Reconciled, Work, work};

/// How many steps the runs here have.
const STEPS: u64 = 8;

fn steps(outside: &Outside) -> Arc<dyn Host> {
    let outside = outside.clone();
    host(move |ctx, _, _| {
        let outside = outside.clone();
        async move {
            let mut sum = 0;
            for step in 0..STEPS {
                sum += outside.call(&ctx, "step", Effects::new(Effect::Idempotent), step).await?;
            }
            Json::of(&sum)
        }
    })
}

/// A run that was told to stop may put things in order, also when its process dies while it does so.
pub async fn cancelled_runs_may_clean_up(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let tidy = outside.clone();
    let tidying = host(move |ctx, _, _| {
        let outside = tidy.clone();
        async move {
            let Err(cancelled) = ctx.signal("go", Json::null()).await else { return Ok(Json::null()) };
            let errand = work(move |attempt| {
                let outside = outside.clone();
                async move {
                    outside.execute(&attempt.idempotency_key).await;
                    Ok(Json::null())
                }
            });
            ctx.clean_up("tidy", Effects::new(Effect::Idempotent), Json::null(), errand).await?;
            // Anything else is refused.
            ctx.sleep(Duration::from_secs(1)).await.and(Err(cancelled))
        }
    });
    let instance = serve(harness, Arc::clone(&tidying)).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    until(&*instance.engine(), &run, RunState::Waiting).await?;
    cancel(&*instance.engine(), &run).await?;
    outside.until(1).await?;
    instance.crash().await?;
    outside.open();
    let instance = serve(harness, tidying).await?;
    fails(outcome(&*instance.engine(), &run).await?, Code::RunCancelled)?;
    same("the executions, all under one key", outside.counts(), vec![2])
}

/// A run whose process dies in the middle of an effect is taken over and ends, each effect done under one key.
pub async fn runs_survive_crashes(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let run = run_id("one");
    for crash in 0..3 {
        let before = outside.total();
        // The first life has every effect held up; later ones get through two more before they die in the next.
        let through = if crash == 0 { 0 } else { 2 };
        outside.allow(before + through);
        let instance = serve(harness, steps(&outside)).await?;
        if crash == 0 {
            start(&*instance.engine(), "one", Json::null()).await?;
        }
        outside.until(before + through + 1).await?;
        instance.crash().await?;
    }
    outside.open();
    let instance = serve(harness, steps(&outside)).await?;
    let engine = instance.engine();
    ends_with(&*engine, &run, STEPS * (STEPS - 1) / 2).await?;
    same("the keys of the effects", outside.counts().len() as u64, STEPS)?;
    let completed = |entry: &Entry| matches!(entry, Entry::Completed { .. });
    same("the answers", records(&*engine, &run, |record| completed(&record.entry)).await? as u64, STEPS)
}

/// With several instances, each run is driven by one at a time: nothing is done twice.
pub async fn runs_are_driven_by_one(harness: &impl Harness) -> Result<()> {
    const RUNS: u32 = 12;
    let outside = Outside::new();
    let one = serve(harness, steps(&outside)).await?;
    let two = serve(harness, steps(&outside)).await?;
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let instance = if number % 2 == 0 { &one } else { &two };
        runs.push(start(&*instance.engine(), &format!("run-{number}"), Json::null()).await?);
    }
    for run in &runs {
        ends_with(&*one.engine(), run, STEPS * (STEPS - 1) / 2).await?;
    }
    same("the executions", u64::from(outside.total()), u64::from(RUNS) * STEPS)
}

/// What a process that was taken for dead still writes is refused: the journal stays that of its successor.
pub async fn stale_activations_are_refused(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let stale = serve(harness, steps(&outside)).await?;
    let run = start(&*stale.engine(), "one", Json::null()).await?;
    outside.until(1).await?;
    stale.lapse().await?;
    let fresh = serve(harness, steps(&outside)).await?;
    outside.until(2).await?;
    outside.open();
    let engine = fresh.engine();
    ends_with(&*engine, &run, STEPS * (STEPS - 1) / 2).await?;
    let mut epochs = Vec::new();
    let mut answered = Vec::new();
    for record in engine.history(&run, 0).await? {
        match record.entry {
            Entry::Activated { epoch } => epochs.push(epoch),
            Entry::Completed { key, .. } => answered.push(key),
            _ => {}
        }
    }
    check(epochs.is_sorted_by(|one, two| one < two) && epochs.len() >= 2, || {
        format!("the epochs are {epochs:?}")
    })?;
    let count = answered.len();
    answered.sort();
    answered.dedup();
    same("the answers, each once", (count as u64, answered.len() as u64), (STEPS, STEPS))
}

/// An effect that may happen once and was cut off waits for a person, who can say each of the three things.
pub async fn unknown_outcomes_wait_for_a_person(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let names = ["happened", "retry", "abort"];
    let instance = serve(harness, once(&outside)).await?;
    for name in names {
        start(&*instance.engine(), name, Json::null()).await?;
    }
    outside.until(3).await?;
    instance.crash().await?;
    let instance = serve(harness, once(&outside)).await?;
    let engine = instance.engine();
    for name in names {
        let run = run_id(name);
        until(&*engine, &run, RunState::Waiting).await?;
        unknown(&*engine, &run).await?;
    }
    same("the executions", outside.total(), 3)?;
    outside.open();
    let happened = Resolution::Happened(Json::of(&100)?);
    for (name, resolution) in names.into_iter().zip([happened, Resolution::Retry, Resolution::Abort]) {
        let run = run_id(name);
        let key = unknown(&*engine, &run).await?;
        resolve(&*engine, &run, &key, resolution).await?;
    }
    ends_with(&*engine, &run_id("happened"), 100).await?;
    ends_with(&*engine, &run_id("retry"), 1).await?;
    fails(outcome(&*engine, &run_id("abort")).await?, Code::RunCancelled)?;
    let mut counts = outside.counts();
    counts.sort_unstable();
    same("the executions of each", counts, vec![1, 1, 2])
}

/// What came of one attempt is said once. A second answer, sent before anybody saw the first take effect, is told so and
/// changes nothing; the next attempt has an answer of its own.
pub async fn attempts_are_answered_once(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let mut instance = serve(harness, once(&outside)).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    let mut answered = Vec::new();
    for attempt in 1..=2 {
        outside.until(attempt).await?;
        instance.crash().await?;
        instance = serve(harness, once(&outside)).await?;
        let engine = instance.engine();
        until(&*engine, &run, RunState::Waiting).await?;
        let (key, record) = match waits(&run, &engine.history(&run, 0).await?).as_slice() {
            [Wait::Unknown { key, attempt: of, record, .. }] if *of == attempt => (key.clone(), *record),
            other => return Err(broken(&format!("the run waits for {other:?}"))),
        };
        for _ in 0..2 {
            let retry = Mail::resolve(record, key.clone(), Resolution::Retry);
            answered.push(engine.send(&run, retry).await?);
        }
    }
    same("which answers counted", answered, vec![true, false, true, false])?;
    outside.until(3).await?;
    outside.open();
    ends_with(&*instance.engine(), &run, 1).await?;
    same("the executions", outside.total(), 3)
}

fn once(outside: &Outside) -> Arc<dyn Host> {
    let outside = outside.clone();
    host(move |ctx, _, _| {
        let outside = outside.clone();
        async move { Json::of(&outside.call(&ctx, "pay", Effects::new(Effect::AtMostOnce), 1).await?) }
    })
}

/// A run does not end before it is known what came of an effect that it dropped.
pub async fn dropped_effects_are_known_before_the_end(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let racing = || {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            async move {
                let pay = pin!(outside.call(&ctx, "pay", Effects::new(Effect::AtMostOnce), 1));
                match select(pay, pin!(ctx.signal("go", Json::null()))).await {
                    Either::Left((paid, _)) => Json::of(&paid?),
                    Either::Right((signal, _)) => signal,
                }
            }
        })
    };
    let instance = serve(harness, racing()).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    outside.until(1).await?;
    signal(&*instance.engine(), &run, "a", 9).await?;
    let dropped = |entry: &Entry| matches!(entry, Entry::Dropped { .. });
    eventually("the drop", async || {
        let drops = records(&*instance.engine(), &run, |record| dropped(&record.entry)).await?;
        Ok((drops == 1, format!("{drops} drops")))
    })
    .await?;
    instance.crash().await?;
    let instance = serve(harness, racing()).await?;
    let engine = instance.engine();
    until(&*engine, &run, RunState::Waiting).await?;
    let key = unknown(&*engine, &run).await?;
    resolve(&*engine, &run, &key, Resolution::Happened(Json::of(&1)?)).await?;
    ends_with(&*engine, &run, 9).await?;
    let late = |entry: &Entry| matches!(entry, Entry::Late { .. });
    same("the late answers", records(&*engine, &run, |record| late(&record.entry)).await?, 1)?;
    same("the executions", outside.total(), 1)
}

/// The step of which a run waits to hear what came of it.
async fn unknown(engine: &dyn Engine, run: &RunId) -> Result<StepKey> {
    match waits(run, &engine.history(run, 0).await?).as_slice() {
        [Wait::Unknown { key, .. }] => Ok(key.clone()),
        other => Err(broken(&format!("the run waits for {other:?}"))),
    }
}

/// An effect that can be looked up is, before anything else is done about it.
pub async fn lookups_settle_what_was_lost(harness: &impl Harness) -> Result<()> {
    let cases = [
        ("happened", Reconciled::Happened(Json::of(&50)?)),
        ("not-happened", Reconciled::NotHappened),
        ("unknown", Reconciled::Unknown),
    ];
    let outside = Outside::shut();
    let looking = || {
        let (outside, cases) = (outside.clone(), cases.clone());
        host(move |ctx, admission, _| {
            let found =
                cases.iter().find(|(name, _)| *name == admission.name).map(|(_, found)| found.clone());
            let errand = Errand { outside: outside.clone(), found: found.unwrap_or(Reconciled::Unknown) };
            async move { ctx.effect("pay", Effects::new(Effect::Reconcile), Json::null(), errand).await }
        })
    };
    let instance = serve(harness, looking()).await?;
    for (name, _) in &cases {
        start(&*instance.engine(), name, Json::null()).await?;
    }
    outside.until(3).await?;
    instance.crash().await?;
    outside.open();
    let instance = serve(harness, looking()).await?;
    let engine = instance.engine();
    ends_with(&*engine, &run_id("happened"), 50).await?;
    ends_with(&*engine, &run_id("not-happened"), 1).await?;
    until(&*engine, &run_id("unknown"), RunState::Waiting).await?;
    let key = unknown(&*engine, &run_id("unknown")).await?;
    resolve(&*engine, &run_id("unknown"), &key, Resolution::Happened(Json::of(&2)?)).await?;
    ends_with(&*engine, &run_id("unknown"), 2).await?;
    same("the executions", outside.total(), 4)
}

/// An effect that the code had taken back when its process died is looked up, and not begun again.
pub async fn dropped_effects_are_not_begun_again(harness: &impl Harness) -> Result<()> {
    const PAYMENTS: u32 = 4;
    const BETWEEN: u64 = 300;
    let outside = Outside::shut();
    let racing = || {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            let errand = move || Errand { outside: outside.clone(), found: Reconciled::NotHappened };
            async move {
                let pay =
                    || ctx.effect("pay", Effects::new(Effect::Reconcile), Json::null(), errand()).boxed();
                let payments = join_all((0..PAYMENTS).map(|_| pay()));
                // Long enough that a replay comes to the end of it after the look-up.
                let others = pin!(async {
                    for _ in 0..BETWEEN {
                        ctx.random().await?;
                    }
                    ctx.signal("go", Json::null()).await
                });
                drop(select(payments, others).await);
                ctx.signal("end", Json::null()).await
            }
        })
    };
    let instance = serve(harness, racing()).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    outside.until(PAYMENTS).await?;
    signal(&*instance.engine(), &run, "a", 9).await?;
    let dropped = |entry: &Entry| matches!(entry, Entry::Dropped { .. });
    eventually("the drop", async || {
        let drops = records(&*instance.engine(), &run, |record| dropped(&record.entry)).await?;
        Ok((drops == PAYMENTS as usize, format!("{drops} drops")))
    })
    .await?;
    instance.crash().await?;
    let instance = serve(harness, racing()).await?;
    let engine = instance.engine();
    let late = |entry: &Entry| matches!(entry, Entry::Late { .. });
    eventually("the end of what was dropped", async || {
        let ends = records(&*engine, &run, |record| late(&record.entry)).await?;
        Ok((ends == PAYMENTS as usize, format!("{ends} ends")))
    })
    .await?;
    let end = Letter::Signal { name: "end".to_owned(), payload: Json::of(&1)? };
    engine.send(&run, Mail::new("end", end)).await?;
    ends_with(&*engine, &run, 1).await?;
    let attempted = |entry: &Entry| matches!(entry, Entry::Attempted { .. });
    same(
        "the intents",
        records(&*engine, &run, |record| attempted(&record.entry)).await?,
        PAYMENTS as usize,
    )?;
    same("the executions", outside.total(), PAYMENTS)
}

struct Errand {
    outside: Outside,
    found: Reconciled,
}

impl Work for Errand {
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let outside = self.outside.clone();
        async move {
            outside.execute(&attempt.idempotency_key).await;
            let done = Json::of(&1).map_or_else(Done::Err, Done::Ok);
            Finished { done, spent: None }
        }
        .boxed()
    }

    fn reconcile(&self, _: Attempt) -> BoxFuture<'static, Reconciled> {
        let found = self.found.clone();
        async move { found }.boxed()
    }
}

/// A run that cannot go on is halted with the reason; with mended code it goes on where it was.
pub async fn halted_runs_go_on_with_mended_code(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let code = |mended: bool| {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            async move {
                let answer = outside.call(&ctx, "pay", Effects::new(Effect::AtMostOnce), 1).await?;
                if !mended {
                    std::future::pending::<()>().await;
                }
                Json::of(&answer)
            }
        })
    };
    let instance = serve(harness, code(false)).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    let info = until(&*instance.engine(), &run, RunState::Halted).await?;
    same("the reason", info.halted.map(|error| error.code()), Some(Code::RunStuck))?;
    instance.stop().await?;
    let instance = serve(harness, code(true)).await?;
    let engine = instance.engine();
    engine.send(&run, Mail::new("resume", Letter::Resume)).await?;
    ends_with(&*engine, &run, 1).await?;
    same("the executions", outside.total(), 1)
}
