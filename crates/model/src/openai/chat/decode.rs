//! What arrives, as deltas: a state machine without I/O.
//!
//! The fields are those of `CreateChatCompletionStreamResponse` in OpenAI's API description, as its official clients
//! carry it, and what other servers are known to add. All of it is read from any server: a gateway may pass on what it got.

use std::collections::HashMap;

use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::calls::Calls;
use super::reasoning::Pieces;
use super::stop::{self, Ending};
use super::usage;
use crate::call_id::Ids;
use crate::delta::{Delta, Start, StopReason};
use crate::provider::Decode;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::{Complaint, Peer, refusal};

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";
/// What the answer cost, as OpenRouter and xAI say it: shown, while what is charged is reckoned from the prices.
const COSTS: [&str; 2] = ["cost", "cost_in_usd_ticks"];
/// How often things that are not understood are told in one answer: some servers repeat them in every chunk.
const MOST_UNKNOWN: usize = 64;

/// Decodes one answer, in chunks or whole.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Peer,
    started: bool,
    /// What the answer is called, until that is told.
    id: Option<String>,
    calls: Calls,
    reasoning: Pieces,
    refused: bool,
    stop: Option<StopReason>,
    usage: Option<Usage>,
    /// The last value of each field that is not understood.
    unknown: HashMap<String, Value>,
    told_unknown: usize,
    ended: bool,
}

