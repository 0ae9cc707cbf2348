//! Answers in the form of the wire.

use adjutant_core::usage::Usage;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, pieces};

/// The chunks of a streamed answer, without the last event.
pub(super) fn chunks(answer: &Answer, model: &str, include_usage: bool) -> Vec<Value> {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    if !answer.reasoning.is_empty() {
        deltas.extend(pieces(&answer.reasoning).map(|piece| json!({"reasoning_content": piece})));
    }
    deltas.extend(pieces(&answer.text).map(|piece| json!({"content": piece})));
    deltas.extend(pieces(&answer.refusal).map(|piece| json!({"refusal": piece})));
    for (index, call) in answer.calls.iter().enumerate() {
        let mut head =
            json!({"index": index, "type": "function", "function": {"name": call.name, "arguments": ""}});
        if let (Some(id), Some(head)) = (&call.id, head.as_object_mut()) {
            head.insert("id".into(), id.as_str().into());
        }
        deltas.push(json!({"tool_calls": [head]}));
        let arguments = pieces(&call.arguments);
        deltas.extend(
            arguments
                .map(|piece| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})),
        );
    }
    let mut chunks: Vec<Value> = deltas
        .into_iter()
        .map(|delta| chunk(model, json!([{"index": 0, "delta": delta, "finish_reason": null}])))
        .collect();
    chunks.push(chunk(model, json!([{"index": 0, "delta": {}, "finish_reason": finish_reason(answer)}])));
    if let (true, Some(used)) = (include_usage, &answer.usage) {
        let mut last = chunk(model, json!([]));
        if let Some(last) = last.as_object_mut() {
            last.insert("usage".into(), usage(used));
        }
        chunks.push(last);
    }
    chunks
}

/// A chunk that says some text.
pub(super) fn text(text: &str, model: &str) -> Value {
    chunk(model, json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]))
}

fn chunk(model: &str, choices: Value) -> Value {
    let mut chunk =
        json!({"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1, "model": model});
    if let Some(chunk) = chunk.as_object_mut() {
        chunk.insert("choices".into(), choices);
    }
    chunk
}

/// An answer that is not streamed.
pub(super) fn whole(answer: &Answer, model: &str) -> Value {
    let calls: Vec<Value> = answer
        .calls
        .iter()
        .map(|call| {
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
        })
        .collect();
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let mut message =
        json!({"role": "assistant", "content": text(&answer.text), "refusal": text(&answer.refusal)});
    if let Some(message) = message.as_object_mut() {
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.into());
        }
        if !answer.reasoning.is_empty() {
            message.insert("reasoning_content".into(), answer.reasoning.as_str().into());
        }
    }
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(answer)}],
        "usage": answer.usage.as_ref().map(usage),
    })
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// Why an answer ends, in the interface's words.
fn finish_reason(answer: &Answer) -> String {
    let word = match answer.finish() {
        Finish::Stop | Finish::StopSequence | Finish::Refusal => "stop",
        Finish::Calls => "tool_calls",
        Finish::Length => "length",
        Finish::Filter => "content_filter",
        Finish::Raw(word) => return word,
    };
    word.to_owned()
}
