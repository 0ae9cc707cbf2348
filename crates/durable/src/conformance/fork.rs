//! Starting again from the middle.

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Result};

use super::probe::{Outside, check, ends_with, fails, host, run_id, same, serve, start};
use super::{Harness, Instance};
use crate::admission::Origin;
use crate::engine::{Edit, Fork};
use crate::operation::Effects;

fn three(outside: &Outside) -> std::sync::Arc<dyn crate::engine::Host> {
    let outside = outside.clone();
    host(move |ctx, _, _| {
        let outside = outside.clone();
        async move {
            let mut sum = 0;
            for (name, answer) in [("one", 1), ("two", 20), ("three", 300)] {
                sum += outside.call(&ctx, name, Effects::new(Effect::Idempotent), answer).await?;
            }
            Json::of(&sum)
        }
    })
}

/// A fork keeps what came before its step, edited if so wished, does the rest anew, tells what the original caused
/// after the point, and leaves the original as it is.
pub async fn forks_keep_what_came_before(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let instance = serve(harness, three(&outside)).await?;
    let engine = instance.engine();
    let run = start(&*engine, "original", Json::null()).await?;
    ends_with(&*engine, &run, 321).await?;
    let before = engine.history(&run, 0).await?;
    let fork = Fork {
        by: None,
        of: run.clone(),
        run: run_id("fork"),
        from: StepKey::parse("two#0"),
        segment: None,
        edits: vec![Edit { key: StepKey::parse("one#0"), outcome: Json::of(&5) }],
    };
    let forked = engine.fork(fork.clone()).await?;
    same("the new run", &forked.run, &fork.run)?;
    same("the effects that were caused", forked.caused.len(), 2)?;
    ends_with(&*engine, &fork.run, 325).await?;
    same("the executions", outside.total(), 5)?;
    same("the original", engine.history(&run, 0).await?, before)?;
    let info = engine.info(&fork.run).await?;
    check(matches!(&info.origin, Some(Origin::Fork { of, .. }) if *of == run), || {
        format!("the fork comes from {:?}", info.origin)
    })?;
    // The answer at the point itself can be given, too.
    let given = Fork {
        by: None,
        run: run_id("given"),
        edits: vec![Edit { key: StepKey::parse("two#0"), outcome: Json::of(&7) }],
        ..fork
    };
    engine.fork(given).await?;
    ends_with(&*engine, &run_id("given"), 308).await?;
    same("the executions", outside.total(), 6)
}

/// A fork from a step that the journal does not have is refused, and so is an edit of one.
pub async fn forks_need_a_step_that_is_there(harness: &impl Harness) -> Result<()> {
    let outside = Outside::new();
    let instance = serve(harness, three(&outside)).await?;
    let engine = instance.engine();
    let run = start(&*engine, "original", Json::null()).await?;
    ends_with(&*engine, &run, 321).await?;
    let fork = Fork {
        by: None,
        of: run,
        run: run_id("fork"),
        from: StepKey::parse("four#0"),
        segment: None,
        edits: Vec::new(),
    };
    fails(engine.fork(fork.clone()).await, Code::NotFound)?;
    fails(engine.fork(Fork { of: run_id("nobody"), ..fork.clone() }).await, Code::NotFound)?;
    fails(engine.info(&fork.run).await, Code::NotFound)
}
