//! Answers in the form of the wire.

use adjutant_core::usage::Usage;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, pieces};

/// The signature of thinking that a test leaves unsigned: the interface signs everything.
const SIGNATURE: &str = "c2lnbmF0dXJl";

/// The events of a streamed answer.
pub(super) fn events(answer: &Answer, model: &str) -> Vec<Value> {
    let mut events = vec![begin(answer, model)];
    for (index, block) in content(answer).iter().enumerate() {
        events.extend(block_events(index, block));
    }
    // Where the real one sends it, and so that it stands in the way of who does not expect it.
    events.insert(events.len().min(2), json!({"type": "ping"}));
    let mut usage = json!({});
    if let (Some(used), Some(fields)) = (&answer.usage, usage.as_object_mut()) {
        fields.insert("output_tokens".into(), used.output.into());
        fields.insert("output_tokens_details".into(), json!({"thinking_tokens": used.reasoning}));
    }
    let delta = json!({"stop_reason": stop_reason(answer), "stop_sequence": null, "stop_details": stop_details(answer)});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": usage}));
    events.push(json!({"type": "message_stop"}));
    events
}

/// An answer that is not streamed.
pub(super) fn whole(answer: &Answer, model: &str) -> Value {
    let mut message = message(model);
    if let Some(fields) = message.as_object_mut() {
        fields.insert("content".into(), content(answer).into());
        fields.insert("stop_reason".into(), stop_reason(answer).into());
        fields.insert("stop_details".into(), stop_details(answer));
        fields.insert("usage".into(), answer.usage.as_ref().map_or_else(|| json!({}), usage));
    }
    message
}

/// The beginning of a stream of text, and a piece of it.
pub(super) fn endless(text: &str, model: &str) -> (Vec<Value>, Value) {
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    (vec![begin(&Answer::text(""), model), block], piece(0, "text_delta", "text", text))
}

fn message(model: &str) -> Value {
    json!({
        "id": "msg_mock", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "stop_details": null, "usage": {},
    })
}

fn begin(answer: &Answer, model: &str) -> Value {
    let mut message = message(model);
    if let (Some(used), Some(fields)) = (&answer.usage, message.as_object_mut()) {
        let so_far = Usage { output: 1.min(used.output), reasoning: 0, ..*used };
        fields.insert("usage".into(), usage(&so_far));
    }
    json!({"type": "message_start", "message": message})
}

/// The blocks of an answer, whole.
fn content(answer: &Answer) -> Vec<Value> {
    let mut content = Vec::new();
    if !answer.reasoning.is_empty() || answer.signature.is_some() {
        let signature = answer.signature.as_deref().unwrap_or(SIGNATURE);
        content.push(json!({"type": "thinking", "thinking": answer.reasoning, "signature": signature}));
    }
    let said = [&answer.text, &answer.refusal].into_iter().filter(|text| !text.is_empty());
    content.extend(said.map(|text| json!({"type": "text", "text": text})));
    for (index, call) in answer.calls.iter().enumerate() {
        let id = call.id.clone().unwrap_or_else(|| format!("toolu_mock{index}"));
        content.push(json!({"type": "tool_use", "id": id, "name": call.name, "input": call.input()}));
    }
    content
}

/// A block in pieces.
fn block_events(index: usize, block: &Value) -> Vec<Value> {
    let text = |key: &str| block[key].as_str().unwrap_or_default();
    let (begin, inner): (Value, Vec<Value>) = match text("type") {
        "thinking" => {
            let thought =
                pieces(text("thinking")).map(|text| piece(index, "thinking_delta", "thinking", text));
            let signed = piece(index, "signature_delta", "signature", text("signature"));
            (json!({"type": "thinking", "thinking": "", "signature": ""}), thought.chain([signed]).collect())
        }
        "tool_use" => {
            let begin = json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}});
            // What is no JSON is sent as it is: tools whose input is streamed eagerly get such.
            let input = match &block["input"] {
                Value::String(text) => text.clone(),
                Value::Object(fields) if fields.is_empty() => String::new(),
                input => input.to_string(),
            };
            let first = piece(index, "input_json_delta", "partial_json", "");
            let rest = pieces(&input).map(|text| piece(index, "input_json_delta", "partial_json", text));
            (begin, [first].into_iter().chain(rest).collect())
        }
        _ => {
            let said = pieces(text("text")).map(|text| piece(index, "text_delta", "text", text));
            (json!({"type": "text", "text": ""}), said.collect())
        }
    };
    let begin = json!({"type": "content_block_start", "index": index, "content_block": begin});
    let end = json!({"type": "content_block_stop", "index": index});
    [begin].into_iter().chain(inner).chain([end]).collect()
}

fn piece(index: usize, kind: &str, key: &str, text: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, key: text}})
}

fn stop_reason(answer: &Answer) -> String {
    match answer.finish() {
        Finish::Stop => "end_turn".to_owned(),
        Finish::Calls => "tool_use".to_owned(),
        Finish::Length => "max_tokens".to_owned(),
        Finish::StopSequence => "stop_sequence".to_owned(),
        Finish::Filter | Finish::Refusal => "refusal".to_owned(),
        Finish::Raw(word) => word,
    }
}

fn stop_details(answer: &Answer) -> Value {
    match answer.finish() {
        Finish::Filter | Finish::Refusal => json!({"type": "refusal", "category": null, "explanation": null}),
        _ => Value::Null,
    }
}

fn usage(used: &Usage) -> Value {
    json!({
        "input_tokens": used.input.saturating_sub(used.cached).saturating_sub(used.cache_write),
        "cache_read_input_tokens": used.cached,
        "cache_creation_input_tokens": used.cache_write,
        "cache_creation": {"ephemeral_5m_input_tokens": used.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": used.output,
        "output_tokens_details": {"thinking_tokens": used.reasoning},
        "service_tier": "standard",
    })
}
