//! What arrives, as deltas: a state machine without I/O.

use std::collections::BTreeMap;

use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use super::block::{Block, end_of_text};
use super::kind_of;
use super::usage::Counts;
use crate::call_id::Ids;
use crate::delta::{Delta, Start, StopReason};
use crate::provider::Decode;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::{Complaint, Peer, refusal};

/// The events that must be JSON. A `ping` says nothing, whatever it holds.
const EVENTS: [&str; 7] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
];

/// The fields of a message that are understood, or say nothing.
const OF_MESSAGE: [&str; 9] =
    ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"];

/// Decodes one answer, streamed or whole.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Peer,
    /// Who signs the model's thinking.
    origin: String,
    ids: Ids,
    started: bool,
    /// How many calls have begun.
    calls: u32,
    /// The blocks that have begun and not ended, by their place in the content.
    open: BTreeMap<u64, Block>,
    /// Whether the last block was a text whose end was not told. Another text behind it must not become one with it: what the
    /// model said goes back in the blocks in which it came.
    after_text: bool,
    counts: Counts,
    told: Option<Usage>,
    spoke: bool,
    stop: Option<StopReason>,
    ended: bool,
}

impl Decode for Decoder {
    fn knows(&self, name: &str) -> bool {
        EVENTS.contains(&name)
    }

    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<()> {
        let data = event.data.trim();
        if self.ended || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let value = self.json(data)?;
        let kind = Some(kind_of(&value)).filter(|kind| !kind.is_empty()).unwrap_or(&event.name).to_owned();
        let first = deltas.len();
        let result = self.take(&kind, &value, deltas);
        self.spoke |= deltas.iter().skip(first).any(|delta| matches!(delta, Delta::Text(_)));
        result
    }

