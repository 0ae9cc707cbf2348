//! The chain over what was recorded.

use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;

use super::probe::{asking, check, ends_with, host, same, serve, signal, start};
use super::{Harness, Instance};
use crate::chain::{Act, Linked, Source, Verify};
use crate::record::Entry;
use crate::{Effects, work};

/// What is recorded and what is done to the service is linked, for each tenant apart, and stays so when it is erased.
pub async fn chains_are_whole(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    signal(&*engine, &run, "go", 1).await?;
    ends_with(&*engine, &run, 1).await?;
    engine.administer(Act::new("ann", "policies.reloaded", "desk", Timestamp(1))).await?;
    let found = engine.verify(Verify::default()).await?;
    same("what is wrong", found.fault, None)?;
    same("the acts", found.acts, 1)?;
    same("the records", found.records, engine.history(&run, 0).await?.len() as u64)?;
    let other = harness.open(Scope::new("acme", "local")?).await?.engine();
    same("another tenant's", other.verify(Verify::default()).await?.links, 0)?;
    same("what another tenant reads", other.links(None, 9, &[]).await?, Vec::new())?;
    harness.pass(Duration::from_secs(10)).await?;
    same("what goes", engine.prune(Duration::ZERO, "ann").await?, 1)?;
    let pruned = engine.verify(Verify { head: found.head, ..Verify::default() }).await?;
    same("what is wrong then", pruned.fault, None)?;
    same("what is gone", pruned.erased, found.records)?;
    check(pruned.head != found.head, || "that it went is in no link".to_owned())
}

/// Links are read, the newest first, with what people did: who answered to which signal. Of effects, those that are asked for are.
pub async fn links_are_read(harness: &impl Harness) -> Result<()> {
    let program = host(|ctx, _, _| async move {
        for name in ["told", "silent"] {
            let done = work(|_| std::future::ready(Ok(Json::null())));
            ctx.effect(name, Effects::pure(), Json::null(), done).await?;
        }
        ctx.signal("go", Json::null()).await
    });
    let instance = serve(harness, program).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    signal(&*engine, &run, "go", 1).await?;
    ends_with(&*engine, &run, 1).await?;
    let last = engine.links(None, 1, &[]).await?.pop().map_or(0, |link| link.number);
    let (mut told, mut before) = (Vec::new(), None);
    loop {
        let links = engine.links(before, 2, &["told"]).await?;
        let Some(link) = links.last() else { break };
        before = Some(link.number);
        told.extend(links);
    }
    same("how many there are", told.len() as u64, last)?;
    let (mut offsets, mut after) = (Vec::new(), 0);
    loop {
        let recorded = engine.recorded(after, 1).await?;
        let Some(batch) = recorded.first() else { break };
        after = batch.place;
        offsets.extend(batch.first..batch.first + batch.count);
    }
    let records = engine.history(&run, 0).await?;
    same("the order of records", offsets, records.iter().map(|record| record.offset).collect::<Vec<_>>())?;
    same("the last place", (engine.recorded_until().await?, after), (last, last))?;
    let answers = told.iter().flat_map(|link| match &link.what {
        Linked::Records { told, .. } => told.iter().rev().filter_map(|told| told.from.clone()).collect(),
        Linked::Act(_) => Vec::new(),
    });
    let expected = vec![Source::Signal("go".to_owned()), Source::Effect("told".to_owned())];
    same("the answers", answers.collect::<Vec<_>>(), expected)?;
    let first = told.last().map(|link| link.what.clone());
    let is_start = matches!(&first, Some(Linked::Records { told, name, .. }) if name == "one"
        && matches!(told.first().map(|told| &told.record.entry), Some(Entry::Admitted(_))));
    check(is_start, || format!("the first link is {first:?}"))
}
