//! What is kept, for whom, and for how long.

use std::time::Duration;

use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_core::{Code, Result};

use super::probe::{
    Outside, admission, asking, echo, ends_with, fails, host, open, same, serve, signal, start, until,
};
use super::{Harness, Instance};
use crate::admission::Admission;
use crate::engine::{Engine, RunState};
use crate::operation::Effects;

const DAY: Duration = Duration::from_secs(86_400);

/// Pruning forgets runs that ended long enough ago, and nothing else.
pub async fn pruning_forgets_ended_runs(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let waiting = start(&*engine, "waiting", Json::null()).await?;
    let old = start(&*engine, "old", Json::null()).await?;
    signal(&*engine, &old, "a", 1).await?;
    ends_with(&*engine, &old, 1).await?;
    until(&*engine, &waiting, RunState::Waiting).await?;
    harness.pass(DAY * 10).await?;
    let young = start(&*engine, "young", Json::null()).await?;
    signal(&*engine, &young, "a", 2).await?;
    ends_with(&*engine, &young, 2).await?;
    same("the runs that went", engine.prune(DAY * 7, "admin").await?, 1)?;
    fails(engine.info(&old).await, Code::NotFound)?;
    fails(engine.history(&old, 0).await, Code::NotFound)?;
    same("the runs that go a second time", engine.prune(DAY * 7, "admin").await?, 0)?;
    signal(&*engine, &waiting, "b", 3).await?;
    ends_with(&*engine, &waiting, 3).await?;
    same("the young run", engine.info(&young).await?.state, RunState::Ended)
}

/// What is kept of one person can be erased, except while it is worked on; others keep theirs.
pub async fn users_can_be_erased(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let working = {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            async move { Json::of(&outside.call(&ctx, "call", Effects::pure(), 1).await?) }
        })
    };
    let instance = serve(harness, working).await?;
    let engine = instance.engine();
    let ada = start_for(&*engine, "ada").await?;
    let ben = start_for(&*engine, "ben").await?;
    outside.until(2).await?;
    fails(engine.erase_user("ada", "admin").await, Code::Conflict)?;
    outside.open();
    ends_with(&*engine, &ada, 1).await?;
    ends_with(&*engine, &ben, 1).await?;
    same("the runs that went", engine.erase_user("ada", "admin").await?, 1)?;
    fails(engine.info(&ada).await, Code::NotFound)?;
    same("the other person", engine.info(&ben).await?.user, Some("ben".to_owned()))?;
    same("the runs of nobody", engine.erase_user("nobody", "admin").await?, 0)
}

async fn start_for(engine: &dyn Engine, user: &str) -> Result<RunId> {
    let admission = admission(engine, user, Json::null()).await?;
    Ok(engine.start(Admission { user: Some(user.to_owned()), ..admission }).await?.run)
}

/// Two tenants, or two projects, know nothing of each other, even where their runs have the same id.
pub async fn scopes_do_not_see_each_other(harness: &impl Harness) -> Result<()> {
    let here = open(harness).await?;
    let mine = start(&*here.engine(), "one", Json::of("mine")?).await?;
    for owner in [Scope::new("acme", "local")?, Scope::new("local", "other")?] {
        let there = harness.open(owner).await?;
        let engine = there.engine();
        fails(engine.info(&mine).await, Code::NotFound)?;
        fails(signal(&*engine, &mine, "a", 1).await, Code::NotFound)?;
        same("the list of runs", engine.runs(10).await?.len(), 0)?;
        there.serve(echo());
        let theirs = start(&*engine, "one", Json::of("theirs")?).await?;
        ends_with(&*engine, &theirs, "theirs").await?;
    }
    same("the state", here.engine().info(&mine).await?.state, RunState::Ready)?;
    here.serve(echo());
    ends_with(&*here.engine(), &mine, "mine").await
}
