//! [`AgentTalk`]: an agent as something that answers like a model. It is a durable run; what it does is told as reasoning.

use std::collections::VecDeque;

use adjutant::durable::RunState;
use adjutant::model::{Delta, Request, Response, Sampling, Start, StopReason};
use adjutant::{Reply, Run, Stop, Task, Update, Updates};
use adjutant_core::event::{Event, EventKind};
use adjutant_core::json::Json;
use adjutant_core::message::{Message, Part, Reasoning};
use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use serde_json::Value;

use super::intake::Given;
use super::question::question;
use super::talk::{Heard, used};
use super::words::Words;

/// How much of arguments and results is shown, in characters.
const MOST_SHOWN: usize = 200;

/// The answer of an agent while it comes. Who lets go of it before its end cancels the run.
pub(crate) struct AgentTalk {
    run: Run,
    updates: Updates,
    told: VecDeque<Delta>,
    words: Words,
    /// Everything that was told of the way.
    way: String,
    heard: Option<Heard>,
    over: bool,
}

impl AgentTalk {
    /// Starts the run. Fails for what no agent can be told, and as starting a run fails.
    pub(super) async fn begin(
        given: &Given,
        name: &str,
        request: &Request,
        user: Option<String>,
        session: Option<String>,
    ) -> Result<Self> {
        check(request)?;
        let adjutant = given.caller.adjutant();
        let agent = adjutant.choose(Some(name))?;
        let mut task = Task::from(question(&request.messages)?);
        if let Some(temperature) = request.temperature {
            task = task.temperature(temperature);
        }
        if let Some(most) = request.max_output_tokens {
            task = task.max_output_tokens(most);
        }
        if let Some(output) = &request.output {
            task = task.output(output.schema.clone());
        }
        if let Some(session) = session {
            task = task.session(session.as_str());
        }
        if let Some(user) = user {
            task = task.user(user);
        }
        for (name, value) in given.caller.who().claims.clone() {
            task = task.claim(name, value);
        }
        let run = adjutant.start(agent.as_str(), task).await?;
        let updates = run.watch_alone();
        Ok(Self {
            run,
            updates,
            told: VecDeque::from([Delta::Start(Start::default())]),
            words: Words::default(),
            way: String::new(),
            heard: None,
            over: false,
        })
    }

    /// The id of the run.
    pub(super) fn run(&self) -> &str {
        self.run.id().as_str()
    }

    /// The whole answer, once its end was given.
    pub(super) fn heard(&self) -> Option<Heard> {
        self.heard.clone()
    }

    /// The next piece of the answer; none after its end.
    pub(super) async fn next(&mut self) -> Option<Result<Delta>> {
        loop {
            if let Some(delta) = self.told.pop_front() {
                return Some(Ok(delta));
            }
            if self.over {
                return None;
            }
            let update = match self.updates.next().await {
                Some(Ok(update)) => update,
                Some(Err(error)) => return Some(Err(self.fails(error))),
                None => {
                    let error = Error::new(Code::Internal, "the run is over and did not say what came of it");
                    return Some(Err(self.fails(error)));
                }
            };
            if let Err(error) = self.hear(update) {
                return Some(Err(self.fails(error)));
            }
        }
    }

    fn fails(&mut self, error: Error) -> Error {
        self.over = true;
        error
    }

    fn hear(&mut self, update: Update) -> Result<()> {
        let event: Box<Event> = match update {
            Update::Event(event) => event,
            Update::State(RunState::Paused) => {
                self.waits("it was paused");
                return Ok(());
            }
            Update::State(_) => return Ok(()),
        };
        match event.kind {
            EventKind::TextDelta { text, .. } => {
                let told = self.words.piece(&text);
                self.told.extend(told.map(Delta::Text));
            }
            EventKind::ReasoningDelta { text, .. } => self.way(&text),
            EventKind::Reset { .. } => self.words.again(),
            EventKind::ToolCalled(call) => {
                self.break_off();
                self.way(&format!("\n→ {}({})\n", call.name, short(&call.arguments)));
            }
            EventKind::ToolProgress { text, .. } => self.way(&format!("  {}\n", short(&text))),
            EventKind::ToolAnswered(result) => {
                let mark = if result.is_error { "✗" } else { "←" };
                self.way(&format!("{mark} {}: {}\n", result.name, short(&result.as_text())));
            }
            EventKind::HandedOver { to, .. } => self.way(&format!("\n⇒ {to}\n")),
            EventKind::ChildStarted { name, .. } => self.way(&format!("\n→ {name}\n")),
            EventKind::ApprovalRequested { request, .. } => {
                self.waits(&asked("a person must agree to", &request));
            }
            EventKind::QuestionAsked { request, .. } => {
                self.waits(&asked("a person is asked", &request));
            }
            EventKind::OutcomeUnknown { reason } => {
                self.waits(&format!("a person must say what happened: {reason}"));
            }
            EventKind::Halted { error } => return Err(error),
            EventKind::Ended { result } => {
                let reply: Reply = result?.to()?;
                self.end(&reply);
            }
            _ => {}
        }
        Ok(())
    }

