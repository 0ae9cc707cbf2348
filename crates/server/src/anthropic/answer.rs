//! An answer as one body: `Message` in Anthropic's client.

use adjutant::model::{Response, StopReason};
use adjutant_core::message::{Native, Part, Reasoning};
use adjutant_core::usage::Usage;
use serde_json::{Map, Value, json};

use super::OWN;
use crate::openai::chat::Head;
use crate::wire::{seal, seal_native};

/// The whole answer.
pub(crate) fn whole(head: &Head, response: &Response, shows_thinking: bool) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    for part in &response.message.parts {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } => blocks.push(json!({"type": "text", "text": text})),
            Part::Reasoning(reasoning) => blocks.extend(thought(reasoning, shows_thinking)),
            Part::ToolCall(call) => blocks.push(json!({
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": input(&call.arguments),
            })),
            Part::Native(own) => match citations(own) {
                Some(cited) => cite(&mut blocks, cited),
                None => blocks.extend(native(own)),
            },
            _ => {}
        }
    }
    json!({
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": blocks,
        "stop_reason": stop(&response.stop),
        "stop_sequence": null,
        "usage": usage(response.usage.unwrap_or_default()),
    })
}

/// The arguments of a call as the object that clients want; a model may have written anything.
fn input(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return json!({});
    }
    let read = serde_json::from_str::<Map<String, Value>>(arguments);
    read.map_or_else(|_| json!({"invalid_arguments": arguments}), Value::Object)
}

fn cite(blocks: &mut [Value], cited: &Value) {
    let last = blocks.last_mut().filter(|block| block.get("type").is_some_and(|kind| kind == "text"));
    if let (Some(Value::Object(fields)), false) = (last, *cited == json!([])) {
        fields.insert("citations".into(), cited.clone());
    }
}

/// What a text cites, where that is what the part says.
pub(super) fn citations(native: &Native) -> Option<&Value> {
    let is_it = native.provider == OWN && native.value.get("type").is_some_and(|kind| kind == "citations");
    native.value.get("citations").filter(|_| is_it)
}

/// Something of a provider's own: Anthropic's as it is, and others sealed as thinking that nobody can read.
pub(super) fn native(native: &Native) -> Option<Value> {
    match native.provider == OWN && native.value.is_object() {
        true => Some(native.value.clone()),
        false => Some(json!({"type": "redacted_thinking", "data": seal_native(native)?})),
    }
}

/// A block of thinking; none where there is nothing to see and nothing to carry.
fn thought(reasoning: &Reasoning, shows: bool) -> Option<Value> {
    let shown = if shows { reasoning.text.as_str() } else { "" };
    match seal(reasoning, shown) {
        Some(sealed) if reasoning.text.is_empty() => {
            Some(json!({"type": "redacted_thinking", "data": sealed}))
        }
        Some(sealed) => Some(json!({"type": "thinking", "thinking": shown, "signature": sealed})),
        None if shown.is_empty() => None,
        None => Some(json!({"type": "thinking", "thinking": shown, "signature": ""})),
    }
}

/// Why it ended, in Anthropic's words. Clients know no others.
pub(super) fn stop(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::ToolCalls => "tool_use",
        StopReason::MaxTokens => "max_tokens",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Refusal | StopReason::ContentFilter => "refusal",
        StopReason::Paused => "pause_turn",
        StopReason::EndTurn | StopReason::Other(_) => "end_turn",
    }
}

/// The tokens that were used. Here the input is what no cache had to do with.
pub(super) fn usage(usage: Usage) -> Value {
    let long = usage.cache_write_long.min(usage.cache_write);
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write),
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write - long,
            "ephemeral_1h_input_tokens": long,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    })
}
