//! An answer as one body: `CreateChatCompletionResponse` in OpenAI's API description.

use adjutant::model::{Response, StopReason};
use adjutant_core::message::Part;
use adjutant_core::usage::Usage;
use serde_json::{Map, Value, json};

use crate::wire::{seal, seal_native};

/// What an answer says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// Its id.
    pub(crate) id: String,
    /// When it was made, in seconds since 1970.
    pub(crate) created: i64,
    /// Who answers.
    pub(crate) model: String,
}

/// The whole answer.
pub(crate) fn whole(head: &Head, response: &Response) -> Value {
    let mut message = Map::new();
    let text = response.message.text();
    let refused = response.stop == StopReason::Refusal && !text.is_empty();
    let calls: Vec<Value> = response.message.calls().map(call).collect();
    let says = !refused && (!text.is_empty() || calls.is_empty());
    let content = says.then_some(text.as_str());
    message.insert("role".into(), "assistant".into());
    message.insert("content".into(), content.into());
    message.insert("refusal".into(), refused.then_some(text.as_str()).into());
    message.insert("annotations".into(), json!([]));
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    let thought = thought_of(&response.message.parts);
    if !thought.is_empty() {
        message.insert("reasoning_content".into(), thought.into());
    }
    if let Some(details) = details(&response.message.parts) {
        message.insert("reasoning_details".into(), details.into());
    }
    json!({
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(&response.stop, false)}],
        "usage": response.usage.map(usage),
        "service_tier": "default",
        "system_fingerprint": null,
    })
}

/// What the model thought, as text.
fn thought_of(parts: &[Part]) -> String {
    let thoughts = parts.iter().filter_map(|part| match part {
        Part::Reasoning(reasoning) => Some(reasoning.text.as_str()),
        _ => None,
    });
    thoughts.collect()
}

/// What must come back as it is; none where nothing must. Where anything is sealed the list holds all that was thought.
fn details(parts: &[Part]) -> Option<Vec<Value>> {
    let mut is_sealed = false;
    let details = parts.iter().filter_map(|part| match part {
        Part::Reasoning(reasoning) => {
            let sealed = seal(reasoning, &reasoning.text);
            is_sealed |= sealed.is_some();
            let plain = || json!({"type": "reasoning.text", "text": reasoning.text});
            Some(detail_of(&reasoning.text, sealed).unwrap_or_else(plain))
        }
        Part::Native(native) => {
            is_sealed = true;
            detail_of("", seal_native(native))
        }
        _ => None,
    });
    // Numbers keep them apart: who puts a stream together takes what has the same one for one thing.
    let details = (0_u64..).zip(details).map(|(index, mut detail)| {
        if let Some(fields) = detail.as_object_mut() {
            fields.insert("index".into(), index.into());
        }
        detail
    });
    let details: Vec<Value> = details.collect();
    is_sealed.then_some(details)
}

/// A piece of reasoning with its seal; none where there is no seal.
pub(super) fn detail_of(text: &str, sealed: Option<String>) -> Option<Value> {
    sealed.map(|sealed| match text.is_empty() {
        true => json!({"type": "reasoning.encrypted", "data": sealed}),
        false => json!({"type": "reasoning.text", "text": text, "signature": sealed}),
    })
}

fn call(call: &adjutant_core::message::ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

/// Why it ended, in OpenAI's words. Clients know no others. In a stream a refusal was told as text by then.
pub(super) fn finish(stop: &StopReason, streamed: bool) -> &'static str {
    match stop {
        StopReason::ToolCalls => "tool_calls",
        StopReason::MaxTokens => "length",
        StopReason::ContentFilter => "content_filter",
        StopReason::Refusal if streamed => "content_filter",
        _ => "stop",
    }
}

/// The tokens that were used.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}
