//! The way of one run of a workflow.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::json::Json;
use adjutant_core::{Code, Result};
use adjutant_durable::Ctx;
use serde_json::Value;

use super::progress::Progress;
use super::stage::Performance;
use super::{Item, Stage, Workflow};
use crate::delegation;
use crate::guard::Agreement;
use crate::memory::Memory;
use crate::note::{MADE, say};
use crate::purse::Purse;
use crate::reply::Reply;
use crate::rules::{self, Queue};
use crate::runtime::Runtime;
use crate::termination::Stop;
use crate::turn::{self, Begin, Parting};

/// Runs a workflow as one turn of a session: from what somebody says to its reply. What goes in and out passes the
/// guardrails and the policies as in an agent's turn.
pub(crate) async fn perform(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    workflow: &dyn Workflow,
    begin: Begin,
) -> Result<Reply> {
    let earlier = turn::earlier(&begin);
    let log = Arc::new(turn::remembered(agent, &begin, earlier.as_deref())?);
    rules::prepare(ctx, agent, &log).await?;
    let watch = turn::watch(&begin, earlier.as_deref(), &log)?;
    let (begin, blocked) = turn::let_in(ctx, agent, begin, &watch).await?;
    let mut titling = turn::entitle(ctx, agent, &begin, blocked.is_none(), &log)?;
    let first = turn::first(&begin);
    let variables = match &begin {
        Begin::First(input, _) => input.variables.clone(),
        Begin::Next(..) => serde_json::Map::new(),
    };
    let mut memory = turn::perceive(ctx, agent, begin)?;
    if let Some(blocked) = blocked {
        return Ok(turn::held_back(ctx, memory, &log, &watch, blocked));
    }
    log.narrow(memory.narrowing.as_ref());
    let state = memory.state.take();
    let purse = Arc::new(Purse::new(&agent.definition.limits, &memory.tally, 0));
    let input = memory.conversation.messages().last().map(|message| Item {
        value: Value::String(message.text()),
        label: message.label.clone(),
        ..Item::default()
    });
    let run = Arc::new(Performance {
        agent: Arc::clone(agent),
        conversation: memory.conversation.clone(),
        log: Arc::clone(&log),
        watch,
        queue: Queue::default(),
        calls: AtomicU32::new(memory.calls),
        failures: Mutex::new(Item::default()),
        lessons: earlier.as_ref().map(|earlier| Arc::clone(&earlier.lessons)).unwrap_or_default(),
        kept: Mutex::default(),
        open: Mutex::default(),
        variables,
        memory: memory.clone(),
        rolling: Mutex::default(),
        progress: Mutex::new(Progress::begin(&memory)),
    });
    let stage = Stage::new(ctx.clone(), Arc::clone(&run), Arc::clone(&purse));
    let mut agreement = Agreement::new(ctx, agent, first, &run.watch);
    let working = titling.beside(workflow.run(stage, input.unwrap_or_default(), state));
    let (made, blocked) = agreement.beside(working).await?;
    delegation::settle_given_up(ctx, agent, &purse, &log).await?;
    memory.tally.worked(&purse.spent());
    memory.tally.made = run.calls.load(std::sync::atomic::Ordering::Relaxed);
    if let Some(blocked) = blocked {
        memory.call(titling.finish(ctx).await);
        return Ok(turn::held_back(ctx, memory, &run.log, &run.watch, blocked));
    }
    let rolling = run.rolling.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut next) = rolling {
        // With what those have used that were given up: it was looked up only now.
        run.progress.lock().unwrap_or_else(PoisonError::into_inner).leave(&mut next);
        next.open.append(&mut run.open.lock().unwrap_or_else(PoisonError::into_inner));
        next.judged(&run.watch);
        next.tally.worked(&purse.spent());
        next.past = run.log.own();
        // Nothing may be under way when a segment ends, and a title may still be.
        next.call(titling.finish(ctx).await);
        match ctx.roll_over(Json::of(&next)?).await? {}
    }
    let ended = run.progress.lock().unwrap_or_else(PoisonError::into_inner).ended();
    let (made, stop) = match (made, ended) {
        (made, None) => (made?, Stop::Answered),
        (made, Some((last, why))) => {
            memory.enough = Some(why);
            // A pattern that gives what it has at a limit has done so.
            let made = match made {
                Err(error) if error.code() == Code::RunLimit => last,
                made => made?,
            };
            (made, Stop::Enough)
        }
    };
    memory.open.append(&mut run.open.lock().unwrap_or_else(PoisonError::into_inner));
    let lessons = std::mem::take(&mut *run.kept.lock().unwrap_or_else(PoisonError::into_inner));
    let step = ctx.scope(MADE);
    say(&step, &mut memory.conversation, &made.text(), made.label.clone()).await?;
    // There is nobody who could be told to answer otherwise.
    memory.tried.withheld = true;
    let data = (!made.value.is_string()).then(|| made.value.clone());
    let said = (made.text(), data);
    let parting = turn::part(&step, agent, &mut memory, &run.log, &run.watch, stop, said).await?;
    memory.call(titling.finish(ctx).await);
    let reply = match parting {
        Parting::With(text, data, stop) => turn::reply(ctx, text, memory, &run.log, stop, data),
        Parting::Again(note) => turn::reply(ctx, note.text(), memory, &run.log, Stop::Withheld, None),
        Parting::Blocked(blocked) => turn::held_back(ctx, memory, &run.log, &run.watch, blocked),
    };
    Ok(Reply { lessons, ..reply })
}

/// What the next segment of a run begins with.
pub(super) fn parting(run: &Performance, state: Json) -> Result<Memory> {
    let mut memory = run.memory.clone();
    memory.conversation = run.conversation.clone();
    memory.conversation.close_segment()?;
    memory.names = run.watch.names();
    memory.calls = run.calls.load(std::sync::atomic::Ordering::Relaxed);
    memory.state = Some(state);
    Ok(memory)
}