    fn whole(&mut self, body: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        let message = self.json(body)?;
        self.check_complaint(&message)?;
        let Some(content) = message.get("content").and_then(Value::as_array) else {
            return Err(self.invalid("has no content"));
        };
        self.start(&message, deltas);
        for block in content {
            let block = self.begin_block(block, deltas);
            self.end_block(block, deltas);
        }
        self.spoke = deltas.iter().any(|delta| matches!(delta, Delta::Text(_)));
        self.stop_at(&message, deltas);
        self.finish(deltas);
        Ok(())
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        match (self.ended, &self.stop) {
            (true, _) => Ok(()),
            // Some servers forget the last event, but all of them say why the model stopped.
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
    pub(super) fn new(peer: Peer, request: &Request, origin: &str) -> Self {
        Self {
            peer,
            origin: origin.to_owned(),
            ids: Ids::of(request),
            started: false,
            calls: 0,
            open: BTreeMap::new(),
            after_text: false,
            counts: Counts::default(),
            told: None,
            spoke: false,
            stop: None,
            ended: false,
        }
    }

    fn take(&mut self, kind: &str, value: &Value, deltas: &mut Vec<Delta>) -> Result<()> {
        let field = |name: &str| value.get(name).unwrap_or(&Value::Null);
        let index = value.get("index").and_then(Value::as_u64).unwrap_or(0);
        match kind {
            "message_start" => self.start(field("message"), deltas),
            "content_block_start" => {
                let block = self.begin_block(field("content_block"), deltas);
                if let Some(forgotten) = self.open.insert(index, block) {
                    self.end_block(forgotten, deltas);
                }
            }
            "content_block_delta" => {
                let piece = field("delta");
                self.open.entry(index).or_insert_with(|| Block::implied_by(piece)).push(piece, deltas);
            }
            "content_block_stop" => {
                if let Some(block) = self.open.remove(&index) {
                    self.end_block(block, deltas);
                }
            }
            "message_delta" => {
                self.count(field("usage"), deltas);
                self.stop_at(field("delta"), deltas);
                keep_unknown("message_delta.", value, &["type", "delta", "usage"], deltas);
                let known = ["stop_reason", "stop_sequence", "stop_details"];
                keep_unknown("message_delta.delta.", field("delta"), &known, deltas);
            }
            "message_stop" => self.finish(deltas),
            "ping" => {}
            _ => {
                self.check_complaint(value)?;
                deltas.push(Delta::Unknown(value.clone()));
            }
        }
        Ok(())
    }

    fn start(&mut self, message: &Value, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            let model = message.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
            deltas.push(Delta::Start(Start { model: model.map(str::to_owned), ..Start::default() }));
        }
        self.count(message.get("usage").unwrap_or(&Value::Null), deltas);
        keep_unknown("message.", message, &OF_MESSAGE, deltas);
    }

    fn begin_block(&mut self, block: &Value, deltas: &mut Vec<Delta>) -> Block {
        if std::mem::take(&mut self.after_text) && kind_of(block) == "text" {
            deltas.push(end_of_text(&[]));
        }
        let begun = Block::open(block, self.calls, &self.origin, &mut self.ids, deltas);
        if matches!(begun, Block::Call { .. }) {
            self.calls = self.calls.saturating_add(1);
        }
        begun
    }

    fn end_block(&mut self, block: Block, deltas: &mut Vec<Delta>) {
        self.after_text = block.ends_silently();
        block.close(&self.origin, deltas);
    }

    fn count(&mut self, usage: &Value, deltas: &mut Vec<Delta>) {
        self.counts.take(usage);
        let usage = self.counts.usage();
        if usage.is_some() && self.told != usage {
            self.told = usage;
            deltas.extend(usage.map(Delta::Usage));
        }
    }

    /// Takes why the model stopped, from the message or its last part.
    fn stop_at(&mut self, message: &Value, deltas: &mut Vec<Delta>) {
        if let Some(reason) = message.get("stop_reason").and_then(Value::as_str) {
            self.stop = Some(stop_reason(reason));
        }
        let Some(details) = message.get("stop_details").filter(|details| !details.is_null()) else { return };
        deltas.push(Delta::Unknown(json!({"stop_details": details})));
        // The provider's reason stands for the model's where the model said nothing.
        if let (Some(why), false) = (details.get("explanation").and_then(Value::as_str), self.spoke) {
            deltas.push(Delta::Text(why.to_owned()));
        }
    }

    fn finish(&mut self, deltas: &mut Vec<Delta>) {
        self.ended = true;
        for (_, block) in std::mem::take(&mut self.open) {
            self.end_block(block, deltas);
        }
        if let Some(tools) = self.counts.tools() {
            deltas.push(Delta::Unknown(json!({"usage.server_tool_use": tools})));
        }
        let fitting = if self.calls == 0 { StopReason::EndTurn } else { StopReason::ToolCalls };
        deltas.push(Delta::End(self.stop.take().unwrap_or(fitting)));
    }

    fn json(&self, data: &str) -> Result<Value> {
        serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(200).collect();
            self.invalid(&format!("is not JSON ({error}): {}", self.peer.clean(&shown)))
        })
    }

    /// Fails where this is an error and no part of an answer.
    fn check_complaint(&self, value: &Value) -> Result<()> {
        let Some(error) = value.get("error").filter(|error| !error.is_null()) else { return Ok(()) };
        let Some(complaint) = Complaint::find(value) else { return Ok(()) };
        let kind = error.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut headers = HeaderMap::new();
        let id = value.get("request_id").and_then(Value::as_str);
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert("request-id", id);
        }
        let status = complaint.status.unwrap_or_else(|| status_of(kind));
        Err(refusal(&self.peer, status, &headers, &complaint))
    }

    fn invalid(&self, what: &str) -> Error {
        let name = self.peer.name();
        Error::new(Code::ModelAnswerInvalid, format!("the answer of the provider at `{name}` {what}"))
    }
}

fn keep_unknown(prefix: &str, value: &Value, known: &[&str], deltas: &mut Vec<Delta>) {
    let fields = value.as_object().into_iter().flatten();
    let unknown = fields.filter(|(name, value)| !value.is_null() && !known.contains(&name.as_str()));
    deltas.extend(unknown.map(|(name, value)| {
        let field = Map::from_iter([(format!("{prefix}{name}"), value.clone())]);
        Delta::Unknown(Value::Object(field))
    }));
}

/// The status that an error would have had before the stream began (platform.claude.com/docs, "Errors").
fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn stop_reason(reason: &str) -> StopReason {
    match reason {
        "end_turn" => StopReason::EndTurn,
        "tool_use" => StopReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Paused,
        other => StopReason::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests;
