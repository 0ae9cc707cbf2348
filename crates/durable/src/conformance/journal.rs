//! Reading what happened.

use adjutant_core::Result;
use adjutant_core::json::Json;
use futures::StreamExt;

use super::probe::{
    Outside, check, echo, ends_with, host, open, outcome, run_id, same, serve, signal, start, until,
};
use super::{Harness, Instance};
use crate::engine::{Engine, Host, Observed, RunState};
use crate::operation::Effects;
use crate::record::{Entry, Record};
use crate::stream::Piece;
use crate::work::work;

/// A journal has every record, in order, from any offset on.
pub async fn histories_are_complete(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, busy()).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    signal(&*engine, &run, "a", 1).await?;
    ends_with(&*engine, &run, 3).await?;
    let history = engine.history(&run, 0).await?;
    let (first, last) =
        (history.first().map(|record| &record.entry), history.last().map(|record| &record.entry));
    check(matches!(first, Some(Entry::Admitted(_))), || format!("the first record is {first:?}"))?;
    check(matches!(last, Some(Entry::Ended(Ok(_)))), || format!("the last record is {last:?}"))?;
    let offsets: Vec<_> = history.iter().map(|record| record.offset).collect();
    same("the offsets", offsets, (0..history.len() as u64).collect())?;
    check(history.is_sorted_by_key(|record| record.at), || "time goes back".to_owned())?;
    same("the count of records", engine.info(&run).await?.records, history.len() as u64)?;
    for from in 0..history.len() {
        let rest: Vec<_> = history.iter().skip(from).cloned().collect();
        same("a part of the history", engine.history(&run, from as u64).await?, rest)?;
    }
    same("what comes after the end", engine.history(&run, history.len() as u64).await?, Vec::new())
}

/// A run with effects at the same time, and a signal.
fn busy() -> std::sync::Arc<dyn Host> {
    let outside = Outside::new();
    host(move |ctx, _, _| {
        let outside = outside.clone();
        async move {
            let (one, two) = (ctx.scope("one"), ctx.scope("two"));
            let (one, two, signal) = futures::join!(
                outside.call(&one, "call", Effects::pure(), 1),
                outside.call(&two, "call", Effects::pure(), 1),
                ctx.signal("go", Json::null()),
            );
            Json::of(&(one? + two? + signal?.to::<u64>()?))
        }
    })
}

/// A watch shows what is recorded and what comes, each once and in order, and ends with the run.
pub async fn watches_miss_nothing(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    let early = tokio::spawn(observe(&*engine, &run, 0));
    instance.serve(busy());
    until(&*engine, &run, RunState::Waiting).await?;
    let middle = tokio::spawn(observe(&*engine, &run, 2));
    signal(&*engine, &run, "a", 1).await?;
    outcome(&*engine, &run).await?.map(drop)?;
    let history = engine.history(&run, 0).await?;
    let late = observe(&*engine, &run, 1).await?;
    for (seen, from) in [(early.await, 0), (middle.await, 2), (Ok(Ok(late)), 1)] {
        let seen = seen.map_err(|error| super::probe::broken(&error.to_string()))??;
        let records = seen.into_iter().filter_map(|observed| match observed {
            Observed::Record(record) => Some(*record),
            Observed::Delta(_) | Observed::State(_) => None,
        });
        same(
            "what was seen",
            records.collect::<Vec<Record>>(),
            history.iter().skip(from).cloned().collect(),
        )?;
    }
    Ok(())
}

/// A watcher sees what a step says while it works, also one that comes while it does.
pub async fn watches_show_tokens(harness: &impl Harness) -> Result<()> {
    let outside = Outside::shut();
    let talking = {
        let outside = outside.clone();
        host(move |ctx, _, _| {
            let outside = outside.clone();
            let errand = work(move |attempt| {
                let outside = outside.clone();
                async move {
                    attempt.sink.push(Piece::Text("hel".to_owned()));
                    outside.execute(&attempt.idempotency_key).await;
                    attempt.sink.push(Piece::Text("lo".to_owned()));
                    // Deltas are forgotten when their step ends; the watcher is to see this one before.
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                    Json::of("hello")
                }
            });
            async move { ctx.effect("talk", Effects::pure(), Json::null(), errand).await }
        })
    };
    let instance = serve(harness, talking).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    outside.until(1).await?;
    let watch = tokio::spawn(observe(&*engine, &run, 0));
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    outside.open();
    let seen = watch.await.map_err(|error| super::probe::broken(&error.to_string()))??;
    let texts = seen.into_iter().filter_map(|observed| match observed {
        Observed::Delta(delta) => match delta.piece {
            Piece::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    });
    same("what was said", texts.collect::<String>(), "hello".to_owned())?;
    ends_with(&*engine, &run, "hello").await
}

fn observe(
    engine: &dyn Engine,
    run: &adjutant_core::id::RunId,
    from: u64,
) -> impl Future<Output = Result<Vec<Observed>>> + Send + use<> {
    let watch = engine.watch(run, from);
    async move { watch.collect::<Vec<_>>().await.into_iter().collect() }
}

/// Runs are listed, the newest first, as many as are asked for.
pub async fn runs_are_listed(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, echo()).await?;
    let engine = instance.engine();
    let names = ["one", "two", "three"];
    for name in names {
        let run = start(&*engine, name, Json::of(name)?).await?;
        ends_with(&*engine, &run, name).await?;
        harness.pass(std::time::Duration::from_millis(5)).await?;
    }
    let listed = engine.runs(2).await?.into_iter().map(|info| info.run).collect();
    same("the list", listed, vec![run_id("three"), run_id("two")])?;
    same("the whole list", engine.runs(10).await?.len(), names.len())
}

/// Runs that are not over are counted by how they stand.
pub async fn runs_are_counted(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    for name in ["one", "two"] {
        start(&*engine, name, Json::of(name)?).await?;
    }
    let counted = |state, tally: &[(RunState, u64)]| {
        tally.iter().filter(|(counted, _)| *counted == state).map(|(_, runs)| runs).sum::<u64>()
    };
    let tally = engine.tally().await?;
    same("those that can go on", counted(RunState::Ready, &tally), 2)?;
    same("all", tally.iter().map(|(_, runs)| runs).sum::<u64>(), 2)?;
    let serving = serve(harness, echo()).await?;
    for name in ["one", "two"] {
        ends_with(&*serving.engine(), &run_id(name), name).await?;
    }
    same("those that are over", engine.tally().await?.iter().map(|(_, runs)| runs).sum::<u64>(), 0)
}
