//! Goes on with a call that was left pending.

use std::time::Duration;

use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error};
use rmcp::model::{
    CallToolResult, CancelTaskParams, CancelTaskRequest, ClientRequest, ErrorCode, GetTaskParams,
    GetTaskRequest, GetTaskResult, ServerResult, TaskPayload, UpdateTaskParams, UpdateTaskRequest,
};
use serde_json::Value;

use super::clean;
use super::connection::Unanswered;
use super::failure::Missed;
use super::flight::Heard;
use super::question::{self, Asked, Asker, State, Task};
use super::remote::Remote;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::pending::{Answer, Question, Resumed, Until};

/// How long telling a server that a task is not wanted any more may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// After how long a task is told again what could not be told, in milliseconds.
const AGAIN: u64 = 2_000;

impl Remote {
    /// Goes on with a call.
    pub(super) async fn resume(
        &self,
        arguments: Value,
        resumed: Resumed,
        context: &Context,
    ) -> Result<Output, Failure> {
        let Resumed { state, answer } = resumed;
        match serde_json::from_value(state) {
            Ok(State::Asked(mut asked)) => {
                if asked.is_first
                    && answer.as_ref().is_some_and(|answer| !matches!(answer, Answer::Accept(_)))
                {
                    let why = format!(
                        "a person would not do what `{}` asks for before it is called",
                        self.spec.name
                    );
                    return Err(Failure::Model(Error::new(Code::ToolDenied, why)));
                }
                if let Some(answer) = answer {
                    asked.take(answer);
                }
                if let Some(asking) = asked.asking() {
                    return Err(asking);
                }
                match asked {
                    Asked { task: Some(task), answers, .. } => {
                        self.tell(Asked { answers, ..Asked::default() }, task, context).await
                    }
                    asked => self.call(arguments, &asked, None, context).await,
                }
            }
            Ok(State::Held { id, question }) => {
                let answer = answer.unwrap_or(Answer::Cancel);
                match self.server.take_held(&id) {
                    Some(held) => {
                        let deadline = self.server.deadline(context);
                        let heard = held.answer(question::result(answer), context, deadline).await;
                        self.heard(heard.map_err(Missed::Unanswered), None, context).await
                    }
                    None => self.call_anew(arguments, Some((question, answer)), UNHEARD, context).await,
                }
            }
            Ok(State::Task(task)) => self.look(task, context).await,
            Ok(State::Lost(why)) => self.call_anew(arguments, None, &why, context).await,
            Err(error) => Err(Failure::Unknown(format!("where the call stands cannot be read: {error}"))),
        }
    }

    /// Makes a call once more whose answer is lost, if it may be made twice or a person has said so. With it goes an answer
    /// that was given already.
    async fn call_anew(
        &self,
        arguments: Value,
        given: Option<(Question, Answer)>,
        why: &str,
        context: &Context,
    ) -> Result<Output, Failure> {
        if !self.spec.effect.is_repeatable() && context.attempt() == 1 {
            return Err(Failure::Unknown(format!("`{}`: {why}; it may have done its work", self.spec.name)));
        }
        self.call(arguments, &Asked::default(), given, context).await
    }

    /// Tells a task what was answered.
    async fn tell(&self, asked: Asked, mut task: Task, context: &Context) -> Result<Output, Failure> {
        let params = UpdateTaskParams::new(task.id.clone(), asked.responses());
        let request = ClientRequest::UpdateTaskRequest(UpdateTaskRequest::new(params));
        match self.ask(request, context).await {
            Err(missed) if is_passing(&missed) => {
                let state = State::Asked(Asked { task: Some(task), ..asked });
                let until = Until::Later { after_ms: AGAIN, note: None };
                Err(question::pending(until, state, Some(Effect::Idempotent)))
            }
            Err(missed @ Missed::Unmade(_)) => Err(self.server.made(&self.spec).missed(missed)),
            // Whatever the server thinks of it: how far the task is tells more.
            _ => {
                task.answered.extend(asked.answers.into_keys());
                Err(Task { looks: 0, ..task }.pending(None, None))
            }
        }
    }

