//! [`Permitted`]: a call that may be made, as the work of its step.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::error::Audience;
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Attempt, Done, Effects, Finished, Reconciled, RetryPolicy, Work};
use adjutant_policy::Request;
use adjutant_policy::facts::Action;
use adjutant_policy::flow::Row;
use adjutant_tool::{Context, Failure, Output, Tool, artifact};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::approval;
use crate::patience::{silence, unless};
use crate::returned::{Called, LONGEST_RESULT, Returned};
use crate::rules::{denial, denied};
use crate::runtime::Runtime;

/// A tool that says that its failure passes is called four times in all.
const RETRY: RetryPolicy = RetryPolicy { attempts: 4, first_wait_ms: 500 };

/// A call that may be made.
#[derive(Clone)]
pub(crate) struct Permitted {
    pub(crate) agent: Arc<Runtime>,
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) called: Called,
    /// Why it is allowed, where that is worth a record of its own.
    pub(crate) decision: Option<Json>,
    /// What happens if it is gone on with twice, where it was pending and that is otherwise than with the call.
    pub(crate) effect: Option<Effect>,
    /// Whether a program reads the result.
    pub(crate) whole: bool,
    /// How long whoever makes it waits without any sign of life, where that is less than the agent's own limit.
    pub(crate) idle: Option<Duration>,
    /// What it is for those who may forbid it by now.
    pub(crate) request: Arc<Request>,
}

impl Permitted {
    /// How the step behaves.
    pub(crate) fn effects(&self) -> Effects {
        let spec = self.tool.spec();
        // The pinned specification counts where it differs in what may change.
        let timeout = self.agent.definition.tool(&spec.name).map_or(spec.timeout, |pinned| pinned.timeout);
        Effects::new(self.effect.unwrap_or(spec.effect)).timeout(timeout).retry(RETRY)
    }

    /// The output with its label: what the tool says of it, and the project of the tool. A tool that vouches for its own output
    /// by itself has made it of its arguments, which are as good as all that was known to whoever asked.
    fn labelled(&self, output: Output) -> Output {
        let live = self.tool.spec();
        let spec = self.agent.definition.tool(&live.name).unwrap_or(live);
        let vouches = spec.flow.trusted.is_none() && output.label.as_ref().is_some_and(Label::is_trusted);
        let said = output
            .label
            .as_ref()
            .map(|label| if vouches { label.join(&self.request.label) } else { label.clone() });
        let label = Row::label(spec, said.as_ref());
        output.labelled(label)
    }

    /// The label of why the tool fails: few may see what it says where few may see what it gives.
    fn of_failure(&self) -> Label {
        let live = self.tool.spec();
        let label = Row::label(self.agent.definition.tool(&live.name).unwrap_or(live), None);
        Label { readers: label.readers, ..Label::default() }
    }

    /// The output, kept apart where the model of the agent is not to read it.
    fn quarantined(&self, output: Output, context: &Context) -> Output {
        let extraction = self.agent.definition.extraction.as_ref();
        match extraction.is_some_and(|extraction| extraction.quarantined.contains(&self.called.name)) {
            true => {
                let key = Digest::of(context.idempotency_key().as_bytes()).to_string();
                output.kept_apart(&format!("apart-{}", key.get(..12).unwrap_or(&key)))
            }
            false => output,
        }
    }

    /// What the tool knows of the run around one attempt.
    fn context(&self, attempt: &Attempt) -> Context {
        let context = self.agent.context(&self.called.call, attempt);
        if self.whole { context.for_a_program() } else { context }
    }
}

