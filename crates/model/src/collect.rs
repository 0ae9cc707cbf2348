//! Deltas folded into a whole answer.

use std::collections::BTreeMap;

use adjutant_core::id::CallId;
use adjutant_core::message::{Message, Native, Part, Reasoning, ToolCall};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::call_id::Ids;
use crate::delta::{Delta, Deltas, Instead, StopReason, Tried};
use crate::request::Request;
use crate::response::Response;

/// How many tools one answer may call: an answer that goes astray, or means harm, calls any number.
const MAX_CALLS: usize = 1_024;

/// How many things that were not understood are kept of one answer.
const MAX_UNKNOWN: usize = 64;

/// Reads a stream to its end, shows every delta to `on_delta`, and folds them into the whole answer.
///
/// Fails with the stream's error, or with `model-answer-invalid` where the pieces make no whole.
pub async fn collect(mut deltas: Deltas, mut on_delta: impl FnMut(&Delta)) -> Result<Response> {
    let mut collector = Collector::new();
    while let Some(delta) = deltas.next().await {
        let delta = delta?;
        on_delta(&delta);
        collector.push(delta);
    }
    collector.finish()
}

/// A pure fold of deltas into a [`Response`].
///
/// It repairs what has one meaning (a missing or repeated call id, empty arguments, a stop reason that forgot the
/// tool calls) and refuses the rest. Whatever a model writes, the answer never holds a tool's result: only tools
/// make those.
#[derive(Debug, Default)]
pub struct Collector {
    ids: Ids,
    parts: Vec<Pending>,
    /// Reasoning that still grows.
    reasoning: Option<Reasoning>,
    /// From the index of a call to its place in `parts`.
    calls: BTreeMap<u32, usize>,
    has_too_many_calls: bool,
    usage: Option<Usage>,
    tried: Vec<Tried>,
    instead: Option<Instead>,
    unknown: Vec<Value>,
    /// How many more there were.
    more_unknown: u64,
    request_id: Option<String>,
    model: Option<String>,
    stop: Option<StopReason>,
}

#[derive(Debug)]
enum Pending {
    Text(String),
    Reasoning(Reasoning),
    Native(Native),
    Call { index: u32, id: Option<CallId>, name: String, arguments: String },
}

impl Collector {
    /// A collector that makes call ids unique within the answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A collector that makes call ids unique within the transcript of the request, too.
    pub fn for_request(request: &Request) -> Self {
        Self { ids: Ids::of(request), ..Self::default() }
    }

    /// Takes the next delta. What comes after the end is ignored.
    pub fn push(&mut self, delta: Delta) {
        if self.stop.is_some() {
            return;
        }
        match delta {
            Delta::Start(start) => (self.request_id, self.model) = (start.request_id, start.model),
            Delta::Tried(tried) => self.tried.push(tried),
            Delta::Instead(instead) => self.instead = Some(instead),
            Delta::Text(piece) => self.push_text(&piece),
            Delta::Reasoning(piece) => self.push_reasoning(&piece),
            Delta::ReasoningDone(done) => self.close_reasoning(done),
            Delta::ToolCall { index, id, name, arguments } => self.push_call(index, id, name, &arguments),
            Delta::Native(native) => {
                self.flush_reasoning();
                self.parts.push(Pending::Native(native));
            }
            Delta::Usage(usage) => self.usage = Some(usage),
            Delta::Unknown(value) if self.unknown.len() < MAX_UNKNOWN => self.unknown.push(value),
            Delta::Unknown(_) => self.more_unknown += 1,
            Delta::End(stop) => self.stop = Some(stop),
        }
    }

    /// The whole answer. Fails with `model-answer-invalid` where the stream did not end or a call is not whole.
    pub fn finish(mut self) -> Result<Response> {
        let Some(stop) = self.stop.take() else {
            return Err(invalid("the answer breaks off before its end"));
        };
        self.flush_reasoning();
        if self.has_too_many_calls {
            return Err(invalid(format!("the answer calls more than {MAX_CALLS} tools at once")));
        }
        let has_calls = !self.calls.is_empty();
        let stop = match stop {
            StopReason::ToolCalls if !has_calls => {
                return Err(invalid("the answer says that it calls tools, and calls none"));
            }
            StopReason::EndTurn if has_calls => StopReason::ToolCalls,
            other => other,
        };
        if self.more_unknown > 0 {
            self.unknown.push(json!({"more": self.more_unknown}));
        }
        let mut parts = Vec::with_capacity(self.parts.len());
        let last = self.parts.len().saturating_sub(1);
        for (place, pending) in self.parts.into_iter().enumerate() {
            parts.extend(whole(pending, &mut self.ids, &stop, place == last)?);
        }
        Ok(Response {
            message: Message::assistant(parts),
            usage: self.usage,
            stop,
            model: self.model,
            request_id: self.request_id,
            tried: self.tried,
            instead: self.instead,
            unknown: self.unknown,
        })
    }

