//! Starting runs, and what they are started with.

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::{Code, Result};

use super::probe::{admission, check, echo, ends_with, fails, open, run_id, same, serve, signal, start};
use super::{Harness, Instance};
use crate::admission::Admission;
use crate::engine::RunState;
use crate::record::Entry;

/// Starting the same id twice starts one run, with what it was first given.
pub async fn starts_are_idempotent(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    let first = admission(&*engine, "one", Json::of(&1)?).await?;
    let second = Admission { input: Json::of(&2)?, ..first.clone() };
    check(engine.start(first.clone()).await?.new, || "the first start is not new".to_owned())?;
    check(!engine.start(first.clone()).await?.new, || "the second start is new".to_owned())?;
    check(!engine.start(second).await?.new, || "a start with another input is new".to_owned())?;
    let history = engine.history(&first.run, 0).await?;
    same(
        "the journal",
        history.into_iter().map(|record| record.entry).collect(),
        vec![Entry::Admitted(Box::new(first.clone()))],
    )?;
    instance.serve(echo());
    ends_with(&*engine, &first.run, 1).await
}

/// When a start returns, the run is on disk, whatever happens next.
pub async fn starts_are_recorded_before_they_are_acknowledged(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let run = start(&*instance.engine(), "one", Json::of(&1)?).await?;
    instance.crash().await?;
    let instance = open(harness).await?;
    let engine = instance.engine();
    same("the state", engine.info(&run).await?.state, RunState::Ready)?;
    instance.serve(echo());
    ends_with(&*engine, &run, 1).await
}

/// A run that was never started is not found, by anything.
pub async fn unknown_runs_are_not_found(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, echo()).await?;
    let engine = instance.engine();
    let run = run_id("nobody");
    fails(engine.info(&run).await, Code::NotFound)?;
    fails(engine.history(&run, 0).await, Code::NotFound)?;
    fails(signal(&*engine, &run, "a", 1).await, Code::NotFound)
}

/// A definition is kept under its content's hash.
pub async fn definitions_are_kept(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let definition = Json::parse(r#"{"model":"main","tools":["files"]}"#)?;
    let digest = instance.engine().put_definition(definition.clone()).await?;
    same("the second digest", instance.engine().put_definition(definition.clone()).await?, digest)?;
    instance.crash().await?;
    let instance = open(harness).await?;
    same("the definition", instance.engine().definition(digest).await?, definition)?;
    fails(instance.engine().definition(Digest::of(b"nothing")).await, Code::RunDefinitionMissing)
}