impl Work for Permitted {
    fn decide(&self, _attempt: &Attempt) -> BoxFuture<'static, Result<Option<Json>>> {
        let forbids = self.agent.forbids.as_ref();
        let forbidden = forbids.and_then(|forbids| {
            let of_call = denial(forbids.as_ref(), &self.request);
            let read = || self.tool.reads(&self.called.arguments);
            of_call.or_else(|| denial(forbids.as_ref(), &reading(&self.request, read()?)))
        });
        let (agent, decision) = (Arc::clone(&self.agent), self.decision.clone());
        let tool = self.called.name.clone();
        async move {
            if let Some(verdict) = forbidden {
                return Err(denied(&verdict));
            }
            if let Some(reason) = &decision {
                approval::recheck(&agent, reason, &tool).await?;
            }
            Ok(decision)
        }
        .boxed()
    }

    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let context = self.context(&attempt);
        let (agent, tool, called) = (Arc::clone(&self.agent), Arc::clone(&self.tool), self.called.clone());
        let (repeatable, labelled) =
            (self.effect.unwrap_or(tool.spec().effect).is_repeatable(), self.clone());
        let of_failure = self.of_failure();
        let limit = agent.definition.limits.idle_time;
        let longest_silence = self.idle.map_or(limit, |idle| idle.min(limit));
        async move {
            let slot = match agent.tools.slot(&called.name).await {
                Ok(slot) => slot,
                Err(error) => return Err(error).into(),
            };
            // A tool that panics before it returns its future panics here, too.
            let name = called.name;
            let call = async {
                let within = context.clone();
                let call = AssertUnwindSafe(async {
                    match called.resumed {
                        Some(resumed) => tool.resume(called.arguments, resumed, within).await,
                        None => tool.call(called.arguments, within).await,
                    }
                });
                let outcome = call.catch_unwind().await.unwrap_or_else(|_| Err(panicked(&name, repeatable)));
                let outcome = match outcome {
                    // Before it is recorded: what the record refers to is there.
                    Ok(output) => {
                        let output = labelled.quarantined(labelled.labelled(output), &context);
                        Ok(artifact::keep(output, &name, longest(&context), &context).await)
                    }
                    Err(failure) => Err(failure),
                };
                finished(outcome, repeatable, &of_failure)
            };
            let silent = async { idle(&name, repeatable, &silence(&attempt.sink, longest_silence).await) };
            let finished = unless(silent, call).await;
            drop(slot);
            finished
        }
        .boxed()
    }

    fn reconcile(&self, attempt: Attempt) -> BoxFuture<'static, Reconciled> {
        let context = self.context(&attempt);
        let (tool, called, labelled) = (Arc::clone(&self.tool), self.called.clone(), self.clone());
        async move {
            if called.resumed.is_some() {
                // The tool can look up calls, not how they go on.
                return Reconciled::Unknown;
            }
            let within = context.clone();
            let look = AssertUnwindSafe(async { tool.reconcile(called.arguments, within).await });
            match look.catch_unwind().await {
                Ok(Ok(adjutant_tool::Reconciled::Happened(output))) => {
                    let output = labelled.quarantined(labelled.labelled(output), &context);
                    let output = artifact::keep(output, &called.name, longest(&context), &context).await;
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

/// What is known of a call as what it is to read of a server: that, and its URI.
fn reading(request: &Request, (server, uri): (String, String)) -> Request {
    Request { action: Action::Resource { server, uri }, ..request.clone() }
}

/// How much text of a result is read as it is, in bytes.
fn longest(context: &Context) -> usize {
    if context.wants_whole() { usize::MAX } else { LONGEST_RESULT }
}

/// What a tool's outcome is for the run.
fn finished(outcome: Result<Output, Failure>, repeatable: bool, label: &Label) -> Finished {
    let done = match outcome {
        Ok(output) => recorded(&Returned::Output(output)),
        // The engine makes such a call again where that is allowed; the model hears what came of the last one.
        Err(Failure::Model(error)) if error.code() == Code::ToolBusy => Done::Err(error),
        Err(Failure::Model(error)) => recorded(&Returned::telling(error, label)),
        // What may be repeated, the model may simply ask for again.
        Err(Failure::Unknown(why)) if repeatable => {
            let error =
                Error::new(Code::ToolBroken, format!("it is not known whether the call succeeded: {why}"));
            recorded(&Returned::telling(error.with_help("make the call again; it does no harm"), label))
        }
        Err(Failure::Unknown(why)) => Done::Unknown(why),
        Err(Failure::Run(error)) => Done::Err(stopping(error)),
        Err(Failure::Pending(pending)) => recorded(&Returned::Pending(pending)),
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
