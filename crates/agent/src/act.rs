//! The choke point: every tool call of every agent goes through [`act`].

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use adjutant_core::error::Audience;
use adjutant_core::hash::Digest;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::message::{Message, ToolCall};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Attempt, Ctx, Done, Effects, Finished, Reconciled, Work, work};
use adjutant_tool::{Failure, Tool};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::json;

use crate::answer::Answer;
use crate::approval;
use crate::memory::Memory;
use crate::patience::{silence, unless};
use crate::returned::{Called, Returned};
use crate::runtime::Runtime;

/// The name of the steps that stand for a call that was not made.
pub(crate) const REFUSE: &str = "refuse";

/// What came of one call.
struct Deed {
    step: StepKey,
    message: Message,
    /// Tells this call with this result from others.
    digest: Digest,
    failed: bool,
    idle: bool,
}

/// Makes the calls of an answer, several at a time, and takes their results into the conversation in the order of
/// the calls. Each call has exactly one result. Returns whether there were any.
pub(crate) async fn act(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    answer: &Answer,
) -> Result<bool> {
    let Some(message) = answer.message() else { return Ok(false) };
    let is_last_turn = memory.tried.last_turn.is_some();
    let calls = message.calls().map(|call| perform(step.scope("call"), agent, call, is_last_turn));
    let parallel = agent.definition.limits.parallel.max(1) as usize;
    // Collected before they run: their scopes are numbered in the order of the calls. All of them come to an end,
    // also when one stops the run, so that none is left in the middle.
    let calls: Vec<_> = calls.collect();
    let deeds: Vec<Result<Deed>> = futures::stream::iter(calls).buffered(parallel).collect().await;
    let deeds: Vec<Deed> = deeds.into_iter().collect::<Result<_>>()?;

    let counted: Vec<_> = deeds.iter().map(|deed| (deed.digest, deed.failed)).collect();
    memory.tally.idle |= deeds.iter().any(|deed| deed.idle);
    memory.tally.calls(&counted, agent.definition.limits.repeats);
    memory.recorded += u32::try_from(deeds.len()).unwrap_or(u32::MAX);
    deeds.into_iter().for_each(|deed| memory.conversation.result(deed.step, deed.message));
    Ok(!counted.is_empty())
}

/// Makes one call, or refuses it.
async fn perform(ctx: Ctx, agent: &Arc<Runtime>, call: &ToolCall, is_last_turn: bool) -> Result<Deed> {
    match admit(&ctx, agent, call, is_last_turn).await? {
        Ok(made) => {
            let called = made.called.clone();
            let effects = made.effects();
            let outcome = ctx.effect(&called.name, effects, Json::of(&called)?, made).await;
            Ok(deed(ctx.path().join(&called.name, 0), &called, &heard(outcome)?))
        }
        Err(error) => {
            let called = Called::raw(call);
            let input = Json::of(&called)?;
            let refused = Returned::Failed(error);
            let refuse = work(move |_| std::future::ready(Json::of(&refused)));
            let outcome = ctx.effect(REFUSE, Effects::pure(), input, refuse).await?;
            Ok(deed(ctx.path().join(REFUSE, 0), &called, &Returned::read(&outcome)))
        }
    }
}

/// Decides whether a call may be made: the agent must have been given the tool, the arguments must fit, and a person
/// must agree where the agent asks for that. The inner error is for the model, the outer one stops the run.
async fn admit(ctx: &Ctx, agent: &Arc<Runtime>, call: &ToolCall, is_last_turn: bool) -> Result<Result<Made>> {
    let (tool, called) = match check(agent, call, is_last_turn) {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error)),
    };
    let mut decision = None;
    if agent.definition.asks_before(&called.name) {
        match approval::ask(ctx, &called).await? {
            Ok(approved) => decision = Some(approved),
            Err(denied) => return Ok(Err(denied)),
        }
    } else if !tool.spec().effect.is_repeatable() {
        decision = Some(json!({ "allowed_by": "definition" }).into());
    }
    Ok(Ok(Made { agent: Arc::clone(agent), tool, called, decision }))
}

/// Checks a call against the definition and the tool's schema.
fn check(agent: &Runtime, call: &ToolCall, is_last_turn: bool) -> Result<(Arc<dyn Tool>, Called)> {
    if is_last_turn {
        return Err(Error::new(
            Code::ToolDenied,
            "tools are no longer available: a limit of the run is reached",
        ));
    }
    let given = agent.definition.tool(&call.name).and_then(|spec| agent.tools.get(&spec.name));
    let tool = given.ok_or_else(|| unknown(agent, &call.name))?;
    let arguments = agent.tools.arguments(&call.name, &call.arguments)?;
    Ok((Arc::clone(tool), Called { call: call.id.clone(), name: call.name.clone(), arguments }))
}

fn unknown(agent: &Runtime, name: &str) -> Error {
    let shown: String = name.chars().take(100).collect();
    let names: Vec<_> = agent.definition.tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
    let help = match names.is_empty() {
        true => "you have no tools; answer without them".to_owned(),
        false => format!("your tools are {}", names.join(", ")),
    };
    Error::new(Code::ToolUnknown, format!("you have no tool `{shown}`")).with_help(help)
}

