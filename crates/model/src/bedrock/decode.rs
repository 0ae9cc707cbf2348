//! What arrives, as deltas: a state machine without I/O over `ConverseStreamOutput` in the service description.
//!
//! An answer comes in blocks, each with an index. Texts and reasoning need not be announced; calls are. The count of
//! tokens comes after the reason why the model stopped, and ends the stream.

use std::collections::HashMap;

use adjutant_core::message::{Native, Reasoning};
use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::{NAME, usage};
use crate::call_id::Ids;
use crate::delta::{Delta, Start, StopReason};
use crate::event_stream::EXCEPTION;
use crate::provider::Decode;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::{Complaint, Peer, refusal};

/// The events that must be JSON.
const KNOWN: [&str; 7] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    EXCEPTION,
];

/// Decodes one answer, in events or whole.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Peer,
    ids: Ids,
    started: bool,
    /// The blocks that are not complete, by their index.
    open: HashMap<u64, Block>,
    /// How many tools were called.
    calls: u32,
    stop: Option<StopReason>,
    ended: bool,
}

/// A block that is not complete.
#[derive(Debug)]
enum Block {
    Reasoning {
        signature: Option<String>,
    },
    Call {
        index: u32,
    },
    /// A call that the provider itself answers.
    OwnCall {
        start: Map<String, Value>,
        input: String,
    },
    /// What it answered.
    OwnResult {
        start: Map<String, Value>,
        content: Vec<Value>,
    },
}

