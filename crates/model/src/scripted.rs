//! A model that plays a script, for tests.
//!
//! The position in the script is the number of assistant messages in the request. So a script spans a whole session;
//! one model serves any number of runs at the same time; and a run that is taken up by another process after a crash
//! goes on where it stood. (A transcript that was compacted in between has lost assistant messages: for those write
//! a function, [`Scripted::from_fn`].)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::message::{Message, Part, Role, ToolCall};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::delta::{Delta, Deltas, StopReason};
use crate::model::{Call, Model};
use crate::profile::{Abilities, Profile};
use crate::request::Request;
use crate::token;

type Check = Arc<dyn Fn(&Request) -> Result<(), String> + Send + Sync>;
type Play = dyn Fn(&Request, usize) -> Option<Turn> + Send + Sync;

/// A model that plays a script.
#[derive(Clone)]
pub struct Scripted {
    id: Arc<str>,
    profile: Arc<Profile>,
    play: Arc<Play>,
    /// How often each request was sent to this model, so that a turn can fail a few times first.
    attempts: Arc<Mutex<HashMap<String, usize>>>,
}

/// One answer of a script.
#[derive(Clone)]
pub struct Turn {
    deltas: Vec<Result<Delta>>,
    before: Option<Error>,
    fails_first: Vec<Error>,
    delay: Duration,
    between: Duration,
    check: Option<Check>,
}

impl Scripted {
    /// A model that answers with these turns, in order.
    pub fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let turns: Vec<Turn> = turns.into_iter().collect();
        Self::from_fn(move |_, position| turns.get(position).cloned())
    }

    /// A model whose turns a function makes from the request and its position; none when the script is over.
    pub fn from_fn(play: impl Fn(&Request, usize) -> Option<Turn> + Send + Sync + 'static) -> Self {
        let abilities = Abilities { audio: true, files: true, reasoning: true, ..Abilities::default() };
        Self {
            id: "scripted".into(),
            profile: Arc::new(Profile { abilities, ..Profile::default() }),
            play: Arc::new(play),
            attempts: Arc::default(),
        }
    }

    /// Gives the model another id than `scripted`.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = id.into();
        self
    }

    /// Gives the model another profile than one that can do everything.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = Arc::new(profile);
        self
    }

    fn turn(&self, request: &Request) -> Result<Turn> {
        self.profile.check(&self.id, request)?;
        let position = request.messages.iter().filter(|message| message.role == Role::Assistant).count();
        let turn = (self.play)(request, position).ok_or_else(|| over(position, request))?;
        if let Some(check) = &turn.check {
            check(request).map_err(|why| {
                Error::new(Code::ModelScript, format!("turn {} of the script expected {why}", position + 1))
            })?;
        }
        Ok(turn)
    }

    /// The error that this attempt fails with before the turn is played.
    fn failure(&self, turn: &Turn, request: &Request) -> Option<Error> {
        if turn.fails_first.is_empty() {
            return turn.before.clone();
        }
        let key = serde_json::to_string(&request.messages).unwrap_or_default();
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(key).or_insert(0);
        let failure = turn.fails_first.get(*attempt).cloned();
        *attempt = attempt.saturating_add(1);
        failure.or_else(|| turn.before.clone())
    }
}

fn over(position: usize, request: &Request) -> Error {
    let last = request.messages.last().map(|message| {
        let results: String = message.results().map(adjutant_core::message::ToolResult::as_text).collect();
        let text: String = format!("{}{results}", message.text()).chars().take(200).collect();
        format!("{:?}: `{text}`", message.role).to_lowercase()
    });
    let last = last.unwrap_or_else(|| "nothing".to_owned());
    Error::new(Code::ModelScript, format!("the script is over after {position} turns, and was asked {last}"))
}

impl Turn {
    /// A turn of raw deltas and errors, as they are.
    pub fn deltas(deltas: impl IntoIterator<Item = Result<Delta>>) -> Self {
        Self {
            deltas: deltas.into_iter().collect(),
            before: None,
            fails_first: Vec::new(),
            delay: Duration::ZERO,
            between: Duration::ZERO,
            check: None,
        }
    }

    /// A turn that answers with this text, in pieces of one word.
    pub fn text(text: &str) -> Self {
        let words = text.split_inclusive(' ').map(|word| Ok(Delta::Text(word.to_owned())));
        Self::deltas(words.chain([Ok(Delta::End(StopReason::EndTurn))]))
    }