/// What the model hears of the outcome of a call's step; an error stops the run.
fn heard(outcome: Result<Json>) -> Result<Returned> {
    match outcome {
        Ok(recorded) => Ok(Returned::read(&recorded)),
        Err(error) if error.code().audience() == Audience::Model => Ok(Returned::Failed(error)),
        Err(error) => Err(error),
    }
}

fn deed(step: StepKey, called: &Called, returned: &Returned) -> Deed {
    let message = returned.message(step.clone(), called);
    let result: String = message.results().map(adjutant_core::message::ToolResult::as_text).collect();
    let arguments = called.arguments.to_string();
    let digest = Digest::of_parts(&[called.name.as_bytes(), arguments.as_bytes(), result.as_bytes()]);
    Deed { step, message, digest, failed: returned.is_error(), idle: matches!(returned, Returned::Idle(_)) }
}

/// A call that may be made.
struct Made {
    agent: Arc<Runtime>,
    tool: Arc<dyn Tool>,
    called: Called,
    /// Why it is allowed, where that is worth a record of its own.
    decision: Option<Json>,
}

impl Made {
    fn effects(&self) -> Effects {
        let spec = self.tool.spec();
        // The pinned specification counts where it differs in what may change.
        let timeout = self.agent.definition.tool(&spec.name).map_or(spec.timeout, |pinned| pinned.timeout);
        Effects::new(spec.effect).timeout(timeout)
    }
}

impl Work for Made {
    fn decide(&self, _attempt: &Attempt) -> BoxFuture<'static, Result<Option<Json>>> {
        let decision = self.decision.clone();
        async move { Ok(decision) }.boxed()
    }

    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let context = self.agent.context(&self.called.call, &attempt);
        let (agent, tool, called) = (Arc::clone(&self.agent), Arc::clone(&self.tool), self.called.clone());
        async move {
            let slot = match agent.tools.slot(&called.name).await {
                Ok(slot) => slot,
                Err(error) => return Err(error).into(),
            };
            // A tool that panics before it returns its future panics here, too.
            let repeatable = tool.spec().effect.is_repeatable();
            let name = called.name;
            let call = async {
                let call = AssertUnwindSafe(async { tool.call(called.arguments, context).await });
                let outcome = call.catch_unwind().await.unwrap_or_else(|_| Err(panicked(&name, repeatable)));
                finished(outcome, repeatable)
            };
            let silent = async {
                idle(&name, repeatable, &silence(&attempt.sink, agent.definition.limits.idle_time).await)
            };
            let finished = unless(silent, call).await;
            drop(slot);
            finished
        }
        .boxed()
    }

    fn reconcile(&self, attempt: Attempt) -> BoxFuture<'static, Reconciled> {
        let context = self.agent.context(&self.called.call, &attempt);
        let (tool, arguments) = (Arc::clone(&self.tool), self.called.arguments.clone());
        async move {
            match AssertUnwindSafe(async { tool.reconcile(arguments, context).await }).catch_unwind().await {
                Ok(Ok(adjutant_tool::Reconciled::Happened(output))) => {
                    let recorded = Json::of(&Returned::Output(output));
                    recorded.map_or(Reconciled::Unknown, Reconciled::Happened)
                }
                Ok(Ok(adjutant_tool::Reconciled::NotHappened)) => Reconciled::NotHappened,
                Ok(Ok(adjutant_tool::Reconciled::Unknown) | Err(_)) | Err(_) => Reconciled::Unknown,
            }
        }
        .boxed()
    }
}

/// What a tool's outcome is for the run.
fn finished(outcome: Result<adjutant_tool::Output, Failure>, repeatable: bool) -> Finished {
    let done = match outcome {
        Ok(output) => recorded(&Returned::Output(output)),
        Err(Failure::Model(error)) => recorded(&Returned::Failed(error)),
        // What may be repeated, the model may simply ask for again.
        Err(Failure::Unknown(why)) if repeatable => {
            let error =
                Error::new(Code::ToolFailed, format!("it is not known whether the call succeeded: {why}"));
            recorded(&Returned::Failed(error.with_help("make the call again; it does no harm")))
        }
        Err(Failure::Unknown(why)) => Done::Unknown(why),
        Err(Failure::Run(error)) => Done::Err(stopping(error)),
    };
    Finished { done, spent: None }
}

fn recorded(returned: &Returned) -> Done {
    match Json::of(returned) {
        Ok(json) => Done::Ok(json),
        Err(error) => Done::Err(error),
    }
}

/// An error that stops the run, whoever hears errors of its code otherwise.
fn stopping(error: Error) -> Error {
    match error.code().audience() {
        Audience::Run => error,
        Audience::Model => {
            let help =
                error.help().unwrap_or("the tool says that nothing the model does can help").to_owned();
            Error::new(Code::ToolInvalid, error.to_string()).with_help(help)
        }
    }
}

fn panicked(name: &str, repeatable: bool) -> Failure {
    match repeatable {
        true => Failure::Model(Error::new(Code::ToolBroken, format!("the tool `{name}` panicked"))),
        false => Failure::Unknown(format!("the tool `{name}` panicked")),
    }
}

/// A call that was given up because it showed no sign of life.
fn idle(name: &str, repeatable: bool, why: &str) -> Finished {
    let done = match repeatable {
        true => {
            recorded(&Returned::Idle(Error::new(Code::ToolTimeout, format!("the tool `{name}` gave {why}"))))
        }
        false => Done::Unknown(format!("the tool `{name}` gave {why}")),
    };
    Finished { done, spent: None }
}
