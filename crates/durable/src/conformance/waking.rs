//! Waiting without memory, and waking.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use futures::future::select;

use super::probe::{
    Outside, asking, check, ends_with, eventually, host, outcome, records, same, serve, signal, start, stays,
    until,
};
use super::{Harness, Instance};
use crate::admission::{Admission, Origin};
use crate::engine::{Engine, Host, RunState, Wait};
use crate::mail::{Letter, Mail};
use crate::operation::Effects;
use crate::record::Entry;
use crate::replay::waits;

/// A run that waits for an answer is put aside, and goes on when it comes, in whatever process.
pub async fn signals_wake_runs(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    until(&*engine, &run, RunState::Waiting).await?;
    match waits(&run, &engine.history(&run, 0).await?).as_slice() {
        [Wait::Signal { name, .. }] => same("the name", name.as_str(), "go")?,
        other => return Err(super::probe::broken(&format!("the run waits for {other:?}"))),
    }
    instance.stop().await?;
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    stays(&*engine, &run, RunState::Waiting).await?;
    signal(&*engine, &run, "a", 5).await?;
    ends_with(&*engine, &run, 5).await
}

/// A long timer fires at its time, not earlier, and counts from when it was first set.
pub async fn timers_wake_runs(harness: &impl Harness) -> Result<()> {
    let sleeping = || {
        host(|ctx, _, _| async move {
            ctx.sleep(Duration::from_secs(3_600)).await?;
            Json::of("awake")
        })
    };
    let instance = serve(harness, sleeping()).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    until(&*instance.engine(), &run, RunState::Waiting).await?;
    harness.pass(Duration::from_secs(1_800)).await?;
    stays(&*instance.engine(), &run, RunState::Waiting).await?;
    instance.crash().await?;
    let instance = serve(harness, sleeping()).await?;
    harness.pass(Duration::from_secs(1_801)).await?;
    ends_with(&*instance.engine(), &run, "awake").await
}

/// A child has the id that follows from its parent, knows where it comes from, and wakes its parent when it ends.
pub async fn children_wake_their_parents(harness: &impl Harness) -> Result<()> {
    let family = host(|ctx, admission, _| async move {
        match admission.origin {
            Some(_) => ctx.signal("go", Json::null()).await,
            None => ctx.child("child", &Admission { name: "child".to_owned(), ..admission }).await,
        }
    });
    let instance = serve(harness, family).await?;
    let engine = instance.engine();
    let parent = start(&*engine, "parent", Json::null()).await?;
    until(&*engine, &parent, RunState::Waiting).await?;
    let child = match waits(&parent, &engine.history(&parent, 0).await?).as_slice() {
        [Wait::Child { run, .. }] => run.clone(),
        other => return Err(super::probe::broken(&format!("the parent waits for {other:?}"))),
    };
    let info = until(&*engine, &child, RunState::Waiting).await?;
    match info.origin {
        Some(Origin::Child { parent: of, segment: 0, .. }) => same("the parent", of, parent.clone())?,
        other => return Err(super::probe::broken(&format!("the child comes from {other:?}"))),
    }
    signal(&*engine, &child, "a", 6).await?;
    ends_with(&*engine, &child, 6).await?;
    ends_with(&*engine, &parent, 6).await
}

/// A run that rolls over goes on from what it passed on, in one journal, through a wait and a crash.
pub async fn rolled_over_runs_go_on(harness: &impl Harness) -> Result<()> {
    let rolling = || {
        host(|ctx, _, state| async move {
            let sum: u64 = state.map_or(Ok(0), |state| state.to())?;
            let sum = sum + ctx.signal("go", Json::null()).await?.to::<u64>()?;
            match ctx.segment() {
                2 => Json::of(&sum),
                _ => match ctx.roll_over(Json::of(&sum)?).await? {},
            }
        })
    };
    let instance = serve(harness, rolling()).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    signal(&*instance.engine(), &run, "a", 1).await?;
    signal(&*instance.engine(), &run, "b", 20).await?;
    until(&*instance.engine(), &run, RunState::Waiting).await?;
    instance.crash().await?;
    let instance = serve(harness, rolling()).await?;
    let engine = instance.engine();
    signal(&*engine, &run, "c", 300).await?;
    outcome(&*engine, &run).await?.map(drop)?;
    ends_with(&*engine, &run, 321).await?;
    let rolled = |entry: &Entry| matches!(entry, Entry::RolledOver { .. });
    same("the roll-overs", records(&*engine, &run, |record| rolled(&record.entry)).await?, 2)?;
    let history = engine.history(&run, 0).await?;
    same("the last segment", history.last().map(|record| record.segment), Some(2))
}

