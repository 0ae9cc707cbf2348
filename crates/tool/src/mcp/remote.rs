//! [`RemoteTool`]: one tool of a server.

use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error};
use futures::future::{BoxFuture, FutureExt};
use rmcp::model::{CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ServerResult};
use serde_json::{Map, Value};

use super::content::Parts;
use super::failure::{Made, Missed};
use super::flight::Heard;
use super::offer::{Offer, PinnedTool, name};
use super::question::{self, Asked, Asker, State, Task};
use super::server::Server;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::pending::{Answer, Question, Resumed, Until};
use crate::tool::Tool;

/// One tool of a server, as it was pinned.
pub(super) struct RemoteTool(Arc<Remote>);

/// What a call of the tool works with.
pub(super) struct Remote {
    pub(super) server: Server,
    /// The server's own name for it.
    tool: String,
    digest: String,
    has_schema: Option<jsonschema::Validator>,
    pub(super) spec: ToolSpec,
}

impl RemoteTool {
    pub(super) fn new(server: &Server, tool: &str, pinned: &PinnedTool) -> Self {
        let config = server.config();
        let spec = ToolSpec {
            name: name(&config.prefix, tool),
            description: pinned.description.clone(),
            parameters: pinned.parameters.clone(),
            effect: server.effect(tool, pinned),
            timeout: config.timeout,
            concurrency: config.concurrency,
            flow: pinned.flow(server.name()),
        };
        let has_schema = pinned.output.as_ref().and_then(|schema| {
            let options =
                jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex()).offline();
            options.build(schema).ok()
        });
        let (server, tool, digest) = (server.clone(), tool.to_owned(), pinned.digest.clone());
        Self(Arc::new(Remote { server, tool, digest, has_schema, spec }))
    }
}

impl Tool for RemoteTool {
    fn spec(&self) -> &ToolSpec {
        &self.0.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let remote = Arc::clone(&self.0);
        async move { remote.call(arguments, &Asked::default(), None, &context).await }.boxed()
    }

    fn resume(
        &self,
        arguments: Value,
        resumed: Resumed,
        context: Context,
    ) -> BoxFuture<'static, Result<Output, Failure>> {
        let remote = Arc::clone(&self.0);
        async move { remote.resume(arguments, resumed, &context).await }.boxed()
    }

    fn abandon(&self, state: Value, context: Context) -> BoxFuture<'static, ()> {
        let remote = Arc::clone(&self.0);
        async move { remote.abandon(state, &context).await }.boxed()
    }
}

impl Remote {
    /// Calls the tool. `asked` is what the server wanted to know before, with the answers; `given` an answer that is at hand
    /// should the server ask this while it works.
    pub(super) async fn call(
        &self,
        arguments: Value,
        asked: &Asked,
        given: Option<(Question, Answer)>,
        context: &Context,
    ) -> Result<Output, Failure> {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        let mut params = CallToolRequestParams::new(self.tool.clone()).with_arguments(arguments);
        params.input_responses = Some(asked.responses()).filter(|responses| !responses.is_empty());
        params.request_state.clone_from(&asked.state);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let heard = self.ask(request, context).await;
        self.heard(heard, given, context).await
    }

    /// Makes a request, if the tool is still offered as it was pinned.
    pub(super) async fn ask(&self, request: ClientRequest, context: &Context) -> Result<Heard, Missed> {
        let check = |offer: &Offer| {
            unchanged(self.server.name(), &self.spec.name, &self.digest, offer.tools.get(&self.tool))
        };
        self.server.ask(request, context, check).await
    }

    /// What comes of what was heard of a call. A question is put to a person; meanwhile the call is held.
    pub(super) async fn heard(
        &self,
        mut heard: Result<Heard, Missed>,
        mut given: Option<(Question, Answer)>,
        context: &Context,
    ) -> Result<Output, Failure> {
        let (made, redactor) = (self.server.made(&self.spec), self.server.redactor());
        let asker = Asker { server: self.server.name(), redactor: &redactor };
        loop {
            let held = match heard {
                Ok(Heard::Answer(answer)) => return self.answered(*answer),
                Ok(Heard::Question(held)) => *held,
                Err(missed) => return Err(asker.visits(&missed).unwrap_or_else(|| made.missed(missed))),
            };
            let answer = match asker.question(held.asked()) {
                Ok(question) => match given.take_if(|(asked, _)| *asked == question) {
                    Some((_, answer)) => answer,
                    None => {
                        let id = self.server.hold(context, held);
                        let state = State::Held { id, question: question.clone() };
                        return Err(question::pending(Until::Answered(question), state, None));
                    }
                },
                // What cannot be put to a person, nobody answers.
                Err(_) => Answer::Decline,
            };
            let deadline = self.server.deadline(context);
            let answered = held.answer(question::result(answer), context, deadline).await;
            heard = answered.map_err(Missed::Unanswered);
        }
    }