    /// Looks how far a task is.
    async fn look(&self, task: Task, context: &Context) -> Result<Output, Failure> {
        let request = ClientRequest::GetTaskRequest(GetTaskRequest::new(GetTaskParams::new(task.id.clone())));
        let made = self.server.made(&self.spec);
        match self.ask(request, context).await {
            Ok(Heard::Answer(answer)) => match *answer {
                ServerResult::GetTaskResult(found) => self.found(task, found),
                _ => {
                    Err(question::lost("what its server says of the task is not to be understood".to_owned()))
                }
            },
            // It has no business with us here, and is told that nobody answers.
            Ok(Heard::Question(_)) => Err(task.pending(None, None)),
            Err(Missed::Unanswered(Unanswered::Refused(refusal)))
                if refusal.code == ErrorCode::INVALID_PARAMS =>
            {
                let why = clean::line(&refusal.message, clean::LONGEST_REASON);
                Err(question::lost(made.redactor.text(format!("its server knows the task no more: {why}"))))
            }
            Err(Missed::Unanswered(Unanswered::Refused(_))) => Err(task.pending(None, None)),
            Err(missed) if is_passing(&missed) => Err(task.pending(None, Some("its server does not answer"))),
            Err(missed) => Err(made.missed(missed)),
        }
    }

    /// What comes of how far a task is.
    fn found(&self, task: Task, found: GetTaskResult) -> Result<Output, Failure> {
        let (made, redactor) = (self.server.made(&self.spec), self.server.redactor());
        let (about, name) = (found.task.task, made.name);
        match found.task.payload {
            TaskPayload::Completed { result } => {
                match serde_json::from_value::<CallToolResult>(result.into()) {
                    Ok(result) => self.read(result),
                    Err(_) => Err(made
                        .failed(Code::ToolBroken, format!("what the task of `{name}` came to is no result"))),
                }
            }
            TaskPayload::Failed { error } => {
                let why =
                    error.get("message").and_then(Value::as_str).unwrap_or("its server does not say why");
                let why = clean::words(why, clean::LONGEST_REASON);
                Err(made.failed(Code::ToolFailed, format!("`{name}` failed: {why}")))
            }
            TaskPayload::Cancelled => {
                Err(made.failed(Code::ToolFailed, format!("`{name}` was cancelled by its server")))
            }
            TaskPayload::InputRequired { input_requests } => {
                let asker = Asker { server: self.server.name(), redactor: &redactor };
                let asked = asker.questions(&input_requests);
                let mut open =
                    asked.map_err(|why| made.failed(Code::ToolFailed, format!("`{name}`: {why}")))?;
                open.retain(|key, _| !task.answered.contains(key));
                let asked = Asked { open, task: Some(task.clone()), ..Asked::default() };
                Err(asked.asking().unwrap_or_else(|| task.pending(about.poll_interval_ms, None)))
            }
            _ => Err(task.pending(about.poll_interval_ms, about.status_message.as_deref())),
        }
    }

    /// Tells the server that a call is not wanted any more.
    pub(super) async fn abandon(&self, state: Value, context: &Context) {
        let task = match serde_json::from_value(state) {
            // What is held is given up when it is dropped.
            Ok(State::Held { id, .. }) => return drop(self.server.take_held(&id)),
            Ok(State::Task(task) | State::Asked(Asked { task: Some(task), .. })) => task,
            _ => return,
        };
        let params = CancelTaskParams::new(task.id);
        let request = ClientRequest::CancelTaskRequest(CancelTaskRequest::new(params));
        let _ = tokio::time::timeout(FAREWELL, self.server.ask(request, context, |_| Ok(()))).await;
    }
}

/// Why a call that was held is not there any more.
const UNHEARD: &str = "its server waited for the answer, and the connection to it is gone";

/// Whether the server may be asked again later: it was not reached, or said nothing.
fn is_passing(missed: &Missed) -> bool {
    match missed {
        Missed::Unmade(error) => {
            matches!(error.code(), Code::ToolBroken | Code::ToolBusy | Code::ToolTimeout)
        }
        Missed::Unanswered(unanswered) => {
            matches!(unanswered, Unanswered::Unsent(_) | Unanswered::Lost(_) | Unanswered::Deadline)
        }
    }
}