impl Decode for Decoder {
    fn knows(&self, name: &str) -> bool {
        KNOWN.contains(&name)
    }

    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        let data = match self.json(&event.data) {
            Ok(data) => data,
            Err(error) if KNOWN.contains(&event.name.as_str()) => return Err(error),
            Err(_) => event.data.as_str().into(),
        };
        match event.name.as_str() {
            EXCEPTION => return Err(self.exception(&data)),
            "messageStart" => self.start(deltas),
            "contentBlockStart" => self.block_start(&data, deltas),
            "contentBlockDelta" => self.block_delta(&data, deltas),
            "contentBlockStop" => self.block_stop(index_of(&data), deltas),
            "messageStop" => self.message_stop(&data, deltas),
            "metadata" => {
                self.metadata(&data, deltas);
                if self.stop.is_some() {
                    self.finish(deltas);
                }
            }
            other => deltas.push(Delta::Unknown(json!({other: data}))),
        }
        Ok(())
    }

    fn whole(&mut self, body: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        let answer = self.json(body)?;
        let Some(content) = answer.pointer("/output/message/content").and_then(Value::as_array) else {
            return Err(match Complaint::find(&answer) {
                Some(complaint) => refusal(&self.peer, 500, &HeaderMap::new(), &complaint),
                None => self.invalid("has no message"),
            });
        };
        self.start(deltas);
        for block in content {
            self.whole_block(block, deltas);
        }
        self.message_stop(&answer, deltas);
        self.metadata(&answer, deltas);
        self.finish(deltas);
        Ok(())
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        match (self.ended, &self.stop) {
            (true, _) => Ok(()),
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
            open: HashMap::new(),
            calls: 0,
            stop: None,
            ended: false,
        }
    }

    fn json(&self, data: &str) -> Result<Value> {
        serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(200).collect();
            self.invalid(&format!("is not JSON ({error}): {}", self.peer.clean(&shown)))
        })
    }

    fn start(&mut self, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            deltas.push(Delta::Start(Start::default()));
        }
    }

    fn block_start(&mut self, data: &Value, deltas: &mut Vec<Delta>) {
        let start = data.get("start").unwrap_or(&Value::Null);
        let block = match (start.get("toolUse"), start.get("toolResult")) {
            (Some(Value::Object(call)), _) if call.contains_key("type") => {
                Block::OwnCall { start: call.clone(), input: String::new() }
            }
            (Some(call), _) => self.call(call, deltas),
            (_, Some(Value::Object(result))) => {
                Block::OwnResult { start: result.clone(), content: Vec::new() }
            }
            // A text or reasoning that is announced all the same.
            _ if start.get("text").is_some() || start.get("reasoningContent").is_some() => return,
            _ => {
                deltas.push(Delta::Unknown(json!({"contentBlockStart": start})));
                return;
            }
        };
        self.open.insert(index_of(data), block);
    }

    /// Begins a call.
    fn call(&mut self, call: &Value, deltas: &mut Vec<Delta>) -> Block {
        let text = |key: &str| call.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        let id = Some(self.ids.claim(text("toolUseId"), index));
        let name = text("name").map(str::to_owned);
        deltas.push(Delta::ToolCall { index, id, name, arguments: String::new() });
        Block::Call { index }
    }

    fn block_delta(&mut self, data: &Value, deltas: &mut Vec<Delta>) {
        let at = index_of(data);
        let Some(delta) = data.get("delta").and_then(Value::as_object) else { return };
        for (member, value) in delta {
            match (member.as_str(), value) {
                ("text", Value::String(text)) => {
                    deltas.extend((!text.is_empty()).then(|| Delta::Text(text.clone())));
                }
                ("reasoningContent", value) => self.reasoning(at, value, deltas),
                ("toolUse", value) => self.input(at, value, deltas),
                ("toolResult", Value::Array(pieces)) => match self.open.get_mut(&at) {
                    Some(Block::OwnResult { content, .. }) => content.extend(pieces.iter().cloned()),
                    _ => deltas.push(unknown_delta(member, value)),
                },
                _ => deltas.push(unknown_delta(member, value)),
            }
        }
    }

    fn reasoning(&mut self, at: u64, value: &Value, deltas: &mut Vec<Delta>) {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        if let Some(bytes) = text("redactedContent") {
            deltas.push(Delta::ReasoningDone(encrypted(bytes)));
        }
        let (thought, new) = (text("text"), text("signature"));
        if thought.is_none() && new.is_none() {
            return;
        }
        if let Some(thought) = thought.filter(|thought| !thought.is_empty()) {
            deltas.push(Delta::Reasoning(thought.to_owned()));
        }
        let block = self.open.entry(at).or_insert(Block::Reasoning { signature: None });
        if let (Block::Reasoning { signature }, Some(new)) = (block, new) {
            signature.get_or_insert_default().push_str(new);
        }
    }

    /// A piece of the arguments of a call.
    fn input(&mut self, at: u64, value: &Value, deltas: &mut Vec<Delta>) {
        let piece = match value.get("input") {
            Some(Value::String(piece)) => piece.clone(),
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => return,
        };
        match self.open.get_mut(&at) {
            Some(Block::Call { index }) => {
                deltas.push(Delta::ToolCall { index: *index, id: None, name: None, arguments: piece });
            }
            Some(Block::OwnCall { input, .. }) => input.push_str(&piece),
            _ => deltas.push(unknown_delta("toolUse", value)),
        }
    }

    fn block_stop(&mut self, at: u64, deltas: &mut Vec<Delta>) {
        match self.open.remove(&at) {
            None | Some(Block::Call { .. }) => {}
            Some(Block::Reasoning { signature }) => deltas.push(Delta::ReasoningDone(signed("", signature))),
            Some(Block::OwnCall { mut start, input }) => {
                let input = serde_json::from_str(&input).unwrap_or_else(|_| json!({}));
                start.insert("input".into(), input);
                deltas.push(native("toolUse", start.into()));
            }
            Some(Block::OwnResult { mut start, content }) => {
                start.insert("content".into(), content.into());
                deltas.push(native("toolResult", start.into()));
            }
        }
    }

    /// A block of an answer that is not streamed.
    fn whole_block(&mut self, block: &Value, deltas: &mut Vec<Delta>) {
        let Some((member, value)) = block.as_object().and_then(|block| block.iter().next()) else { return };
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        match member.as_str() {
            "text" => deltas.extend(value.as_str().map(|text| Delta::Text(text.to_owned()))),
            "reasoningContent" => deltas.push(Delta::ReasoningDone(match text("/redactedContent") {
                Some(bytes) => encrypted(bytes),
                None => signed(
                    text("/reasoningText/text").unwrap_or_default(),
                    text("/reasoningText/signature").map(str::to_owned),
                ),
            })),
            "toolUse" if value.get("type").is_none() => {
                if let Block::Call { index } = self.call(value, deltas) {
                    let arguments = value.get("input").map(Value::to_string).unwrap_or_default();
                    deltas.push(Delta::ToolCall { index, id: None, name: None, arguments });
                }
            }
            "toolUse" | "toolResult" => deltas.push(native(member, value.clone())),
            "citationsContent" => {
                let said = value.get("content").and_then(Value::as_array).into_iter().flatten();
                let said: String = said.filter_map(|piece| piece.get("text")?.as_str()).collect();
                deltas.push(Delta::Text(said));
                deltas.push(Delta::Unknown(json!({"citations": value.get("citations")})));
            }
            _ => deltas.push(Delta::Unknown(block.clone())),
        }
    }

    fn message_stop(&mut self, data: &Value, deltas: &mut Vec<Delta>) {
        let reason = data.get("stopReason").and_then(Value::as_str).unwrap_or("end_turn");
        self.stop = Some(stop_reason(reason));
        deltas.extend(kept(data, "additionalModelResponseFields"));
    }

    fn metadata(&mut self, data: &Value, deltas: &mut Vec<Delta>) {
        deltas.extend(data.get("usage").and_then(usage::read).map(Delta::Usage));
        deltas.extend(kept(data, "trace"));
    }

    fn finish(&mut self, deltas: &mut Vec<Delta>) {
        self.ended = true;
        let mut left: Vec<u64> = self.open.keys().copied().collect();
        left.sort_unstable();
        left.into_iter().for_each(|at| self.block_stop(at, deltas));
        deltas.extend(self.stop.take().map(Delta::End));
    }

    /// The error that an exception within a stream means: its status is the one that it would have had before.
    fn exception(&self, data: &Value) -> Error {
        let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let named = data.get("originalStatusCode").and_then(Value::as_u64);
        let complaint = Complaint { message: text("message"), word: text("type"), ..Complaint::default() };
        let status = status_of(&complaint.word, named.and_then(|status| u16::try_from(status).ok()));
        refusal(&self.peer, status, &HeaderMap::new(), &complaint)
    }

    fn invalid(&self, what: &str) -> Error {
        let name = self.peer.name();
        Error::new(Code::ModelAnswerInvalid, format!("the answer of the provider at `{name}` {what}"))
    }
}