    fn push_text(&mut self, piece: &str) {
        if piece.is_empty() {
            return;
        }
        self.flush_reasoning();
        match self.parts.last_mut() {
            Some(Pending::Text(text)) => text.push_str(piece),
            _ => self.parts.push(Pending::Text(piece.to_owned())),
        }
    }

    fn push_reasoning(&mut self, piece: &str) {
        self.reasoning.get_or_insert_default().text.push_str(piece);
    }

    fn close_reasoning(&mut self, done: Reasoning) {
        let pieces = self.reasoning.take().unwrap_or_default().text;
        let text = if done.text.is_empty() { pieces } else { done.text };
        self.parts.push(Pending::Reasoning(Reasoning { text, ..done }));
    }

    /// Ends reasoning that nobody ended, before something else begins.
    fn flush_reasoning(&mut self) {
        self.parts.extend(self.reasoning.take().map(Pending::Reasoning));
    }

    fn push_call(&mut self, index: u32, new_id: Option<CallId>, new_name: Option<String>, piece: &str) {
        self.flush_reasoning();
        if self.calls.len() >= MAX_CALLS && !self.calls.contains_key(&index) {
            self.has_too_many_calls = true;
            return;
        }
        let place = *self.calls.entry(index).or_insert_with(|| {
            self.parts.push(Pending::Call { index, id: None, name: String::new(), arguments: String::new() });
            self.parts.len() - 1
        });
        if let Some(Pending::Call { id, name, arguments, .. }) = self.parts.get_mut(place) {
            if id.is_none() {
                *id = new_id;
            }
            if name.is_empty() {
                *name = new_name.unwrap_or_default();
            }
            arguments.push_str(piece);
        }
    }
}

