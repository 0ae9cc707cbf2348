//! Turns of one conversation.

use adjutant_core::id::SessionId;
use adjutant_core::json::Json;
use adjutant_core::{Code, Result};

use super::probe::{admission, asking, ends_with, run_id, same, serve, signal, stays, until};
use super::{Harness, Instance};
use crate::admission::Admission;
use crate::busy::{WhenBusy, seen_turns};
use crate::engine::{RunInfo, RunState};

/// Turns of one session run one after the other, in the order in which they were started; other runs do not wait.
pub async fn turns_run_one_after_the_other(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let session = SessionId::from_bytes([3; 10]);
    let names = ["first", "second", "third"];
    for name in names {
        let admission = admission(&*engine, name, Json::null()).await?;
        engine.start(Admission { session: Some(session.clone()), ..admission }).await?;
    }
    let other = super::probe::start(&*engine, "other", Json::null()).await?;
    until(&*engine, &other, RunState::Waiting).await?;
    for (index, name) in names.into_iter().enumerate() {
        until(&*engine, &run_id(name), RunState::Waiting).await?;
        for later in names.into_iter().skip(index + 1) {
            stays(&*engine, &run_id(later), RunState::Ready).await?;
        }
        signal(&*engine, &run_id(name), "a", index).await?;
        ends_with(&*engine, &run_id(name), index).await?;
    }
    let turns = engine.turns(&session).await?.into_iter().map(|info| info.run).collect();
    same("the turns", turns, names.map(run_id).to_vec())
}

/// Who speaks into a conversation that is at work waits, is refused, or ends what it is at, as it wants; and whatever is said at once, one
/// order of it stands.
pub async fn conversations_make_way(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, asking()).await?;
    let engine = instance.engine();
    let session = SessionId::from_bytes([4; 10]);
    let say = async |name: &str, when_busy| {
        let admission = admission(&*engine, name, Json::null()).await?;
        engine.start(Admission { session: Some(session.clone()), when_busy, ..admission }).await
    };
    let is_cancelled = async |name: &str| {
        until(&*engine, &run_id(name), RunState::Ended).await?;
        let outcome = engine.info(&run_id(name)).await?.outcome;
        same(
            "how it ended",
            outcome.and_then(Result::err).map(|error| error.code()),
            Some(Code::RunCancelled),
        )
    };
    // In one that is at rest, all of them just begin.
    say("first", WhenBusy::Reject).await?;
    until(&*engine, &run_id("first"), RunState::Waiting).await?;
    let refused = say("refused", WhenBusy::Reject).await.err().map(|error| error.code());
    same("the refusal", refused, Some(Code::Conflict))?;
    same(
        "what was refused",
        engine.info(&run_id("refused")).await.err().map(|error| error.code()),
        Some(Code::NotFound),
    )?;
    same("what is there already", say("first", WhenBusy::Reject).await?.new, false)?;
    say("waits", WhenBusy::Enqueue).await?;
    stays(&*engine, &run_id("waits"), RunState::Ready).await?;
    say("interrupts", WhenBusy::Interrupt).await?;
    is_cancelled("first").await?;
    is_cancelled("waits").await?;
    until(&*engine, &run_id("interrupts"), RunState::Waiting).await?;
    say("takes back", WhenBusy::RollBack).await?;
    is_cancelled("interrupts").await?;
    until(&*engine, &run_id("takes back"), RunState::Waiting).await?;
    // Said again, it ends nothing that came after it.
    say("interrupts", WhenBusy::Interrupt).await?;
    stays(&*engine, &run_id("takes back"), RunState::Waiting).await?;
    let seen = |turns: &[RunInfo], by: Option<&str>| seen_turns(turns, by.map(run_id).as_ref());
    let turns = engine.turns(&session).await?;
    let two = Some(["first", "waits"].map(run_id).to_vec());
    same("what an interrupting turn sees", seen(&turns, Some("interrupts")), two.clone())?;
    same("what one that takes back sees", seen(&turns, Some("takes back")), two)?;
    let all = Some(["first", "waits", "takes back"].map(run_id).to_vec());
    same("what comes after both sees", seen(&turns, None), all)?;
    // Two at once: the later of them ends the earlier.
    let (one, other) = futures::join!(say("one", WhenBusy::Interrupt), say("other", WhenBusy::Interrupt));
    one?;
    other?;
    is_cancelled("takes back").await?;
    let turns = engine.turns(&session).await?;
    let [.., earlier, last] = turns.as_slice() else { return same("the turns", turns.len(), 6) };
    until(&*engine, &last.run, RunState::Waiting).await?;
    let earlier = engine.info(&earlier.run).await?.outcome;
    same("the earlier", earlier.and_then(Result::err).map(|error| error.code()), Some(Code::RunCancelled))?;
    signal(&*engine, &last.run, "a", 1_usize).await?;
    ends_with(&*engine, &last.run, 1_usize).await
}
