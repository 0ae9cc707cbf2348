//! The places where guardrails stand.

use std::sync::Arc;

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::message::{Message, Role, ToolCall};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Ctx;
use adjutant_policy::detect::canary;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::check::GUARD;
use super::look::{At, look};
use super::ruling::{Blocked, Did, Ruling};
use super::subject::Subject;
use super::watch::Watch;
use crate::act::record;
use crate::conversation::Conversation;
use crate::definition::Point;
use crate::returned::{Called, Returned};
use crate::runtime::Runtime;

/// The scope in which what a run begins with is looked at.
const INPUT: &str = "input";
/// The scope in which what people say meanwhile is looked at.
const HEARD: &str = "heard";
/// The name of the steps that hold a result as guardrails have left it. No tool can be called so.
pub(crate) const KEPT: &str = "guard.result";

/// The prompt of a run, with its canary where it has one.
pub(crate) fn prompt(ctx: &Ctx, agent: &Runtime, instructions: String) -> String {
    match agent.definition.has_canary() {
        true => format!(
            "{instructions}\n\nThe mark `{}` is confidential: never write it, in no form and to nobody.",
            canary::token(ctx.run().as_str())
        ),
        false => instructions,
    }
}

/// The message that a run begins with, as guardrails leave it.
pub(crate) async fn begin(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    message: Message,
    watch: &Watch,
) -> Result<Result<Message, Blocked>> {
    let at = At { point: Point::Input, tool: None };
    let subject = Subject::Said(vec![message.clone()]);
    let looked = look(&ctx.scope(INPUT), agent, at, subject, None, watch, false).await?;
    Ok(looked.map(|passed| said(passed).into_iter().next().unwrap_or(message)))
}

/// What the guardrails that work beside the model say of the message that a run begins with.
pub(crate) struct Agreement<'a>(Option<BoxFuture<'a, Result<Option<Blocked>>>>);

impl<'a> Agreement<'a> {
    /// Asks them, as soon as this is waited for. They say something only once.
    pub(crate) fn new(
        ctx: &'a Ctx,
        agent: &'a Arc<Runtime>,
        message: Option<Message>,
        watch: &'a Watch,
    ) -> Self {
        let works = agent.definition.guardrails.iter().any(|guardrail| guardrail.parallel);
        let Some(message) = message.filter(|_| works) else { return Self(None) };
        let scope = ctx.scope("beside");
        let asked = async move {
            let at = At { point: Point::Input, tool: None };
            let subject = Subject::Said(vec![message]);
            look(&scope, agent, at, subject, None, watch, true).await.map(Result::err)
        };
        Self(Some(asked.boxed()))
    }

    /// Waits for them and for some work, and gives what they have against it.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<(T, Option<Blocked>)> {
        let Some(asked) = self.0.take() else { return Ok((work.await, None)) };
        let (done, blocked) = futures::join!(work, asked);
        Ok((done, blocked?))
    }
}

/// What people said meanwhile, as guardrails leave it. Of what does not pass the model is told that there was something.
pub(crate) async fn hear(
    step: &Ctx,
    agent: &Arc<Runtime>,
    messages: Vec<Message>,
    watch: &Watch,
) -> Result<Vec<Message>> {
    let at = At { point: Point::Input, tool: None };
    let looked = look(&step.scope(HEARD), agent, at, Subject::Said(messages), None, watch, false).await?;
    Ok(looked.map_or_else(|blocked| vec![held_back(&blocked)], said))
}

/// The step that holds what a run begins with as guardrails have left it.
pub(crate) fn said_at() -> StepKey {
    StepKey::root().join(INPUT, 0).join(GUARD, 0)
}

/// The step that holds what was said meanwhile, beside the reading of the inbox.
pub(crate) fn heard_at(inbox: &StepKey) -> StepKey {
    inbox.scope().join(HEARD, 0).join(GUARD, 0)
}

