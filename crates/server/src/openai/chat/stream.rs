//! An answer in chunks: `CreateChatCompletionStreamResponse` in OpenAI's API description.

use adjutant::model::Delta;
use adjutant_core::usage::Usage;
use serde::Serialize;
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
            self.chunk(&[Choice::of(&first, None)], None, out);
        }
    }

    fn piece(&mut self, delta: &impl Serialize, out: &mut String) {
        self.begin(out);
        self.chunk(&[Choice::of(delta, None)], None, out);
    }

    fn calls(&mut self, steps: Vec<Step>, out: &mut String) {
        for call in steps.into_iter().filter_map(call) {
            self.piece(&json!({"tool_calls": [call]}), out);
        }
    }

    fn chunk<D: Serialize>(&self, choices: &[Choice<'_, D>], used: Option<Value>, out: &mut String) {
        let chunk = Chunk {
            id: &self.head.id,
            object: "chat.completion.chunk",
            created: self.head.created,
            model: &self.head.model,
            service_tier: "default",
            system_fingerprint: None,
            choices,
            usage: self.tells_usage.then(|| used.unwrap_or_default()),
        };
        event(&chunk, out);
    }
}

/// One chunk.
#[derive(Serialize)]
struct Chunk<'a, D> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    service_tier: &'static str,
    system_fingerprint: Option<&'static str>,
    choices: &'a [Choice<'a, D>],
    /// Where the client wants to know it: nothing, but in the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

/// What is new of the one answer that there is.
#[derive(Serialize)]
struct Choice<'a, D> {
    index: u32,
    delta: &'a D,
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl<'a, D> Choice<'a, D> {
    fn of(delta: &'a D, finish_reason: Option<&'static str>) -> Self {
        Self { index: 0, delta, logprobs: None, finish_reason }
    }
}

/// A piece of text.
#[derive(Serialize)]
struct Said<'a> {
    content: &'a str,
}

impl Tell for Chunks {
    fn push(&mut self, delta: &Delta, out: &mut String) {
        match delta {
            Delta::Text(text) => self.piece(&Said { content: text }, out),
            Delta::Reasoning(text) => {
                self.thought.push_str(text);
                self.piece(&json!({"reasoning_content": text}), out);
            }
            Delta::ReasoningDone(reasoning) => {
                let shown = std::mem::take(&mut self.thought);
                // The text is in the seal: whoever puts the pieces together has it already.
                if let Some(detail) = detail_of("", seal(&with(reasoning, &shown), "")) {
                    self.piece(&json!({"reasoning_details": [detail]}), out);
                }
            }
            Delta::Native(native) => {
                if let Some(data) = seal_native(native) {
                    let detail = json!({"type": "reasoning.encrypted", "data": data});
                    self.piece(&json!({"reasoning_details": [detail]}), out);
                }
            }
            Delta::ToolCall { .. } => {
                let steps = self.calls.take(delta);
                self.calls(steps, out);
            }
            Delta::Usage(used) => self.used = Some(*used),
            Delta::End(stop) => {
                self.begin(out);
                let steps = self.calls.finish();
                self.calls(steps, out);
                self.chunk(&[Choice::of(&json!({}), Some(finish(stop, true)))], None, out);
                if let (true, Some(used)) = (self.tells_usage, self.used) {
                    self.chunk::<Value>(&[], Some(usage(used)), out);
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

/// A step of a call in a chunk; that it is whole is not said apart.
fn call(step: Step) -> Option<Value> {
    match step {
        Step::Begin(place, id, name) => Some(
            json!({"index": place, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}),
        ),
        Step::Piece(place, arguments) => Some(json!({"index": place, "function": {"arguments": arguments}})),
        Step::End(_) => None,
    }
}

fn event(data: &impl Serialize, out: &mut String) {
    // What is made here has no key that is not text, and no number that JSON does not have.
    let data = serde_json::to_string(data).unwrap_or_default();
    out.push_str("data: ");
    out.push_str(&data);
    out.push_str("\n\n");
}
