//! Answers in the form of the wire.

use adjutant_core::usage::Usage;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, pieces};

/// What every event is padded with, so that its length tells nothing.
const PADDING: &str = "abcdefghijklmnop";

/// The events of a streamed answer, each under its name.
pub(super) fn events(answer: &Answer) -> Vec<Value> {
    let mut events = vec![named("messageStart", json!({"role": "assistant", "p": PADDING}))];
    for (index, block) in content(answer).iter().enumerate() {
        events.extend(block_events(index, block));
    }
    events.push(named("messageStop", json!({"stopReason": stop_reason(answer), "p": PADDING})));
    let mut metadata = json!({"metrics": {"latencyMs": 1}, "p": PADDING});
    if let (Some(used), Some(fields)) = (&answer.usage, metadata.as_object_mut()) {
        fields.insert("usage".into(), usage(used));
    }
    events.push(named("metadata", metadata));
    events
}

/// An answer that is not streamed.
pub(super) fn whole(answer: &Answer) -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": content(answer)}},
        "stopReason": stop_reason(answer),
        "usage": answer.usage.as_ref().map(usage),
        "metrics": {"latencyMs": 1},
    })
}

/// The beginning of a stream of text, and a piece of it.
pub(super) fn endless(text: &str) -> (Vec<Value>, Value) {
    (vec![named("messageStart", json!({"role": "assistant"}))], delta(0, "text", text.into()))
}

/// The blocks of an answer, whole.
fn content(answer: &Answer) -> Vec<Value> {
    let mut content = Vec::new();
    match (answer.reasoning.as_str(), &answer.signature) {
        ("", None) => {}
        ("", Some(bytes)) => content.push(json!({"reasoningContent": {"redactedContent": bytes}})),
        (text, None) => content.push(json!({"reasoningContent": {"reasoningText": {"text": text}}})),
        (text, Some(signature)) => {
            let inner = json!({"text": text, "signature": signature});
            content.push(json!({"reasoningContent": {"reasoningText": inner}}));
        }
    }
    let said = [&answer.text, &answer.refusal].into_iter().filter(|text| !text.is_empty());
    content.extend(said.map(|text| json!({"text": text})));
    for (index, call) in answer.calls.iter().enumerate() {
        let id = call.id.clone().unwrap_or_else(|| format!("tooluse_mock{index}"));
        content.push(json!({"toolUse": {"toolUseId": id, "name": call.name, "input": call.input()}}));
    }
    content
}

/// A block in pieces. Only calls are announced.
fn block_events(index: usize, block: &Value) -> Vec<Value> {
    let text = |pointer: &str| block.pointer(pointer).and_then(Value::as_str);
    let reasoning = |inner: Value| delta(index, "reasoningContent", inner);
    let mut events = Vec::new();
    if let Some(bytes) = text("/reasoningContent/redactedContent") {
        events.push(reasoning(json!({"redactedContent": bytes})));
    }
    if let Some(thought) = text("/reasoningContent/reasoningText/text") {
        events.extend(pieces(thought).map(|piece| reasoning(json!({"text": piece}))));
    }
    if let Some(signature) = text("/reasoningContent/reasoningText/signature") {
        events.push(reasoning(json!({"signature": signature})));
    }
    events.extend(text("/text").into_iter().flat_map(pieces).map(|piece| delta(index, "text", piece.into())));
    if let Some(call) = block.get("toolUse") {
        let start = json!({"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}});
        events.push(named("contentBlockStart", json!({"contentBlockIndex": index, "start": start})));
        // A model may write what is no JSON.
        let input = match &call["input"] {
            Value::String(text) => text.clone(),
            Value::Object(fields) if fields.is_empty() => String::new(),
            input => input.to_string(),
        };
        let first = delta(index, "toolUse", json!({"input": ""}));
        let rest = pieces(&input).map(|piece| delta(index, "toolUse", json!({"input": piece})));
        events.extend([first].into_iter().chain(rest));
    }
    events.push(named("contentBlockStop", json!({"contentBlockIndex": index, "p": PADDING})));
    events
}

fn delta(index: usize, member: &str, value: Value) -> Value {
    let delta = Value::from_iter([(member, value)]);
    named("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta, "p": PADDING}))
}

fn named(name: &str, data: Value) -> Value {
    Value::from_iter([(name, data)])
}

fn stop_reason(answer: &Answer) -> String {
    match answer.finish() {
        Finish::Stop => "end_turn".to_owned(),
        Finish::Calls => "tool_use".to_owned(),
        Finish::Length => "max_tokens".to_owned(),
        Finish::StopSequence => "stop_sequence".to_owned(),
        Finish::Filter => "guardrail_intervened".to_owned(),
        Finish::Refusal => "content_filtered".to_owned(),
        Finish::Raw(word) => word,
    }
}

fn usage(used: &Usage) -> Value {
    json!({
        "inputTokens": used.input.saturating_sub(used.cached).saturating_sub(used.cache_write),
        "outputTokens": used.output,
        "totalTokens": used.total(),
        "cacheReadInputTokens": used.cached,
        "cacheWriteInputTokens": used.cache_write,
    })
}