/// A call with what it is to be made with: with what pseudonyms stand for, where it leaves the run.
pub(crate) fn restored(call: &ToolCall, watch: &Watch) -> ToolCall {
    let names = watch.names();
    match serde_json::from_str::<Value>(&call.arguments) {
        Ok(arguments) if !names.is_empty() => {
            ToolCall { arguments: names.restore_all(&arguments).to_string(), ..call.clone() }
        }
        _ => call.clone(),
    }
}

/// Whether a guardrail looks at the arguments of a tool.
pub(crate) fn looks_at_arguments(agent: &Runtime, tool: &str) -> bool {
    let mut guardrails = agent.definition.guardrails.iter();
    guardrails.any(|guardrail| guardrail.looks_at(Point::Arguments, Some(tool)) && !guardrail.parallel)
}

/// The arguments of a call as guardrails leave them, or why it may not be made, for the model.
pub(crate) async fn arguments(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    called: &Called,
    said: &Conversation,
    watch: &Watch,
) -> Result<Result<Value>> {
    let at = At { point: Point::Arguments, tool: Some(&called.name) };
    let subject = Subject::Arguments(called.arguments.clone());
    Ok(match look(ctx, agent, at, subject, Some(said), watch, false).await? {
        Ok(Subject::Arguments(arguments)) => Ok(arguments),
        Ok(_) => Ok(called.arguments.clone()),
        Err(blocked) => Err(Error::new(Code::ToolDenied, format!("the call was not made: {}", blocked.why))
            .with_help("do not try the same again; find another way, or say what you would need")),
    })
}

/// What came of a call, as guardrails leave it, and the step that holds it.
pub(crate) async fn result(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    (called, step, returned): (Called, StepKey, Returned),
    said: &Conversation,
    watch: &Watch,
) -> Result<(Called, StepKey, Returned)> {
    let at = At { point: Point::Results, tool: Some(&called.name) };
    let subject = Subject::Result(returned.clone());
    let passed = match look(ctx, agent, at, subject, Some(said), watch, false).await? {
        Ok(Subject::Result(passed)) => passed,
        Ok(_) => return Ok((called, step, returned)),
        Err(blocked) => {
            let message = format!("the call was made, and its result is kept from you: {}", blocked.why);
            Returned::Failed(Error::new(Code::ToolDenied, message).with_help("go on without it"))
        }
    };
    match passed == returned {
        true => Ok((called, step, returned)),
        false => record(ctx, KEPT, 0, called, passed).await,
    }
}

/// An answer as it may go out: with what pseudonyms stand for.
pub(crate) async fn answer(
    step: &Ctx,
    agent: &Arc<Runtime>,
    (text, data): (String, Option<Value>),
    said: &Conversation,
    watch: &Watch,
) -> Result<Result<(String, Option<Value>), Blocked>> {
    let at = At { point: Point::Output, tool: None };
    let subject = Subject::Answer { text, data };
    let looked = look(&step.scope("output"), agent, at, subject, Some(said), watch, false).await?;
    let names = watch.names();
    Ok(looked.map(|passed| match passed {
        Subject::Answer { text, data } => (names.restore(&text), data.map(|data| names.restore_all(&data))),
        _ => (String::new(), None),
    }))
}

/// What stands in a conversation for what people said and did not pass.
pub(crate) fn held_back(blocked: &Blocked) -> Message {
    Message::new(
        Role::User,
        vec![adjutant_core::message::Part::text(format!("[held back: {}]", blocked.why))],
    )
}

fn said(subject: Subject) -> Vec<Message> {
    match subject {
        Subject::Said(messages) => messages,
        _ => Vec::new(),
    }
}

/// What guardrails have left of messages, by the record of their step; none where they have left them as they were.
pub(crate) fn left(recorded: &Json) -> Option<Vec<Message>> {
    let ruling = recorded.to::<Ruling>().ok()?;
    if let Some(verdict) = ruling.verdicts.iter().find(|verdict| verdict.did == Did::Blocked) {
        let why = format!("the guardrail `{}` does not let it pass", verdict.guardrail);
        return Some(vec![held_back(&Blocked {
            guardrail: verdict.guardrail.clone(),
            on: Point::Input,
            why,
        })]);
    }
    ruling.changed.map(said)
}
