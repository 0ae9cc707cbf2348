//! What is sent to runs.

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Code, Result};

use super::probe::{
    asking, cancel, ends_with, fails, host, open, outcome, records, same, serve, signal, start, stays, until,
};
use super::{Harness, Instance};
use crate::engine::{Engine, RunState};
use crate::mail::{Letter, Mail, Resolution};
use crate::record::Entry;

/// An answer may come before it is waited for, before anybody drives the run, and before a crash.
pub async fn mail_may_come_early(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let run = start(&*instance.engine(), "one", Json::null()).await?;
    signal(&*instance.engine(), &run, "a", 7).await?;
    instance.crash().await?;
    let instance = serve(harness, asking()).await?;
    ends_with(&*instance.engine(), &run, 7).await
}

/// Mail with an id that was there before changes nothing; other mail is taken in the order in which it came.
pub async fn mail_is_taken_once(harness: &impl Harness) -> Result<()> {
    let twice = host(|ctx, _, _| async move {
        let first = ctx.signal("go", Json::null()).await?;
        let second = ctx.signal("go", Json::null()).await?;
        let third = ctx.signal("go", Json::null()).await?;
        Json::of(&[first, second, third])
    });
    let instance = serve(harness, twice).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    signal(&*engine, &run, "a", 1).await?;
    signal(&*engine, &run, "a", 1).await?;
    until(&*engine, &run, RunState::Waiting).await?;
    signal(&*engine, &run, "a", 1).await?;
    stays(&*engine, &run, RunState::Waiting).await?;
    signal(&*engine, &run, "b", 2).await?;
    signal(&*engine, &run, "c", 3).await?;
    ends_with(&*engine, &run, [1, 2, 3]).await
}

/// Messages are read together, oldest first, each once.
pub async fn messages_are_read_in_order(harness: &impl Harness) -> Result<()> {
    let listening = host(|ctx, _, _| async move {
        ctx.signal("go", Json::null()).await?;
        let first = ctx.inbox().await?.messages;
        let second = ctx.inbox().await?.messages;
        Json::of(&(first, second))
    });
    let instance = serve(harness, listening).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    for number in 1..=3 {
        say(&*engine, &run, number).await?;
    }
    signal(&*engine, &run, "go", 0).await?;
    ends_with(&*engine, &run, ([1, 2, 3], [0; 0])).await
}

/// What was said to a run and was not read stands in its journal once the run is over; what was read does not.
pub async fn messages_that_are_not_read_are_recorded(harness: &impl Harness) -> Result<()> {
    let reads_once = host(|ctx, _, _| async move {
        ctx.inbox().await?;
        ctx.signal("go", Json::null()).await
    });
    let instance = open(harness).await?;
    let engine = instance.engine();
    let ended = start(&*engine, "ended", Json::null()).await?;
    let cancelled = start(&*engine, "cancelled", Json::null()).await?;
    for run in [&ended, &cancelled] {
        say(&*engine, run, 1).await?;
    }
    instance.serve(reads_once);
    for run in [&ended, &cancelled] {
        until(&*engine, run, RunState::Waiting).await?;
        say(&*engine, run, 2).await?;
        say(&*engine, run, 3).await?;
    }
    signal(&*engine, &ended, "a", 0).await?;
    cancel(&*engine, &cancelled).await?;
    ends_with(&*engine, &ended, 0).await?;
    fails(outcome(&*engine, &cancelled).await?, Code::RunCancelled)?;
    for run in [&ended, &cancelled] {
        let records = engine.history(run, 0).await?;
        let received = records.into_iter().filter_map(|record| match record.entry {
            Entry::Received(Letter::Message { payload }) => Some(payload.to::<u64>()),
            _ => None,
        });
        same("what was not read", received.collect::<Result<Vec<_>>>()?, vec![2, 3])?;
    }
    Ok(())
}

