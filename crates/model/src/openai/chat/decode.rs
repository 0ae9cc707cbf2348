//! What arrives, as deltas: a state machine without I/O.
//!
//! The fields are those of `CreateChatCompletionStreamResponse` in OpenAI's API description, as its official clients
//! carry it, and what other servers are known to add.

use std::collections::HashMap;

use adjutant_core::id::CallId;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::usage;
use crate::call_id::Ids;
use crate::delta::{Delta, Start, StopReason};
use crate::provider::Decode;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::{Complaint, Peer, refusal};

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";

/// Decodes one answer, in chunks or whole.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Peer,
    ids: Ids,
    started: bool,
    calls: Vec<Call>,
    refused: bool,
    stop: Option<StopReason>,
    usage: Option<Usage>,
    /// The last value of each field that is not understood: servers repeat them in every chunk.
    unknown: HashMap<String, Value>,
    ended: bool,
}

#[derive(Debug)]
struct Call {
    /// The index that the server gave, if any.
    wire_index: Option<u64>,
    wire_id: Option<String>,
    name: Option<String>,
    /// The id that everybody uses.
    id: Option<CallId>,
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<()> {
        match event.data.trim() {
            _ if self.ended => Ok(()),
            "" => Ok(()),
            DONE => {
                self.finish(deltas);
                Ok(())
            }
            data => self.chunk(data, "delta", deltas),
        }
    }

    fn whole(&mut self, body: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        self.chunk(body, "message", deltas)?;
        if self.stop.is_none() {
            return Err(self.invalid("has no choices"));
        }
        self.finish(deltas);
        Ok(())
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        match (self.ended, &self.stop) {
            (true, _) => Ok(()),
            // Some servers close without the last event, but all of them say why the model stopped.
            (false, Some(_)) => {
                self.finish(deltas);
                Ok(())
            }
            (false, None) => Err(self.invalid("breaks off before its end")),
        }
    }

    fn is_complete(&self) -> bool {
        self.ended
    }
}

impl Decoder {
    pub(super) fn new(peer: Peer, request: &Request) -> Self {
        Self {
            peer,
            ids: Ids::of(request),
            started: false,
            calls: Vec::new(),
            refused: false,
            stop: None,
            usage: None,
            unknown: HashMap::new(),
            ended: false,
        }
    }