/// A segment ends only when what it dropped is known, and nothing of it is taken for something of the next.
pub async fn segments_end_with_nothing_open(harness: &impl Harness) -> Result<()> {
    for effect in [Effect::AtMostOnce, Effect::Idempotent, Effect::Pure] {
        let outside = Outside::shut();
        let instance = serve(harness, racing_segments(effect, &outside)).await?;
        let engine = instance.engine();
        let run = start(&*engine, effect.as_str(), Json::null()).await?;
        outside.until(1).await?;
        signal(&*engine, &run, "a", 1).await?;
        // Time for an answer of the first segment to be taken for one of the second.
        tokio::time::sleep(Duration::from_millis(100)).await;
        outside.open();
        ends_with(&*engine, &run, 2).await?;
        let history = engine.history(&run, 0).await?;
        let place = |of: fn(&Entry) -> bool| history.iter().position(|record| of(&record.entry));
        let late = place(|entry| matches!(entry, Entry::Late { .. }));
        let rolled = place(|entry| matches!(entry, Entry::RolledOver { .. }));
        let known = effect.is_repeatable() || (late.is_some() && late < rolled);
        check(known, || format!("the journal is {history:?}"))?;
        instance.stop().await?;
    }
    Ok(())
}

/// Runs that drop an effect in their first segment, and do one at the same key in the second.
fn racing_segments(effect: Effect, outside: &Outside) -> Arc<dyn Host> {
    let outside = outside.clone();
    host(move |ctx, _, state| {
        let outside = outside.clone();
        async move {
            let answer = u64::from(ctx.segment()) + 1;
            let pay = Box::pin(outside.call(&ctx, "pay", Effects::new(effect), answer));
            if state.is_some() {
                return Json::of(&pay.await?);
            }
            drop(select(pay, pin!(ctx.signal("go", Json::null()))).await);
            match ctx.roll_over(Json::null()).await? {}
        }
    })
}

/// A run that is paused while its segment ends stays where it is, also when its process dies then.
pub async fn pauses_outlast_roll_overs(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let code = || racing_segments(Effect::AtMostOnce, &outside);
    let instance = serve(harness, code()).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    outside.until(1).await?;
    signal(&*engine, &run, "a", 1).await?;
    heard(&*engine, &run, |entry| matches!(entry, Entry::Dropped { .. })).await?;
    engine.send(&run, Mail::new("pause", Letter::Pause { reason: "lunch".to_owned() })).await?;
    heard(&*engine, &run, |entry| matches!(entry, Entry::Received(Letter::Pause { .. }))).await?;
    // What was dropped ends, and what the next segment begins would not.
    outside.allow(1);
    until(&*engine, &run, RunState::Paused).await?;
    instance.crash().await?;
    let instance = serve(harness, code()).await?;
    let engine = instance.engine();
    stays(&*engine, &run, RunState::Paused).await?;
    same("the executions", outside.total(), 1)?;
    outside.open();
    engine.send(&run, Mail::new("resume", Letter::Resume)).await?;
    ends_with(&*engine, &run, 2).await
}

/// Waits until something is recorded.
async fn heard(engine: &dyn Engine, run: &RunId, says: fn(&Entry) -> bool) -> Result<()> {
    eventually("the record", async || {
        let history = engine.history(run, 0).await?;
        Ok((history.iter().any(|record| says(&record.entry)), format!("{history:?}")))
    })
    .await
}

/// A mark added to the code of a run that waits is answered as the run's age demands, and changes nothing before.
pub async fn marks_protect_runs_that_wait(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let code = |marked: bool| {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            async move {
                let early = marked && ctx.version("early").await?;
                outside.call(&ctx, "step", Effects::pure(), 1).await?;
                let begin = Json::of(&ctx.now())?;
                ctx.signal("go", begin).await?;
                let late = marked && ctx.version("late").await?;
                Json::of(&(early, late))
            }
        })
    };
    let instance = serve(harness, code(false)).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    until(&*instance.engine(), &run, RunState::Waiting).await?;
    instance.stop().await?;
    let instance = serve(harness, code(true)).await?;
    let engine = instance.engine();
    signal(&*engine, &run, "a", 1).await?;
    ends_with(&*engine, &run, (false, true)).await?;
    let fresh = start(&*engine, "two", Json::null()).await?;
    signal(&*engine, &fresh, "a", 1).await?;
    ends_with(&*engine, &fresh, (true, true)).await
}
