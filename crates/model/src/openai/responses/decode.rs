//! What arrives, as deltas: a state machine without I/O.

use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use serde_json::{Value, json};

use super::outcome::{self, Failure, outcome};
use super::output::{self, Output};
use crate::call_id::Ids;
use crate::delta::{Delta, Start};
use crate::provider::Decode;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::{Complaint, Peer, refusal};

/// What ends a stream at some servers; OpenAI's own has no such event.
const DONE: &str = "[DONE]";

/// Events that say nothing that is not in the item that follows them. Those of the tools that run on the provider's side
/// are many, and end with the tool's name or go on behind it.
const PROGRESS: &[&str] = &[
    "response.content_part.",
    "response.output_text.done",
    "response.refusal.done",
    "response.function_call_arguments.done",
    "response.reasoning_summary_part.",
    "response.reasoning_summary_text.done",
    "response.reasoning_text.done",
    "response.reasoning_part.",
    "response.compaction.",
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call",
    "response.image_generation_call.",
    "response.mcp_call",
    "response.mcp_list_tools.",
    "response.shell_call",
    "response.custom_tool_call_input.",
];

/// What a response says beside its answer that is worth keeping: what tools of the provider used, and which reasoning was
/// not shown to the model.
const NOTES: &[&str] = &["tool_usage", "input_transformations"];

/// Decodes one answer, in events or whole.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Peer,
    output: Output,
    started: bool,
    ended: bool,
}

impl Decode for Decoder {
    fn knows(&self, name: &str) -> bool {
        name == "error" || name.starts_with("response.")
    }

    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<()> {
        match event.data.trim() {
            _ if self.ended => Ok(()),
            "" | DONE => Ok(()),
            data => {
                let value = self.parse(data)?;
                self.take(&value, deltas)
            }
        }
    }

    fn whole(&mut self, body: &str, deltas: &mut Vec<Delta>) -> Result<()> {
        let response = self.parse(body)?;
        let is_response = response.get("output").is_some_and(Value::is_array);
        match Complaint::find(&response) {
            Some(complaint) if !is_response => Err(self.failure(outcome::complaint(complaint))),
            _ if is_response => self.finish(&response, deltas),
            _ => Err(self.invalid("has no output")),
        }
    }

    fn end(&mut self, _deltas: &mut Vec<Delta>) -> Result<()> {
        match self.ended {
            true => Ok(()),
            false => Err(self.invalid("breaks off before its end")),
        }
    }

    fn is_complete(&self) -> bool {
        self.ended
    }
}

impl Decoder {
    pub(super) fn new(peer: Peer, request: &Request, origin: &str) -> Self {
        Self { peer, output: Output::new(Ids::of(request), origin), started: false, ended: false }
    }

    fn parse(&self, data: &str) -> Result<Value> {
        serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(200).collect();
            self.invalid(&format!("is not JSON ({error}): {}", self.peer.clean(&shown)))
        })
    }

    fn take(&mut self, event: &Value, deltas: &mut Vec<Delta>) -> Result<()> {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        let none = Value::Null;
        let response = event.get("response").unwrap_or(&none);
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => self.start(response, deltas),
            "response.output_item.added" => self.output.added(event, deltas),
            "response.output_item.done" => self.output.done(event, deltas),
            "response.output_text.delta" => self.output.text(event, deltas),
            "response.refusal.delta" => self.output.refusal(event, deltas),
            "response.function_call_arguments.delta" => self.output.arguments(event, deltas),
            "response.reasoning_summary_text.delta" => self.output.reasoning(event, "summary_index", deltas),
            "response.reasoning_text.delta" => self.output.reasoning(event, "content_index", deltas),
            "response.output_text.annotation.added" => {
                deltas.extend(event.get("annotation").map(output::annotation));
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                return self.finish(response, deltas);
            }
            "keepalive" => {}
            "error" | "" => match Complaint::find(event) {
                Some(complaint) => return Err(self.failure(outcome::complaint(complaint))),
                None => deltas.push(Delta::Unknown(event.clone())),
            },
            kind if PROGRESS.iter().any(|known| kind.starts_with(known)) => {}
            _ => deltas.push(Delta::Unknown(event.clone())),
        }
        Ok(())
    }

    fn start(&mut self, response: &Value, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            let text = |key: &str| {
                response.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
            };
            deltas.push(Delta::Start(Start {
                request_id: text("id"),
                model: text("model"),
                ..Start::default()
            }));
        }
    }

    fn finish(&mut self, response: &Value, deltas: &mut Vec<Delta>) -> Result<()> {
        self.start(response, deltas);
        self.output.all(response, deltas);
        deltas.extend(outcome::usage(response).map(Delta::Usage));
        for note in NOTES {
            if let Some(value) = response.get(note).filter(|value| is_something(value)) {
                deltas.push(Delta::Unknown(json!({*note: value})));
            }
        }
        let stop = outcome(response, self.output.calls(), self.output.refused());
        let stop = stop.map_err(|failure| self.failure(failure))?;
        self.ended = true;
        deltas.push(Delta::End(stop));
        Ok(())
    }

    fn failure(&self, failure: Failure) -> Error {
        match failure {
            Failure::Complaint(status, complaint) => {
                refusal(&self.peer, status, &HeaderMap::new(), &complaint)
            }
            Failure::Unfinished(state) => {
                self.invalid(&format!("ends while it is `{}`", self.peer.clean(&state)))
            }
        }
    }

    fn invalid(&self, what: &str) -> Error {
        let name = self.peer.name();
        Error::new(Code::ModelAnswerInvalid, format!("the answer of the provider at `{name}` {what}"))
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
