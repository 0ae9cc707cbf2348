//! Occurrences of triggers.

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};

use super::probe::{admission, asking, ends_with, fails, open, run_id, same, serve, signal, until};
use super::{Harness, Instance};
use crate::engine::{Engine, RunState};
use crate::trigger::{Fate, Fired, Firing, FiringTerms, Occurrence};

/// The admission of a run at this time on the trigger's schedule.
async fn firing(engine: &dyn Engine, due: i64, since: i64) -> Result<Firing> {
    let name = format!("run-{due}");
    let occurrence = Occurrence {
        trigger: "daily".to_owned(),
        key: due.to_string(),
        due: Timestamp(due),
        at: Timestamp(due),
        fate: Fate::Admitted(run_id(&name)),
    };
    let terms = FiringTerms { since: Some(Timestamp(since)), alone: true };
    Ok(Firing { occurrence, admission: Some(admission(engine, &name, Json::null()).await?), terms })
}

/// An occurrence is recorded with its run, once, whoever comes to it and whatever crashes; and the trigger's place on its schedule with it.
pub async fn occurrences_are_admitted_once(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    same("where it begins", engine.since("daily", "9:00", Timestamp(10)).await?, Timestamp(10))?;
    same("where it is later", engine.since("daily", "9:00", Timestamp(15)).await?, Timestamp(10))?;
    let first = firing(&*engine, 20, 10).await?;
    same("the first", engine.fire(first.clone()).await?, Fired::Recorded)?;
    instance.crash().await?;
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    same("the first again", engine.fire(first.clone()).await?, Fired::Known)?;
    same("where it is now", engine.since("daily", "9:00", Timestamp(30)).await?, Timestamp(20))?;
    until(&*engine, &run_id("run-20"), RunState::Waiting).await?;
    let second = firing(&*engine, 30, 20).await?;
    same("beside the first", engine.fire(second.clone()).await?, Fired::Busy(run_id("run-20")))?;
    fails(engine.info(&run_id("run-30")).await, Code::NotFound)?;
    signal(&*engine, &run_id("run-20"), "a", 1).await?;
    ends_with(&*engine, &run_id("run-20"), 1).await?;
    let late = firing(&*engine, 30, 10).await?;
    same("from an older place", engine.fire(late).await?, Fired::Known)?;
    same("after the first", engine.fire(second.clone()).await?, Fired::Recorded)?;
    let recorded = engine.occurrences(Some("daily"), 10).await?;
    same("what is recorded", recorded, vec![second.occurrence, first.occurrence])?;
    // A clock that was set back a little brings nothing twice; one that was wrong by hours silences nothing.
    same(
        "a little ahead",
        engine.since("nightly", "1:00", Timestamp(9_000_000)).await?,
        Timestamp(9_000_000),
    )?;
    same("set back", engine.since("nightly", "1:00", Timestamp(8_000_000)).await?, Timestamp(9_000_000))?;
    same("far ahead", engine.since("nightly", "1:00", Timestamp(1_000_000)).await?, Timestamp(1_000_000))?;
    same("another schedule", engine.since("daily", "10:00", Timestamp(40)).await?, Timestamp(40))?;
    let other = harness.open(Scope::new("acme", "local")?).await?;
    same("another tenant's", other.engine().occurrences(None, 10).await?, Vec::new())
}