impl Decode for Decoder {
    fn knows(&self, name: &str) -> bool {
        name == "error"
    }

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
            started: false,
            id: None,
            calls: Calls::new(Ids::of(request)),
            reasoning: Pieces::default(),
            refused: false,
            stop: None,
            usage: None,
            unknown: HashMap::new(),
            told_unknown: 0,
            ended: false,
        }
    }

    fn chunk(&mut self, data: &str, field: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        let chunk: Value = serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(200).collect();
            self.invalid(&format!("is not JSON ({error}): {}", self.peer.clean(&shown)))
        })?;
        self.check(&chunk)?;
        let Value::Object(chunk) = chunk else {
            return Err(self.invalid(&format!("is not an object: {}", self.peer.clean(data))));
        };
        let choices = chunk.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        self.start(&chunk, !choices.is_empty(), deltas);
        for choice in choices {
            self.choice(choice, field, deltas)?;
        }
        // Groq counts here, also where nobody asks.
        let groq = chunk.get("x_groq");
        let counted = chunk.get("usage").filter(|usage| !usage.is_null()).or_else(|| groq?.get("usage"));
        if let Some(usage) = counted.and_then(usage::read)
            && self.usage.replace(usage) != Some(usage)
        {
            deltas.push(Delta::Usage(usage));
        }
        if let Some(Value::Object(counted)) = counted {
            let is_cost = |name: &str| COSTS.contains(&name);
            let costs = counted.iter().filter(|(name, _)| is_cost(name));
            let costs = costs.map(|(name, value)| (name.clone(), value.clone())).collect();
            self.keep_unknown("usage.", &costs, &[], deltas);
        }
        // Groq's way to say that the stream ends too soon; what is there belongs to an answer that is not whole.
        if let Some(groq) = groq {
            self.check(groq)?;
        }
        const KNOWN: [&str; 10] = [
            "id",
            "object",
            "created",
            "model",
            "choices",
            "usage",
            "system_fingerprint",
            "service_tier",
            "obfuscation",
            "x_groq",
        ];
        self.keep_unknown("", &chunk, &KNOWN, deltas);
        Ok(())
    }

    /// Fails where a value is a complaint.
    fn check(&self, value: &Value) -> Result<()> {
        match Complaint::find(value) {
            Some(complaint) => Err(self.complained(&complaint)),
            None => Ok(()),
        }
    }

    fn complained(&self, complaint: &Complaint) -> Error {
        let status = complaint.status.unwrap_or_else(|| status_of(&complaint.word));
        refusal(&self.peer, status, &HeaderMap::new(), complaint)
    }

    /// Tells that the answer begins, as soon as its model is known: Azure's first chunk, which is about filters, has none.
    fn start(&mut self, chunk: &Map<String, Value>, begins: bool, deltas: &mut Vec<Delta>) {
        let text = |name: &str| {
            chunk.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let groq = chunk.get("x_groq").and_then(|groq| groq.get("id")).and_then(Value::as_str);
        self.id = self.id.take().or_else(|| groq.map(str::to_owned)).or_else(|| text("id"));
        let model = text("model");
        if begins || model.is_some() {
            self.begin(model, deltas);
        }
    }

    fn begin(&mut self, model: Option<String>, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            deltas.push(Delta::Start(Start { model, request_id: self.id.take(), ..Start::default() }));
        }
    }

    fn choice(&mut self, choice: &Value, field: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        if choice.get("index").and_then(Value::as_u64).unwrap_or(0) != 0 {
            // Only one answer was asked for.
            deltas.push(Delta::Unknown(json!({"choice": choice})));
            return Ok(());
        }
        if let Some(Value::Object(delta)) = choice.get(field) {
            self.delta(delta, deltas);
        }
        // OpenRouter's way to say that a provider behind it failed.
        if choice.get("error").is_some_and(|error| !error.is_null()) {
            self.check(choice)?;
        }
        let reason = choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
        let matched = choice.get("stop_reason").is_some_and(Value::is_string);
        match stop::read(reason, matched) {
            Some(Ending::Stopped(stop)) => self.stop = Some(stop),
            Some(Ending::Failed) => {
                let message = format!("it stopped with `{reason}`");
                return Err(self.complained(&Complaint { message, ..Complaint::default() }));
            }
            None if field == "message" && self.stop.is_none() => self.stop = Some(StopReason::EndTurn),
            None => {}
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Map<String, Value>, deltas: &mut Vec<Delta>) {
        self.reasoning.take(delta, deltas);
        match delta.get("content") {
            Some(Value::String(text)) => self.text(text, deltas),
            Some(Value::Array(parts)) => parts.iter().for_each(|part| self.part(part, deltas)),
            _ => {}
        }
        if let Some(Value::String(text)) = delta.get("refusal")
            && !text.is_empty()
        {
            self.refused = true;
            self.text(text, deltas);
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.reasoning.close(deltas);
            self.calls.take(call, deltas);
        }
        const KNOWN: [&str; 8] = [
            "role",
            "content",
            "refusal",
            "tool_calls",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "thinking_blocks",
        ];
        self.keep_unknown("delta.", delta, &KNOWN, deltas);
    }

    fn text(&mut self, text: &str, deltas: &mut Vec<Delta>) {
        if !text.is_empty() {
            self.reasoning.close(deltas);
            deltas.push(Delta::Text(text.to_owned()));
        }
    }

    /// A part of content that came as a list.
    fn part(&mut self, part: &Value, deltas: &mut Vec<Delta>) {
        match (part.get("type").and_then(Value::as_str), part.get("text").and_then(Value::as_str)) {
            (Some("text"), Some(text)) => self.text(text, deltas),
            (Some("thinking"), _) => self.reasoning.chunk(part, deltas),
            _ => deltas.push(Delta::Unknown(json!({"content": part}))),
        }
    }

    fn finish(&mut self, deltas: &mut Vec<Delta>) {
        self.ended = true;
        self.begin(None, deltas);
        self.reasoning.close(deltas);
        self.calls.finish(deltas);
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
        for (name, value) in fields {
            if value.is_null() || known.contains(&name.as_str()) || self.told_unknown >= MOST_UNKNOWN {
                continue;
            }
            let name = format!("{prefix}{name}");
            if self.unknown.get(&name) != Some(value) {
                self.told_unknown += 1;
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
    let says = |words: &[&str]| words.iter().any(|own| word.contains(own));
    match word {
        _ if says(&["insufficient_quota", "rate_limit"]) => 429,
        _ if says(&["authentication", "unauthorized"]) => 401,
        _ if says(&["payment_required"]) => 402,
        _ if says(&["permission_denied"]) => 403,
        _ if says(&["not_found"]) => 404,
        _ if says(&["invalid", "bad_request", "unprocessable", "too_large", "too_long"]) => 400,
        _ if says(&["context_length", "tokens_exceeded", "token_limit", "budget_exceeded"]) => 400,
        _ if says(&["content_policy", "content_filter", "tool_use_failed", "json_validate_failed"]) => 400,
        _ => 500,
    }
}

#[cfg(test)]
mod tests;