    fn tell(&mut self, text: String) {
        if !text.is_empty() {
            self.told.push_back(Delta::Text(text));
        }
    }

    fn way(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.way.push_str(text);
        self.told.push_back(Delta::Reasoning(text.to_owned()));
    }

    /// What was said before a call is over; what comes later is a paragraph of its own.
    fn break_off(&mut self) {
        if self.words.end() {
            self.tell("\n\n".to_owned());
        }
    }

    fn end(&mut self, reply: &Reply) {
        let rest = self.words.rest(&reply.text);
        self.told.extend(rest.map(Delta::Text));
        let stop = match &reply.stop {
            Stop::LimitReached(_) | Stop::CutOff => StopReason::MaxTokens,
            Stop::Refused => StopReason::Refusal,
            Stop::Filtered | Stop::Withheld | Stop::Blocked => StopReason::ContentFilter,
            Stop::Answered | Stop::Empty | Stop::Enough | Stop::HandedOver => StopReason::EndTurn,
        };
        self.close(&reply.text, stop, Some(reply));
    }

    /// Says what the run waits for, and ends the answer: a client cannot be kept waiting for a person.
    fn waits(&mut self, what: &str) {
        let run = self.run.id();
        let text = format!(
            "[The run `{run}` waits: {what}. `adjutant approvals` shows it; once it is over, `adjutant runs show {run}` has the \
             answer.]"
        );
        let apart = if self.words.end() { "\n\n" } else { "" };
        self.tell(format!("{apart}{text}"));
        self.close(&text, StopReason::EndTurn, None);
    }

    fn close(&mut self, text: &str, stop: StopReason, reply: Option<&Reply>) {
        self.over = true;
        let usage = reply.and_then(|reply| used(reply.usage));
        let mut parts = Vec::new();
        if !self.way.trim().is_empty() {
            let text = self.way.clone();
            parts.push(Part::Reasoning(Reasoning { text, ..Reasoning::default() }));
        }
        parts.push(Part::text(text));
        let response = Response {
            message: Message::assistant(parts),
            usage,
            stop: stop.clone(),
            model: None,
            request_id: None,
            tried: Vec::new(),
            instead: None,
            unknown: Vec::new(),
        };
        let cost = reply.and_then(|reply| reply.cost);
        self.heard = Some(Heard { response, cost, model: None, run: Some(self.run().to_owned()) });
        self.told.extend(usage.map(Delta::Usage));
        self.told.push_back(Delta::End(stop));
    }
}

impl Drop for AgentTalk {
    fn drop(&mut self) {
        if !self.over {
            let run = self.run.clone();
            // Whoever stops listening wants it to stop, as with a model.
            tokio::spawn(async move { run.cancel("the client went away").await });
        }
    }
}

/// Fails where a request says what an agent decides itself. What changes nothing is let be: many chat programs send all that they know.
fn check(request: &Request) -> Result<()> {
    let Sampling { top_p, top_k, seed, presence_penalty, frequency_penalty } = request.sampling;
    let changes = |penalty: Option<f32>| penalty.is_some_and(|penalty| penalty.abs() > 0.0);
    let said = [
        ("tools", !request.tools.is_empty()),
        ("top_p", top_p.is_some_and(|top_p| top_p < 1.0)),
        ("top_k", top_k.is_some()),
        ("seed", seed.is_some()),
        ("presence_penalty", changes(presence_penalty)),
        ("frequency_penalty", changes(frequency_penalty)),
        ("reasoning_effort", request.effort.is_some()),
        ("stop", !request.stop.is_empty()),
    ];
    match said.into_iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("an agent has its own `{name}`, and takes none from a client");
            Err(Error::new(Code::ModelUnsupported, message)
                .with_help(format!("take `{name}` out, or ask a model instead of an agent")))
        }
    }
}

fn asked(what: &str, request: &Json) -> String {
    let request: Value = request.to().unwrap_or_default();
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arguments =
        request.get("arguments").map(|arguments| short(&arguments.to_string())).unwrap_or_default();
    match text("tool").as_str() {
        "" => format!("{what}: {}", short(&request.to_string())),
        tool => format!("{what} `{tool}` with {arguments}"),
    }
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST_SHOWN) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_decides_itself_is_refused() {
        assert!(check(&Request::default()).is_ok());
        let error = check(&Request { stop: vec!["x".into()], ..Request::default() }).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.message().contains("`stop`"), "{error}");
    }
}