fn index_of(data: &Value) -> u64 {
    data.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or(0)
}

fn unknown_delta(member: &str, value: &Value) -> Delta {
    Delta::Unknown(json!({format!("delta.{member}"): value}))
}

/// Something that was asked for by extra parameters.
fn kept(data: &Value, key: &str) -> Option<Delta> {
    let value = data.get(key).filter(|value| !value.is_null() && **value != json!({}))?;
    Some(Delta::Unknown(json!({key: value})))
}

fn native(member: &str, value: Value) -> Delta {
    Delta::Native(Native { provider: NAME.to_owned(), value: Value::from_iter([(member, value)]) })
}

/// Reasoning with its signature, which means something here alone; without one any model may read it.
fn signed(text: &str, signature: Option<String>) -> Reasoning {
    let provider = signature.is_some().then(|| NAME.to_owned());
    Reasoning { text: text.to_owned(), provider, signature, ..Reasoning::default() }
}

fn encrypted(bytes: &str) -> Reasoning {
    Reasoning { provider: Some(NAME.to_owned()), encrypted: Some(bytes.to_owned()), ..Reasoning::default() }
}

fn stop_reason(reason: &str) -> StopReason {
    match reason {
        "end_turn" => StopReason::EndTurn,
        "tool_use" => StopReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "guardrail_intervened" | "content_filtered" => StopReason::ContentFilter,
        "refusal" => StopReason::Refusal,
        other => StopReason::Other(other.to_owned()),
    }
}

/// The status of an exception by its name, which is written with a small letter within streams; or the one that the model
/// gave the interface, where that one says more.
fn status_of(name: &str, named: Option<u16>) -> u16 {
    match name.to_ascii_lowercase().trim_end_matches("exception") {
        "throttling" | "modelnotready" | "servicequotaexceeded" => 429,
        "validation" => 400,
        "accessdenied" | "unrecognizedclient" | "expiredtoken" | "invalidsignature" => 403,
        "resourcenotfound" => 404,
        "modeltimeout" => 408,
        "modelerror" => named.filter(|status| (400..600).contains(status)).unwrap_or(424),
        "modelstreamerror" => 424,
        "serviceunavailable" => 503,
        _ => 500,
    }
}

#[cfg(test)]
mod tests;
