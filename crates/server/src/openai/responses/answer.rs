//! An answer as one body: `Response` in OpenAI's API description.

use adjutant::model::{Response, StopReason};
use adjutant_core::message::{Native, Part, Reasoning, ToolCall};
use adjutant_core::usage::Usage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::openai::fault;
use crate::wire::{Fault, seal, seal_native};

/// What OpenAI's own items are stamped with.
const OWN: &str = "openai-responses";

/// What a response is, whatever its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Its id, without what says that it is a response: ids of its items are made of it, so an item tells where it stands.
    pub(crate) id: String,
    /// When it began, in seconds since 1970.
    pub(crate) created: i64,
    /// Who answers.
    pub(crate) model: String,
    /// Whether it goes on without its client.
    pub(crate) background: bool,
    /// Whether reasoning comes sealed, to be sent back.
    pub(crate) sealed: bool,
    /// The conversation that it is a turn of.
    pub(crate) conversation: Option<String>,
    /// What of the request stands in it again.
    pub(crate) echo: Map<String, Value>,
}

impl Frame {
    /// The id of an item of it.
    pub(crate) fn item_id(&self, kind: &str, place: usize) -> String {
        format!("{kind}_{}_{place}", self.id)
    }

    /// The response in a state, with what it has so far.
    pub(crate) fn response(&self, status: &str, output: Vec<Value>, used: Option<Usage>) -> Value {
        let mut response = self.echo.clone();
        let conversation = self.conversation.as_ref().map(|id| json!({"id": id}));
        let fields = json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": self.background,
            "error": null,
            "incomplete_details": null,
            "max_tool_calls": null,
            "model": self.model,
            "service_tier": "default",
            "top_logprobs": 0,
            "truncation": "disabled",
            "conversation": conversation,
            "usage": used.map(usage),
        });
        if let Value::Object(fields) = fields {
            response.extend(fields);
        }
        response.insert("output".into(), output.into());
        response.into()
    }

    /// The response in the state in which an answer leaves it.
    pub(crate) fn ended(&self, stop: &StopReason, output: Vec<Value>, used: Option<Usage>) -> Value {
        let reason = match stop {
            StopReason::MaxTokens => Some("max_output_tokens"),
            StopReason::ContentFilter => Some("content_filter"),
            _ => None,
        };
        let mut response =
            self.response(if reason.is_some() { "incomplete" } else { "completed" }, output, used);
        if let (Some(reason), Some(fields)) = (reason, response.as_object_mut()) {
            fields.insert("incomplete_details".into(), json!({"reason": reason}));
        }
        response
    }
}

/// The whole response.
pub(crate) fn whole(frame: &Frame, response: &Response) -> Value {
    frame.ended(&response.stop, output(frame, response), response.usage)
}

/// The response that failed, with what there was of it.
pub(crate) fn failed(frame: &Frame, why: &Fault, output: Vec<Value>) -> Value {
    let mut response = frame.response("failed", output, None);
    let body = fault::body(why);
    let word = |name: &str| body.pointer(&format!("/error/{name}")).cloned().unwrap_or_default();
    if let Some(fields) = response.as_object_mut() {
        fields.insert("error".into(), json!({"code": word("code"), "message": word("message")}));
    }
    response
}

/// The items of an answer.
pub(crate) fn output(frame: &Frame, response: &Response) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    let mut text = String::new();
    let refused = response.stop == StopReason::Refusal;
    let say = |text: &mut String, phase: Option<&str>, items: &mut Vec<Value>| {
        if !text.is_empty() {
            let id = frame.item_id("msg", items.len());
            items.push(message(&id, &std::mem::take(text), phase, refused));
        }
    };
    for part in &response.message.parts {
        if let Part::Text { text: said } = part {
            text.push_str(said);
            continue;
        }
        say(&mut text, phase_of(part), &mut items);
        let place = items.len();
        items.extend(match part {
            Part::ToolCall(made) => Some(call(&frame.item_id("fc", place), made, "completed")),
            Part::Reasoning(thought) => {
                let sealed = seal(thought, &thought.text).filter(|_| frame.sealed);
                Some(reasoning(&frame.item_id("rs", place), &thought.text, sealed))
            }
            Part::Native(native) => native_item(frame, place, native),
            _ => None,
        });
    }
    say(&mut text, None, &mut items);
    items
}

/// What the text before a part is, where the part says that: OpenAI's models comment before they answer.
fn phase_of(part: &Part) -> Option<&str> {
    match part {
        Part::Native(native) if native.provider == OWN => phase(native),
        _ => None,
    }
}

/// The phase that a part of OpenAI's own says, which is no item.
pub(super) fn phase(native: &Native) -> Option<&str> {
    native.value.get("phase").and_then(Value::as_str).filter(|_| native.value.get("type").is_none())
}

/// Something of a provider's own: sealed, since no client could show it. None where the client does not want sealed things.
pub(super) fn native_item(frame: &Frame, place: usize, native: &Native) -> Option<Value> {
    if native.provider == OWN && phase(native).is_some() || !frame.sealed {
        return None;
    }
    Some(reasoning(&frame.item_id("rs", place), "", Some(seal_native(native)?)))
}

/// A message of the model.
pub(super) fn message(id: &str, text: &str, phase: Option<&str>, refused: bool) -> Value {
    let part = match refused {
        true => json!({"type": "refusal", "refusal": text}),
        false => text_part(text),
    };
    let mut item =
        json!({"id": id, "type": "message", "status": "completed", "role": "assistant", "content": [part]});
    if let (Some(phase), Some(fields)) = (phase, item.as_object_mut()) {
        fields.insert("phase".into(), phase.into());
    }
    item
}

/// A part of a message.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// A call of a tool.
pub(super) fn call(id: &str, call: &ToolCall, status: &str) -> Value {
    json!({
        "id": id,
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
    })
}

/// What the model thought.
pub(super) fn reasoning(id: &str, text: &str, sealed: Option<String>) -> Value {
    let summary: Vec<Value> = (!text.is_empty()).then(|| summary_part(text)).into_iter().collect();
    let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
    if let (Some(sealed), Some(fields)) = (sealed, item.as_object_mut()) {
        fields.insert("encrypted_content".into(), sealed.into());
    }
    item
}

/// A part of what is shown of it.
pub(super) fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// Reasoning as it stands in an item, sealed where the client wants that.
pub(super) fn thought(frame: &Frame, place: usize, thought: &Reasoning, shown: &str) -> Value {
    let sealed = seal(thought, shown).filter(|_| frame.sealed);
    reasoning(&frame.item_id("rs", place), shown, sealed)
}

/// The tokens that were used.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    })
}