/// What is said to a run while it ends is recorded, or refused: nobody is told that it was taken and then not heard.
pub async fn messages_at_the_end_are_recorded_or_refused(harness: &impl Harness) -> Result<()> {
    const RUNS: usize = 40;
    let ends_at_once = host(|ctx, _, _| async move { ctx.signal("go", Json::null()).await });
    let instance = serve(harness, ends_at_once).await?;
    let engine = instance.engine();
    for place in 0..RUNS {
        let run = start(&*engine, &format!("run-{place}"), Json::null()).await?;
        until(&*engine, &run, RunState::Waiting).await?;
        signal(&*engine, &run, "a", 0).await?;
        let mut taken = Vec::new();
        for number in 0.. {
            match say(&*engine, &run, number).await {
                Ok(()) => taken.push(number),
                Err(error) if error.code() == Code::Conflict => break,
                Err(error) => return Err(error),
            }
        }
        ends_with(&*engine, &run, 0).await?;
        let records = engine.history(&run, 0).await?;
        let last = records.last().map(|record| matches!(record.entry, Entry::Ended(_)));
        same("the last record is the end", last, Some(true))?;
        let offsets: Vec<u64> = records.iter().map(|record| record.offset).collect();
        same("the offsets", offsets, (0..records.len() as u64).collect())?;
        let received = records.into_iter().filter_map(|record| match record.entry {
            Entry::Received(Letter::Message { payload }) => Some(payload.to::<u64>()),
            _ => None,
        });
        same("what was taken", received.collect::<Result<Vec<_>>>()?, taken)?;
    }
    Ok(())
}

async fn say(engine: &dyn Engine, run: &RunId, number: u64) -> Result<()> {
    let letter = Letter::Message { payload: Json::of(&number)? };
    engine.send(run, Mail::new(format!("message-{number}"), letter)).await.map(drop)
}

/// A cancel ends a run that waits, and one that nobody has driven yet; it is recorded, and heard once.
pub async fn cancels_end_runs(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    let early = start(&*engine, "early", Json::null()).await?;
    cancel(&*engine, &early).await?;
    instance.serve(asking());
    let late = start(&*engine, "late", Json::null()).await?;
    until(&*engine, &late, RunState::Waiting).await?;
    cancel(&*engine, &late).await?;
    for run in [early, late] {
        fails(outcome(&*engine, &run).await?, Code::RunCancelled)?;
        let heard = |entry: &Entry| matches!(entry, Entry::Received(Letter::Cancel { .. }));
        same("the cancels", records(&*engine, &run, |record| heard(&record.entry)).await?, 1)?;
    }
    Ok(())
}

/// A pause holds a run, also when what it waits for comes and when its process dies; a resume lets it go on.
pub async fn paused_runs_stay_until_they_are_resumed(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    until(&*engine, &run, RunState::Waiting).await?;
    engine.send(&run, Mail::new("pause", Letter::Pause { reason: "lunch".to_owned() })).await?;
    until(&*engine, &run, RunState::Paused).await?;
    signal(&*engine, &run, "a", 4).await?;
    stays(&*engine, &run, RunState::Paused).await?;
    instance.crash().await?;
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    stays(&*engine, &run, RunState::Paused).await?;
    engine.send(&run, Mail::new("resume", Letter::Resume)).await?;
    ends_with(&*engine, &run, 4).await
}

/// Mail takes effect in the order in which it came: an answer before a cancel is heard, one after it is not.
pub async fn mail_takes_effect_in_order(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    let answered = start(&*engine, "answered", Json::null()).await?;
    signal(&*engine, &answered, "a", 1).await?;
    cancel(&*engine, &answered).await?;
    let cancelled = start(&*engine, "cancelled", Json::null()).await?;
    cancel(&*engine, &cancelled).await?;
    signal(&*engine, &cancelled, "a", 1).await?;
    instance.serve(asking());
    ends_with(&*engine, &answered, 1).await?;
    fails(outcome(&*engine, &cancelled).await?, Code::RunCancelled)
}

/// Mail about something that the run does not wait for changes nothing.
pub async fn misdirected_mail_changes_nothing(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let run = start(&*engine, "one", Json::null()).await?;
    until(&*engine, &run, RunState::Waiting).await?;
    for (id, key) in [("there", "go#0"), ("not-there", "gone#0")] {
        let (key, outcome) = (StepKey::parse(key), Json::of(&1));
        let resolution = Resolution::Happened(Json::of(&1)?);
        let resolve = Letter::Resolve { key: key.clone(), resolution };
        engine.send(&run, Mail::new(format!("resolve-{id}"), resolve)).await?;
        let child = Letter::ChildEnded { key, segment: 1, outcome };
        engine.send(&run, Mail::new(format!("child-{id}"), child)).await?;
    }
    let other = Letter::Signal { name: "stop".to_owned(), payload: Json::of(&1)? };
    engine.send(&run, Mail::new("other", other)).await?;
    stays(&*engine, &run, RunState::Waiting).await?;
    signal(&*engine, &run, "a", 2).await?;
    ends_with(&*engine, &run, 2).await
}
