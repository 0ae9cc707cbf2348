//! An answer in chunks: `CreateChatCompletionStreamResponse` in OpenAI's API description.

use adjutant::model::Delta;
use adjutant_core::usage::Usage;
use serde_json::{Value, json};

use super::answer::{Head, detail_of, finish, usage};
use crate::gateway::Tell;
use crate::openai::fault;
use crate::wire::{Calls, Fault, Step, seal, seal_native};

/// Makes the chunks of one answer.
#[derive(Debug)]
pub(crate) struct Chunks {
    head: Head,
    tells_usage: bool,
    begun: bool,
    thought: String,
    calls: Calls,
    used: Option<Usage>,
}

impl Chunks {
    /// No chunk yet; `tells_usage` where the client wants to know in the end what was used.
    pub(crate) fn new(head: Head, tells_usage: bool) -> Self {
        Self { head, tells_usage, begun: false, thought: String::new(), calls: Calls::default(), used: None }
    }

    fn begin(&mut self, out: &mut String) {
        if !std::mem::replace(&mut self.begun, true) {
            let first = json!({"role": "assistant", "content": "", "refusal": null});
            self.chunk(json!([choice(first, None)]), None, out);
        }
    }

    fn piece(&mut self, delta: Value, out: &mut String) {
        self.begin(out);
        self.chunk(json!([choice(delta, None)]), None, out);
    }

    fn chunk(&self, choices: Value, used: Option<Value>, out: &mut String) {
        let mut chunk = json!({
            "id": self.head.id,
            "object": "chat.completion.chunk",
            "created": self.head.created,
            "model": self.head.model,
            "service_tier": "default",
            "system_fingerprint": null,
        });
        if let Some(fields) = chunk.as_object_mut() {
            fields.insert("choices".into(), choices);
            if self.tells_usage {
                fields.insert("usage".into(), used.unwrap_or_default());
            }
        }
        event(&chunk, out);
    }
}

impl Tell for Chunks {
    fn push(&mut self, delta: &Delta, out: &mut String) {
        match delta {
            Delta::Text(text) => self.piece(json!({"content": text}), out),
            Delta::Reasoning(text) => {
                self.thought.push_str(text);
                self.piece(json!({"reasoning_content": text}), out);
            }
            Delta::ReasoningDone(reasoning) => {
                let shown = std::mem::take(&mut self.thought);
                // The text is in the seal: whoever puts the pieces together has it already.
                if let Some(detail) = detail_of("", seal(&with(reasoning, &shown), "")) {
                    self.piece(json!({"reasoning_details": [detail]}), out);
                }
            }
            Delta::Native(native) => {
                if let Some(data) = seal_native(native) {
                    let detail = json!({"type": "reasoning.encrypted", "data": data});
                    self.piece(json!({"reasoning_details": [detail]}), out);
                }
            }
            Delta::ToolCall { .. } => {
                for step in self.calls.take(delta) {
                    self.piece(json!({"tool_calls": [call(step)]}), out);
                }
            }
            Delta::Usage(used) => self.used = Some(*used),
            Delta::End(stop) => {
                self.begin(out);
                self.chunk(json!([choice(json!({}), Some(finish(stop, true)))]), None, out);
                if let (true, Some(used)) = (self.tells_usage, self.used) {
                    self.chunk(json!([]), Some(usage(used)), out);
                }
                out.push_str("data: [DONE]\n\n");
            }
            Delta::Start(_) => self.begin(out),
            _ => {}
        }
    }

    fn fail(&mut self, why: &Fault, out: &mut String) {
        event(&fault::body(why), out);
    }
}

/// What was said of a thought in the end, with the text that the pieces had where it brings none.
pub(crate) fn with(
    reasoning: &adjutant_core::message::Reasoning,
    shown: &str,
) -> adjutant_core::message::Reasoning {
    let mut whole = reasoning.clone();
    if whole.text.is_empty() {
        shown.clone_into(&mut whole.text);
    }
    whole
}

fn choice(delta: Value, finish: Option<&str>) -> Value {
    let mut choice = json!({"index": 0, "logprobs": null, "finish_reason": finish});
    if let Some(fields) = choice.as_object_mut() {
        fields.insert("delta".into(), delta);
    }
    choice
}

fn call(step: Step) -> Value {
    match step {
        Step::Begin(place, id, name) => {
            json!({"index": place, "id": id, "type": "function", "function": {"name": name, "arguments": ""}})
        }
        Step::Piece(place, arguments) => json!({"index": place, "function": {"arguments": arguments}}),
    }
}

fn event(data: &Value, out: &mut String) {
    out.push_str("data: ");
    out.push_str(&data.to_string());
    out.push_str("\n\n");
}
