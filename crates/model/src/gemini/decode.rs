//! What arrives, as deltas: a state machine without I/O.
//!
//! The fields are those of `GenerateContentResponse` in Google's client for Python. A stream is a row of such answers, each
//! with what comes to the last one. It has no last event: the connection ends it, and it is whole where a reason to stop or
//! a block of the prompt came before.

use std::collections::HashMap;

use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::candidate::{Parts, SOURCES};
use super::stop::{self, Stop};
use super::usage::Counts;
use crate::call_id::Ids;
use crate::delta::{Delta, Start, StopReason};
use crate::provider::Decode;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::{Complaint, Peer, refusal};

/// Decodes one answer, in pieces or whole.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Peer,
    parts: Parts,
    has_started: bool,
    stop: Option<Stop>,
    /// What the provider adds to the reason.
    explanation: String,
    counts: Counts,
    used: Option<Usage>,
    /// Where the answer found what it says: the last word of each kind.
    sources: Map<String, Value>,
    /// The last value of each field that is not understood: they are repeated in every piece.
    unknown: HashMap<String, Value>,
    has_ended: bool,
}

impl Decode for Decoder {
    fn knows(&self, name: &str) -> bool {
        name == "error"
    }

    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<()> {
        match event.data.trim() {
            // Google ends no stream so; what stands between may.
            "" | "[DONE]" => Ok(()),
            data => self.answer(data, deltas),
        }
    }

    fn whole(&mut self, body: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        self.answer(body, deltas)?;
        match self.stop {
            Some(_) => self.end(deltas),
            None => Err(self.invalid("has no candidate that is complete")),
        }
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        for (name, value) in std::mem::take(&mut self.sources) {
            deltas.push(self.parts.native(json!({name: value})));
        }
        let stop = match self.stop.take() {
            None => return Err(self.invalid("breaks off before its end")),
            Some(Stop::Fault(code, what)) => return Err(self.fault(code, what)),
            Some(Stop::End(StopReason::EndTurn)) if self.parts.has_calls() => StopReason::ToolCalls,
            Some(Stop::End(stop)) => stop,
        };
        self.has_ended = true;
        deltas.push(Delta::End(stop));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.has_ended
    }
}

impl Decoder {
    pub(super) fn new(peer: Peer, request: &Request, provider: &'static str, model: &str) -> Self {
        Self {
            peer,
            parts: Parts::new(provider, model, Ids::of(request)),
            has_started: false,
            stop: None,
            explanation: String::new(),
            counts: Counts::default(),
            used: None,
            sources: Map::new(),
            unknown: HashMap::new(),
            has_ended: false,
        }
    }

