//! Turns of one conversation.

use adjutant_core::Result;
use adjutant_core::id::SessionId;
use adjutant_core::json::Json;

use super::probe::{admission, asking, ends_with, run_id, same, serve, signal, stays, until};
use super::{Harness, Instance};
use crate::admission::Admission;
use crate::engine::RunState;

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
