//! What people allow beforehand, and what runs ask people now.

use std::collections::BTreeMap;

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};

use super::probe::{asking, ends_with, fails, host, open, run_id, same, serve, signal, start, until};
use super::{Harness, Instance};
use crate::engine::{Fork, RunState};
use crate::grant::{Grant, Revoked, Within};
use crate::mail::{Letter, Mail};

fn grant(id: &str, tool: &str) -> Grant {
    Grant {
        id: id.to_owned(),
        within: Within::Project,
        user: None,
        agent: "desk".to_owned(),
        tool: tool.to_owned(),
        pinned: BTreeMap::new(),
        policies: Vec::new(),
        by: "ann".to_owned(),
        at: Timestamp(1),
        until: None,
        run: run_id("one"),
        signal: "go".to_owned(),
        revoked: None,
    }
}

/// A grant is there after a crash, once, for its tool and its project, and can be taken back by the first who does.
pub async fn grants_are_kept_and_taken_back(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    same("the first", engine.grant(grant("a", "pay")).await?, true)?;
    same("the second", engine.grant(grant("b", "send")).await?, true)?;
    same("the first again", engine.grant(Grant { by: "eve".into(), ..grant("a", "pay") }).await?, false)?;
    instance.crash().await?;
    let instance = open(harness).await?;
    let engine = instance.engine();
    same("all", engine.grants(None).await?, vec![grant("b", "send"), grant("a", "pay")])?;
    same("those of one tool", engine.grants(Some("pay")).await?, vec![grant("a", "pay")])?;
    let by = |by: &str| Revoked { by: by.to_owned(), at: Timestamp(2), reason: None };
    let revoked = Grant { revoked: Some(by("bob")), ..grant("a", "pay") };
    same("what is taken back", engine.revoke("a", by("bob")).await?, revoked.clone())?;
    same("what was taken back before", engine.revoke("a", by("eve")).await?, revoked.clone())?;
    same("what is left", engine.grants(Some("pay")).await?, vec![revoked])?;
    fails(engine.revoke("c", by("bob")).await, Code::NotFound)?;
    let other = harness.open(Scope::new("acme", "local")?).await?;
    same("another tenant's", other.engine().grants(None).await?, Vec::new())?;
    fails(other.engine().revoke("b", by("eve")).await, Code::NotFound)
}

/// The signals that runs wait for are listed with what is asked and with answers that nobody has taken, those of
/// forks too; those that are over are not.
pub async fn signals_that_wait_are_listed(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let (one, two) =
        (start(&*engine, "one", Json::null()).await?, start(&*engine, "two", Json::null()).await?);
    until(&*engine, &one, RunState::Waiting).await?;
    until(&*engine, &two, RunState::Waiting).await?;
    let names = |asking: Vec<crate::grant::Asking>| {
        let mut runs: Vec<_> = asking.into_iter().map(|asking| (asking.run, asking.signal)).collect();
        runs.sort();
        runs
    };
    let mut both = vec![(one.clone(), "go".to_owned()), (two.clone(), "go".to_owned())];
    both.sort();
    same("what waits", names(engine.asking("g", None).await?), both)?;
    same("what begins otherwise", engine.asking("x", None).await?.len(), 0)?;
    signal(&*engine, &one, "a", 1).await?;
    ends_with(&*engine, &one, 1).await?;
    same("what is left", names(engine.asking("", None).await?), vec![(two.clone(), "go".to_owned())])?;
    instance.stop().await?;
    let instance = open(harness).await?;
    let engine = instance.engine();
    let letter = Letter::Signal { name: "go".to_owned(), payload: Json::of(&2)? };
    engine.send(&two, Mail::new("signal:go", letter)).await?;
    let asking = engine.asking("go", None).await?;
    same("the answer", asking.first().and_then(|asking| asking.answer.clone()), Some(Json::of(&2)?))?;
    instance.serve(host(|ctx, _, _| async move {
        ctx.signal("go", Json::null()).await?;
        ctx.signal("next", Json::of("why")?).await
    }));
    let fork = Fork {
        by: None,
        of: one.clone(),
        run: run_id("fork"),
        from: adjutant_core::id::StepKey::parse("go#0"),
        segment: None,
        edits: Vec::new(),
    };
    engine.fork(fork).await?;
    until(&*engine, &run_id("fork"), RunState::Waiting).await?;
    until(&*engine, &two, RunState::Waiting).await?;
    let mut left = vec![(run_id("fork"), "go".to_owned()), (two, "next".to_owned())];
    left.sort();
    let asking = engine.asking("", None).await?;
    let asked = asking.iter().find(|asking| asking.signal == "next").map(|asking| asking.request.clone());
    same("what is asked", asked, Some(Json::of("why")?))?;
    same("what waits with the fork", names(asking), left)
}