    fn answer(&mut self, data: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        let value: Value = serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(200).collect();
            self.invalid(&format!("is not JSON ({error}): {}", self.peer.clean(&shown)))
        })?;
        match value {
            // A stream that was not asked for as events is a list of the same.
            Value::Array(list) => list.iter().try_for_each(|value| self.piece(value, deltas)),
            value => self.piece(&value, deltas),
        }
    }

    fn piece(&mut self, value: &Value, deltas: &mut Vec<Delta>) -> Result<()> {
        if let Some(complaint) = Complaint::find(value) {
            let status = complaint.status.unwrap_or_else(|| status_of(&complaint.word));
            return Err(refusal(&self.peer, status, &HeaderMap::new(), &complaint));
        }
        let Value::Object(fields) = value else {
            return Err(self.invalid(&format!("is not an object: {}", self.peer.clean(&value.to_string()))));
        };
        self.start(fields, deltas);
        if let Some(reason) = value.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
            self.stop = Some(Stop::End(StopReason::ContentFilter));
            self.keep_unknown("promptFeedback", &json!({"blockReason": reason, "blockReasonMessage": value.pointer("/promptFeedback/blockReasonMessage")}), deltas);
        }
        for candidate in fields.get("candidates").and_then(Value::as_array).into_iter().flatten() {
            self.candidate(candidate, deltas)?;
        }
        if let Some(metadata) = fields.get("usageMetadata") {
            self.counts.take(metadata);
            if let Some(usage) = self.counts.usage()
                && self.used.replace(usage) != Some(usage)
            {
                deltas.push(Delta::Usage(usage));
            }
        }
        const KNOWN: [&str; 6] =
            ["candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime"];
        self.keep_unknown_of("", fields, &KNOWN, deltas);
        Ok(())
    }

    fn start(&mut self, fields: &Map<String, Value>, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.has_started, true) {
            let text = |name: &str| {
                fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
            };
            let (request_id, model) = (text("responseId"), text("modelVersion"));
            deltas.push(Delta::Start(Start { request_id, model, ..Start::default() }));
        }
    }

    fn candidate(&mut self, candidate: &Value, deltas: &mut Vec<Delta>) -> Result<()> {
        let Value::Object(fields) = candidate else { return Ok(()) };
        if fields.get("index").and_then(Value::as_u64).unwrap_or(0) != 0 {
            // Only one answer was asked for.
            deltas.push(Delta::Unknown(json!({"candidate": candidate})));
            return Ok(());
        }
        for part in candidate.pointer("/content/parts").and_then(Value::as_array).into_iter().flatten() {
            self.parts.take(part, deltas)?;
        }
        if let Some(reason) = fields.get("finishReason").and_then(Value::as_str) {
            self.stop = Some(stop::meaning(reason));
        }
        if let Some(message) = fields.get("finishMessage").and_then(Value::as_str) {
            message.clone_into(&mut self.explanation);
            self.keep_unknown("finishMessage", &message.into(), deltas);
        }
        for name in SOURCES {
            if let Some(value) = fields.get(name).filter(|value| !is_nothing(value)) {
                self.sources.insert(name.to_owned(), value.clone());
            }
        }
        const KNOWN: [&str; 7] = [
            "content",
            "finishReason",
            "finishMessage",
            "index",
            "tokenCount",
            "safetyRatings",
            "avgLogprobs",
        ];
        let known: Vec<&str> = KNOWN.into_iter().chain(SOURCES).collect();
        self.keep_unknown_of("candidate.", fields, &known, deltas);
        Ok(())
    }

    fn keep_unknown_of(
        &mut self,
        prefix: &str,
        fields: &Map<String, Value>,
        known: &[&str],
        deltas: &mut Vec<Delta>,
    ) {
        for (name, value) in
            fields.iter().filter(|(name, value)| !value.is_null() && !known.contains(&name.as_str()))
        {
            self.keep_unknown(&format!("{prefix}{name}"), value, deltas);
        }
    }

    fn keep_unknown(&mut self, name: &str, value: &Value, deltas: &mut Vec<Delta>) {
        const MOST: usize = 64;
        if self.unknown.get(name) != Some(value) && self.unknown.len() < MOST {
            self.unknown.insert(name.to_owned(), value.clone());
            deltas.push(Delta::Unknown(json!({name: value})));
        }
    }

    fn fault(&self, code: Code, what: &str) -> Error {
        let name = self.peer.name();
        let said = self.peer.clean(&self.explanation);
        let separator = if said.is_empty() { "" } else { ": " };
        Error::new(code, format!("the answer of the provider at `{name}` {what}{separator}{said}"))
    }

    fn invalid(&self, what: &str) -> Error {
        let name = self.peer.name();
        Error::new(Code::ModelAnswerInvalid, format!("the answer of the provider at `{name}` {what}"))
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// The status that a complaint would have had before the stream began (google.rpc.Code and its HTTP mapping).
fn status_of(word: &str) -> u16 {
    match word.split(' ').next().unwrap_or_default() {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "ABORTED" | "ALREADY_EXISTS" => 409,
        "RESOURCE_EXHAUSTED" => 429,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => 500,
    }
}

#[cfg(test)]
mod tests;