    fn chunk(&mut self, data: &str, field: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        let chunk: Value = serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(200).collect();
            self.invalid(&format!("is not JSON ({error}): {}", self.peer.clean(&shown)))
        })?;
        if let Some(complaint) = Complaint::find(&chunk) {
            let status = complaint.status.unwrap_or_else(|| status_of(&complaint.word));
            return Err(refusal(&self.peer, status, &HeaderMap::new(), &complaint));
        }
        let Value::Object(chunk) = chunk else {
            return Err(self.invalid(&format!("is not an object: {}", self.peer.clean(data))));
        };
        self.start(&chunk, deltas);
        for choice in chunk.get("choices").and_then(Value::as_array).into_iter().flatten() {
            self.choice(choice, field, deltas);
        }
        if let Some(usage) = chunk.get("usage").and_then(usage::read)
            && self.usage.replace(usage) != Some(usage)
        {
            deltas.push(Delta::Usage(usage));
        }
        const KNOWN: [&str; 9] = [
            "id",
            "object",
            "created",
            "model",
            "choices",
            "usage",
            "system_fingerprint",
            "service_tier",
            "obfuscation",
        ];
        self.keep_unknown("", &chunk, &KNOWN, deltas);
        Ok(())
    }

    fn start(&mut self, chunk: &Map<String, Value>, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            let model = chunk.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
            deltas.push(Delta::Start(Start { model: model.map(str::to_owned), ..Start::default() }));
        }
    }

    fn choice(&mut self, choice: &Value, field: &str, deltas: &mut Vec<Delta>) {
        if choice.get("index").and_then(Value::as_u64).unwrap_or(0) != 0 {
            // Only one answer was asked for.
            deltas.push(Delta::Unknown(json!({"choice": choice})));
            return;
        }
        if let Some(Value::Object(delta)) = choice.get(field) {
            self.delta(delta, deltas);
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            let matched = choice.get("stop_reason").is_some_and(Value::is_string);
            self.stop = Some(stop_reason(reason, matched));
        } else if field == "message" && self.stop.is_none() {
            self.stop = Some(StopReason::EndTurn);
        }
    }

    fn delta(&mut self, delta: &Map<String, Value>, deltas: &mut Vec<Delta>) {
        for name in ["reasoning_content", "reasoning"] {
            if let Some(Value::String(text)) = delta.get(name)
                && !text.is_empty()
            {
                deltas.push(Delta::Reasoning(text.clone()));
                break;
            }
        }
        match delta.get("content") {
            Some(Value::String(text)) if !text.is_empty() => deltas.push(Delta::Text(text.clone())),
            Some(Value::Array(parts)) => parts.iter().for_each(|part| deltas.push(content_part(part))),
            _ => {}
        }
        if let Some(Value::String(text)) = delta.get("refusal")
            && !text.is_empty()
        {
            self.refused = true;
            deltas.push(Delta::Text(text.clone()));
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.call(call, deltas);
        }
        const KNOWN: [&str; 6] =
            ["role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning"];
        self.keep_unknown("delta.", delta, &KNOWN, deltas);
    }

    fn call(&mut self, call: &Value, deltas: &mut Vec<Delta>) {
        let text = |pointer: &str| {
            call.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (wire_id, name) = (text("/id"), text("/function/name"));
        let arguments = match call.pointer("/function/arguments") {
            Some(Value::String(text)) => text.clone(),
            // Some servers send the object itself.
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => String::new(),
        };
        let wire_index = call.get("index").and_then(Value::as_u64);
        let place = self.place(wire_index, wire_id.as_deref(), name.as_deref());
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        if place == self.calls.len() {
            self.calls.push(Call { wire_index, wire_id: None, name: None, id: None });
        }
        let Some(open) = self.calls.get_mut(place) else { return };
        let new_id = match (&open.id, &wire_id) {
            (None, Some(wire_id)) => Some(self.ids.claim(Some(wire_id), index)),
            _ => None,
        };
        let new_name = if open.name.is_none() { name } else { None };
        open.id = open.id.take().or_else(|| new_id.clone());
        open.wire_id = open.wire_id.take().or(wire_id);
        open.name = open.name.take().or_else(|| new_name.clone());
        deltas.push(Delta::ToolCall { index, id: new_id, name: new_name, arguments });
    }

    /// Which call a piece belongs to; one past the last for a new one.
    ///
    /// By its index; but a piece with another id and a name begins a new call even under an index that is taken (some
    /// servers number every call 0), and a piece without an index belongs to the call of its id, or to the last one.
    fn place(&self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> usize {
        let begins = |call: &Call| {
            id.is_some() && name.is_some() && call.wire_id.is_some() && call.wire_id.as_deref() != id
        };
        let found = match index {
            Some(_) => self.calls.iter().rposition(|call| call.wire_index == index),
            None => match id {
                Some(_) => self.calls.iter().rposition(|call| call.wire_id.as_deref() == id),
                None if name.is_some() => None,
                None => self.calls.len().checked_sub(1),
            },
        };
        match found.and_then(|place| Some((place, self.calls.get(place)?))) {
            Some((place, call)) if !begins(call) => place,
            _ => self.calls.len(),
        }
    }

    fn finish(&mut self, deltas: &mut Vec<Delta>) {
        self.ended = true;
        for (index, call) in (0u32..).zip(&mut self.calls) {
            if call.id.is_none() {
                let id = Some(self.ids.claim(None, index));
                call.id.clone_from(&id);
                deltas.push(Delta::ToolCall { index, id, name: None, arguments: String::new() });
            }
        }
        let stop = match self.stop.take() {
            _ if self.refused => StopReason::Refusal,
            Some(stop) => stop,
            None if self.calls.is_empty() => StopReason::EndTurn,
            None => StopReason::ToolCalls,
        };
        deltas.push(Delta::End(stop));
    }

    fn keep_unknown(
        &mut self,
        prefix: &str,
        fields: &Map<String, Value>,
        known: &[&str],
        deltas: &mut Vec<Delta>,
    ) {
        const MOST: usize = 64;
        for (name, value) in fields {
            if value.is_null() || known.contains(&name.as_str()) {
                continue;
            }
            let name = format!("{prefix}{name}");
            if self.unknown.get(&name) != Some(value) && self.unknown.len() < MOST {
                self.unknown.insert(name.clone(), value.clone());
                deltas.push(Delta::Unknown(json!({name: value})));
            }
        }
    }

    fn invalid(&self, what: &str) -> Error {
        let name = self.peer.name();
        Error::new(Code::ModelAnswerInvalid, format!("the answer of the provider at `{name}` {what}"))
    }
}

/// The status that a complaint would have had before the stream began: the status itself is sent by then.
fn status_of(word: &str) -> u16 {
    match word {
        "insufficient_quota" | "rate_limit_exceeded" | "rate_limit_error" => 429,
        word if word.contains("invalid") => 400,
        _ => 500,
    }
}

/// A part of content that came as a list.
fn content_part(part: &Value) -> Delta {
    let text = |name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
    match part.get("type").and_then(Value::as_str) {
        Some("text") => text("text").map(Delta::Text),
        Some("thinking") => {
            let inner = part.pointer("/thinking/0/text").and_then(Value::as_str).map(str::to_owned);
            text("thinking").or(inner).map(Delta::Reasoning)
        }
        _ => None,
    }
    .unwrap_or_else(|| Delta::Unknown(json!({"content": part})))
}

fn stop_reason(reason: &str, matched_stop_text: bool) -> StopReason {
    match reason {
        "stop" if matched_stop_text => StopReason::StopSequence,
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "content_filter" => StopReason::ContentFilter,
        other => StopReason::Other(other.to_owned()),
    }
}
