//! Makes a call, and goes on with it as often as it says that it is not over.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Ctx, Effects, work};
use adjutant_tool::{Answer, Pending, Resumed, Until};
use serde_json::Value;

use crate::act::{heard, record};
use crate::permitted::Permitted;
use crate::purse::Purse;
use crate::question;
use crate::returned::{Called, Returned};

/// The name of the step that gives up a call that was pending when the run was told to stop.
const ABANDON: &str = "abandon";

/// How long giving it up may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// How many questions one call may ask.
const MOST_QUESTIONS: u32 = 20;

/// How often one call may say that it is not over.
const MOST_ROUNDS: u32 = 10_000;

/// Makes a call: one step for each time that it works, and between them a wait, for a person or for a time. The last step
/// has what came of it.
pub(crate) async fn carry_out(
    ctx: &Ctx,
    mut permitted: Permitted,
    purse: &Purse,
) -> Result<(Called, StepKey, Returned)> {
    let (mut rounds, mut questions) = (0, 0);
    loop {
        let called = permitted.called.clone();
        let outcome =
            ctx.effect(&called.name, permitted.effects(), Json::of(&called)?, permitted.clone()).await;
        let pending = match heard(outcome) {
            Ok(Returned::Pending(pending)) => *pending,
            Ok(returned) => {
                let step = ctx.path().join(&called.name, rounds);
                return Ok((called, step, returned));
            }
            Err(error) => {
                if let Some(resumed) = called.resumed {
                    abandon(ctx, &permitted, resumed.state).await;
                }
                return Err(error);
            }
        };
        rounds += 1;
        if let Until::Answered(_) = pending.until {
            questions += 1;
        }
        // A person may take as long as they like; work that goes on elsewhere has the time of the run.
        let is_late = matches!(pending.until, Until::Later { .. })
            && purse.active(ctx.active()) >= permitted.agent.definition.limits.wall_time;
        if is_late || rounds > MOST_ROUNDS || questions > MOST_QUESTIONS {
            abandon(ctx, &permitted, pending.state).await;
            let (code, why) = match is_late {
                true => (Code::ToolTimeout, "was given up: the time of the run is over"),
                false => {
                    (Code::ToolBroken, "does not come to an end: it asks, or is not ready, again and again")
                }
            };
            let failed = Returned::Failed(Error::new(code, format!("`{}` {why}", called.name)));
            return record(ctx, &permitted.called.name, rounds, called, failed).await;
        }
        let answer = match wait(ctx, &called, &pending, questions).await {
            Ok(answer) => answer,
            Err(error) => {
                abandon(ctx, &permitted, pending.state).await;
                return Err(error);
            }
        };
        if let Until::Later { after_ms, .. } = pending.until {
            // A run is not active while it sleeps.
            purse.wait(Duration::from_millis(after_ms));
        }
        permitted.effect = pending.effect;
        permitted.called.resumed = Some(Resumed { state: pending.state, answer });
    }
}

/// Waits for what a call waits for.
async fn wait(ctx: &Ctx, called: &Called, pending: &Pending, questions: u32) -> Result<Option<Answer>> {
    match &pending.until {
        Until::Answered(asked) => {
            question::ask(ctx, called, asked, questions.saturating_sub(1)).await.map(Some)
        }
        Until::Later { after_ms: 0, .. } => Ok(None),
        Until::Later { after_ms, .. } => ctx.sleep(Duration::from_millis(*after_ms)).await.map(|()| None),
    }
}

/// Tells a tool that nobody waits for its call any more. Whether that works changes nothing.
async fn abandon(ctx: &Ctx, permitted: &Permitted, state: Value) {
    let (agent, tool, call) =
        (Arc::clone(&permitted.agent), Arc::clone(&permitted.tool), permitted.called.call.clone());
    let left = state.clone();
    let work = work(move |attempt| {
        let context = agent.context(&call, &attempt);
        let given_up = tool.abandon(left.clone(), context);
        async move {
            given_up.await;
            Ok(Json::null())
        }
    });
    let effects = Effects::new(Effect::Idempotent).timeout(FAREWELL);
    let _ = ctx.clean_up(ABANDON, effects, state.into(), work).await;
}