    /// A turn that calls tools, each by its name and its arguments, with ids that the request makes unique.
    pub fn calls<'a>(calls: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let calls = (0u32..).zip(calls).map(|(index, (name, arguments))| {
            Ok(Delta::ToolCall {
                index,
                id: None,
                name: Some(name.to_owned()),
                arguments: arguments.to_string(),
            })
        });
        Self::deltas(calls.chain([Ok(Delta::End(StopReason::ToolCalls))]))
    }

    /// A turn that says this message.
    pub fn message(message: &Message) -> Self {
        let mut index = 0;
        let deltas: Vec<_> =
            message.parts.iter().filter_map(|part| piece(part, &mut index).map(Ok)).collect();
        let stop = if index == 0 { StopReason::EndTurn } else { StopReason::ToolCalls };
        Self::deltas(deltas.into_iter().chain([Ok(Delta::End(stop))]))
    }

    /// A turn that the provider refuses with this error, however often it is asked.
    pub fn error(error: Error) -> Self {
        Self { before: Some(error), ..Self::deltas([]) }
    }

    /// Fails with these errors, one each time the same request is sent to this model, before the turn is played.
    #[must_use]
    pub fn after_errors(mut self, errors: impl IntoIterator<Item = Error>) -> Self {
        self.fails_first = errors.into_iter().collect();
        self
    }

    /// Waits before it accepts the request.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits before each delta.
    #[must_use]
    pub fn every(mut self, between: Duration) -> Self {
        self.between = between;
        self
    }

    /// Says what the turn cost; otherwise it is estimated.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        let end = self.deltas.iter().position(|delta| matches!(delta, Ok(Delta::End(_))));
        self.deltas.insert(end.unwrap_or(self.deltas.len()), Ok(Delta::Usage(usage)));
        self
    }

    /// Checks the request. What the closure returns completes the sentence "the script expected ...".
    #[must_use]
    pub fn expecting(
        mut self,
        check: impl Fn(&Request) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Expects that the last message of the request contains this text, in its own text or in a result.
    #[must_use]
    pub fn expecting_last(self, text: &str) -> Self {
        let text = text.to_owned();
        self.expecting(move |request| {
            let found = request.messages.last().is_some_and(|message| {
                message.text().contains(&text)
                    || message.results().any(|result| result.as_text().contains(&text))
            });
            if found { Ok(()) } else { Err(format!("`{text}` in the last message")) }
        })
    }

    /// The deltas with ids for calls and an estimate of usage where the script gives none.
    fn filled(&self, request: &Request) -> Vec<Result<Delta>> {
        let position = request.messages.iter().filter(|message| message.role == Role::Assistant).count();
        let mut named = Vec::new();
        let mut deltas: Vec<Result<Delta>> = self.deltas.clone();
        for delta in &mut deltas {
            if let Ok(Delta::ToolCall { index, id: id @ None, name: Some(_), .. }) = delta
                && !named.contains(index)
            {
                named.push(*index);
                *id = Some(format!("call_{position}_{index}").as_str().into());
            }
        }
        let tells = deltas.iter().any(|delta| matches!(delta, Ok(Delta::Usage(_))));
        let end = deltas.iter().position(|delta| matches!(delta, Ok(Delta::End(_))));
        if let (false, Some(end)) = (tells, end) {
            let output: usize = deltas.iter().flatten().map(size).sum();
            let output = u64::try_from(output).unwrap_or(u64::MAX).div_ceil(token::BYTES_PER_TOKEN);
            let usage = Usage { input: token::estimate_request(request), output, ..Usage::default() };
            deltas.insert(end, Ok(Delta::Usage(usage)));
        }
        deltas
    }
}

fn size(delta: &Delta) -> usize {
    match delta {
        Delta::Text(text) | Delta::Reasoning(text) => text.len(),
        Delta::ToolCall { arguments, .. } => arguments.len(),
        _ => 0,
    }
}

fn piece(part: &Part, index: &mut u32) -> Option<Delta> {
    match part {
        Part::Text { text } => Some(Delta::Text(text.clone())),
        Part::Reasoning(reasoning) => Some(Delta::ReasoningDone(reasoning.clone())),
        Part::Native(native) => Some(Delta::Native(native.clone())),
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            let delta = Delta::ToolCall {
                index: *index,
                id: Some(id.clone()),
                name: Some(name.clone()),
                arguments: arguments.clone(),
            };
            *index = index.saturating_add(1);
            Some(delta)
        }
        _ => None,
    }
}

impl Model for Scripted {
    fn id(&self) -> &str {
        &self.id
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        let model = self.clone();
        Box::pin(async move {
            let turn = model.turn(&request)?;
            wait(turn.delay, &call).await?;
            if let Some(error) = model.failure(&turn, &request) {
                return Err(error);
            }
            let between = turn.between;
            let deltas = futures::stream::iter(turn.filled(&request)).then(move |delta| {
                let call = call.clone();
                async move {
                    wait(between, &call).await?;
                    delta
                }
            });
            Ok(until_error(deltas.boxed()))
        })
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        Json::of(request)
    }
}

async fn wait(delay: Duration, call: &Call) -> Result<()> {
    let cancelled = || Error::new(Code::RunCancelled, "the call of the model was cancelled");
    if delay.is_zero() {
        return if call.cancel.is_cancelled() { Err(cancelled()) } else { Ok(()) };
    }
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(cancelled()),
        () = tokio::time::sleep(delay) => Ok(()),
    }
}

/// Ends a stream after its first error.
fn until_error(deltas: Deltas) -> Deltas {
    deltas
        .scan(false, |over, delta| {
            let was_over = std::mem::replace(over, delta.is_err());
            std::future::ready((!was_over).then_some(delta))
        })
        .boxed()
}