    /// What comes of the answer to a call.
    fn answered(&self, answer: ServerResult) -> Result<Output, Failure> {
        let (made, redactor) = (self.server.made(&self.spec), self.server.redactor());
        match answer {
            ServerResult::CallToolResult(result) => self.read(result),
            ServerResult::InputRequiredResult(required) => {
                let asker = Asker { server: self.server.name(), redactor: &redactor };
                let open = asker.questions(&required.input_requests.unwrap_or_default());
                let open =
                    open.map_err(|why| made.failed(Code::ToolFailed, format!("`{}`: {why}", made.name)))?;
                let asked = Asked { open, state: required.request_state, ..Asked::default() };
                // Where it asks nothing, it wants only time.
                let later = || {
                    let until = Until::Later { after_ms: 1_000, note: None };
                    question::pending(until, State::Asked(asked.clone()), None)
                };
                Err(asked.asking().unwrap_or_else(later))
            }
            ServerResult::CreateTaskResult(created) => {
                let task = Task { id: created.task.task_id, ..Task::default() };
                Err(task.pending(created.task.poll_interval_ms, created.task.status_message.as_deref()))
            }
            _ => {
                let why = format!("what `{}` answered is no result of a tool", made.name);
                Err(made.lost(Code::ToolBroken, why))
            }
        }
    }

    /// The output in a result.
    pub(super) fn read(&self, result: CallToolResult) -> Result<Output, Failure> {
        let most = self.server.config().output_limit;
        read(&self.server.made(&self.spec), self.has_schema.as_ref(), result, most)
    }
}

/// Checks that a tool is offered as it was pinned. The error is for the model, and says nothing in the server's words.
fn unchanged(server: &str, tool: &str, digest: &str, offered: Option<&PinnedTool>) -> Result<(), Error> {
    let why = match offered {
        Some(offered) if offered.digest == digest => return Ok(()),
        Some(_) => format!("its server describes `{tool}` otherwise than when a person accepted it"),
        None => format!("its server does not offer `{tool}` any more"),
    };
    Err(Error::new(Code::ToolQuarantined, why).with_help(format!(
        "do without it; a person can look at the change: `adjutant tools trust {server}`"
    )))
}

/// The result of a call. Structured content that does not fit its own schema is not taken for data.
fn read(
    made: &Made<'_>,
    schema: Option<&jsonschema::Validator>,
    result: CallToolResult,
    most: usize,
) -> Result<Output, Failure> {
    let mut parts = Parts::new(most);
    result.content.iter().for_each(|block| parts.take(block));
    let data = result.structured_content.filter(|data| !data.is_null());
    if let Some(data) = &data
        && parts.is_empty()
    {
        parts.text(&data.to_string());
    }
    if result.is_error == Some(true) {
        let said: String =
            parts.finish().iter().filter_map(|part| part.as_text()).collect::<Vec<_>>().join("\n");
        let why = super::clean::words(&said, most);
        return Err(made.failed(Code::ToolFailed, format!("`{}` failed: {why}", made.name)));
    }
    let fits =
        |data: &Value| schema.is_none_or(|schema| schema.is_valid(data)) && data.to_string().len() <= most;
    let data = data.filter(fits);
    let content = parts.finish().into_iter().map(|part| match part {
        adjutant_core::message::Part::Text { text } => {
            adjutant_core::message::Part::text(made.redactor.text(text))
        }
        other => other,
    });
    Ok(Output {
        content: content.collect(),
        data: data.map(|data| redacted(made, data)),
        ..Output::default()
    })
}

/// Data without the secrets that the server was given.
fn redacted(made: &Made<'_>, data: Value) -> Value {
    let text = data.to_string();
    let clean = made.redactor.text(text.clone());
    if clean == text { data } else { serde_json::from_str(&clean).unwrap_or_default() }
}