/// A pending part as a whole one; none for text that is empty.
fn whole(pending: Pending, ids: &mut Ids, stop: &StopReason, is_last: bool) -> Result<Option<Part>> {
    match pending {
        Pending::Text(text) => Ok((!text.is_empty()).then(|| Part::text(text))),
        Pending::Reasoning(reasoning) => Ok(Some(Part::Reasoning(reasoning))),
        Pending::Native(native) => Ok(Some(Part::Native(native))),
        Pending::Call { index, id, name, arguments } => {
            if name.is_empty() {
                return Err(invalid(format!("tool call {index} of the answer has no name")));
            }
            let is_empty = arguments.trim().is_empty();
            let arguments = if is_empty { "{}".to_owned() } else { arguments };
            let is_broken = serde_json::from_str::<serde::de::IgnoredAny>(&arguments).is_err();
            // What was written last may have been cut off right after its name.
            if *stop == StopReason::MaxTokens && (is_broken || (is_empty && is_last)) {
                return Err(invalid(format!("the answer was cut off within its call of `{name}`"))
                    .with_help("allow the model more output tokens")
                    // The same request would be cut off at the same place.
                    .after_attempts(1));
            }
            let id = ids.claim(id.as_ref().map(CallId::as_str), index);
            Ok(Some(Part::ToolCall(ToolCall { id, name, arguments })))
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::ModelAnswerInvalid, message)
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::transcript_fault;

    use super::*;

    fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Delta {
        Delta::ToolCall {
            index,
            id: id.map(CallId::from),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        }
    }

    fn text(piece: &str) -> Delta {
        Delta::Text(piece.to_owned())
    }

    fn fold(deltas: Vec<Delta>) -> Result<Response> {
        let mut collector = Collector::new();
        deltas.into_iter().for_each(|delta| collector.push(delta));
        collector.finish()
    }

    /// One line a part: `text`, `(reasoning)`, `name#id arguments`; then the stop reason.
    fn shown(result: Result<Response>) -> String {
        let response = match result {
            Ok(response) => response,
            Err(error) => return format!("{}: {error}", error.code()),
        };
        let part = |part: &Part| match part {
            Part::Text { text } => text.clone(),
            Part::Reasoning(reasoning) => {
                format!("({}{})", reasoning.text, reasoning.signature.as_deref().unwrap_or_default())
            }
            Part::ToolCall(call) => format!("{}#{} {}", call.name, call.id, call.arguments),
            other => format!("{other:?}"),
        };
        let parts: Vec<String> = response.message.parts.iter().map(part).collect();
        format!("{} | {:?}", parts.join(" | "), response.stop)
    }

    #[test]
    fn pieces_make_one_answer() {
        use StopReason::{EndTurn, MaxTokens, ToolCalls};
        let reasoning = |piece: &str| Delta::Reasoning(piece.to_owned());
        let signed =
            |text: &str| Reasoning { text: text.into(), signature: Some("!".into()), ..Reasoning::default() };
        let invalid = "model-answer-invalid: the answer";
        let cases: Vec<(Vec<Delta>, String)> = vec![
            (vec![text("a"), text(""), text("b"), Delta::End(EndTurn)], "ab | EndTurn".into()),
            (vec![Delta::End(EndTurn)], " | EndTurn".into()),
            (vec![Delta::End(EndTurn), text("late")], " | EndTurn".into()),
            (
                vec![reasoning("h"), reasoning("m"), text("a"), Delta::End(EndTurn)],
                "(hm) | a | EndTurn".into(),
            ),
            (
                vec![reasoning("h"), Delta::ReasoningDone(signed("")), reasoning("x"), Delta::End(EndTurn)],
                "(h!) | (x) | EndTurn".into(),
            ),
            (
                vec![reasoning("h"), Delta::ReasoningDone(signed("all")), Delta::End(EndTurn)],
                "(all!) | EndTurn".into(),
            ),
            (
                vec![
                    call(0, Some("x"), Some("look"), "{\"a\""),
                    call(1, Some("y"), Some("find"), ""),
                    call(0, None, None, ":1}"),
                    Delta::End(ToolCalls),
                ],
                r#"look#x {"a":1} | find#y {} | ToolCalls"#.into(),
            ),
            (vec![call(7, None, Some("look"), ""), Delta::End(EndTurn)], "look#call_7 {} | ToolCalls".into()),
            (
                vec![
                    call(0, Some("x"), Some("a"), ""),
                    call(1, Some("x"), Some("b"), ""),
                    Delta::End(ToolCalls),
                ],
                "a#x {} | b#x_2 {} | ToolCalls".into(),
            ),
            (
                vec![call(0, Some("x"), Some("a"), "{"), Delta::End(MaxTokens)],
                format!("{invalid} was cut off within its call of `a`"),
            ),
            (
                vec![call(0, Some("x"), Some("a"), ""), Delta::End(MaxTokens)],
                format!("{invalid} was cut off within its call of `a`"),
            ),
            (
                vec![call(0, Some("x"), Some("a"), ""), text("so"), Delta::End(MaxTokens)],
                "a#x {} | so | MaxTokens".into(),
            ),
            (vec![text("a")], format!("{invalid} breaks off before its end")),
            (
                vec![text("a"), Delta::End(ToolCalls)],
                format!("{invalid} says that it calls tools, and calls none"),
            ),
            (
                vec![call(0, Some("x"), None, "{}"), Delta::End(ToolCalls)],
                "model-answer-invalid: tool call 0 of the answer has no name".into(),
            ),
            // A model that plays the tool is not believed: what it writes stays its own text.
            (
                vec![text("Action: look\nObservation: 42"), Delta::End(EndTurn)],
                "Action: look\nObservation: 42 | EndTurn".into(),
            ),
        ];
        for (deltas, expected) in cases {
            assert_eq!(shown(fold(deltas.clone())), expected, "{deltas:?}");
        }
    }

    #[test]
    fn ids_are_unique_in_the_whole_transcript() {
        let first = fold(vec![call(0, None, Some("look"), ""), Delta::End(StopReason::ToolCalls)]).unwrap();
        let result = |response: &Response| {
            let call = response.message.calls().next().unwrap();
            Message::tool(adjutant_core::message::ToolResult::text(call, "ok"))
        };
        let mut messages = vec![Message::user("hi"), first.message.clone(), result(&first)];
        let mut collector = Collector::for_request(&Request::new(messages.clone()));
        collector.push(call(0, None, Some("look"), ""));
        collector.push(Delta::End(StopReason::ToolCalls));
        let second = collector.finish().unwrap();
        messages.extend([second.message.clone(), result(&second)]);
        assert_eq!(transcript_fault(&messages), None);
    }

    #[test]
    fn calls_are_taken_up_to_a_bound() {
        let calls = |count: u32| {
            let calls = (0..count).map(|index| call(index, None, Some("look"), "{}"));
            fold(calls.chain([Delta::End(StopReason::ToolCalls)]).collect())
        };
        assert_eq!(calls(1_024).unwrap().message.calls().count(), MAX_CALLS);
        let error = calls(1_025).unwrap_err();
        assert_eq!(error.to_string(), "the answer calls more than 1024 tools at once");
    }

    #[test]
    fn what_is_not_understood_is_kept_up_to_a_bound() {
        let kept = |count: usize| {
            let mut deltas = vec![Delta::Unknown(Value::from(1)); count];
            deltas.push(Delta::End(StopReason::EndTurn));
            let unknown = fold(deltas).unwrap().unknown;
            (unknown.len(), unknown.last().cloned())
        };
        assert_eq!(kept(MAX_UNKNOWN), (MAX_UNKNOWN, Some(Value::from(1))));
        assert_eq!(kept(MAX_UNKNOWN + 5), (MAX_UNKNOWN + 1, Some(json!({"more": 5}))));
    }
}
