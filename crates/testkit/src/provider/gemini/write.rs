//! Answers in the form of the wire.

use adjutant_core::usage::Usage;
use serde_json::{Value, json};

use super::super::answer::{Answer, Call, Finish, pieces};
use super::model::Model;

/// The signature of a model that signs, where the answer says none.
const SIGNATURE: &str = "bW9jaw==";

/// The pieces of a streamed answer.
pub(super) fn events(answer: &Answer, model: Model, name: &str) -> Vec<Value> {
    let mut events: Vec<Value> =
        parts(answer, model, pieces, pieces).into_iter().map(|part| piece(&json!([part]), name)).collect();
    let mut last = piece(&json!([{"text": ""}]), name);
    finish(&mut last, answer);
    events.push(last);
    events
}

/// An answer that is not streamed.
pub(super) fn whole(answer: &Answer, model: Model, name: &str) -> Value {
    let mut whole = piece(&parts(answer, model, std::iter::once, std::iter::once).into(), name);
    finish(&mut whole, answer);
    whole
}

/// A piece with these parts.
pub(super) fn piece(parts: &Value, name: &str) -> Value {
    json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
        "modelVersion": name, "responseId": "req_mock",
    })
}

fn parts<'a, I: Iterator<Item = &'a str>>(
    answer: &'a Answer,
    model: Model,
    thoughts: impl Fn(&'a str) -> I,
    texts: impl Fn(&'a str) -> I,
) -> Vec<Value> {
    let texts = |text: &'a str| texts(text).filter(|text| !text.is_empty()).map(|text| json!({"text": text}));
    let thoughts = thoughts(&answer.reasoning).filter(|text| !text.is_empty());
    let mut parts: Vec<Value> = thoughts.map(|text| json!({"text": text, "thought": true})).collect();
    parts.extend(texts(&answer.text).chain(texts(&answer.refusal)));
    let calls: Vec<Value> = answer.calls.iter().filter_map(|call| function_call(call, model)).collect();
    let mut signature = answer.signature.as_deref().or_else(|| model.signs().then_some(SIGNATURE));
    for mut call in calls {
        if let (Some(signature), Some(call)) = (signature.take(), call.as_object_mut()) {
            call.insert("thoughtSignature".into(), signature.into());
        }
        parts.push(call);
    }
    parts.extend(signature.map(|signature| json!({"text": "", "thoughtSignature": signature})));
    parts
}

/// A call; none where the arguments are no object: Google throws those away.
fn function_call(call: &Call, model: Model) -> Option<Value> {
    let mut inner = json!({"name": call.name, "args": call.input().as_object()?});
    if let (Some(id), Some(inner)) = (call.id.as_ref().filter(|_| !model.is_old()), inner.as_object_mut()) {
        inner.insert("id".into(), id.as_str().into());
    }
    Some(json!({"functionCall": inner}))
}

/// Ends an answer: why, and what it used.
fn finish(last: &mut Value, answer: &Answer) {
    let is_broken = answer.calls.iter().any(|call| !call.input().is_object());
    let reason = match answer.finish() {
        Finish::Length => "MAX_TOKENS".to_owned(),
        Finish::Filter => "SAFETY".to_owned(),
        Finish::Raw(word) => word,
        _ if is_broken => "MALFORMED_FUNCTION_CALL".to_owned(),
        // Neither a call nor a text to stop at has a reason of its own.
        Finish::Stop | Finish::Calls | Finish::StopSequence | Finish::Refusal => "STOP".to_owned(),
    };
    if let Some(candidate) = last.pointer_mut("/candidates/0").and_then(Value::as_object_mut) {
        candidate.insert("finishReason".into(), reason.into());
    }
    if let (Some(used), Some(last)) = (&answer.usage, last.as_object_mut()) {
        last.insert("usageMetadata".into(), usage(used));
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "promptTokenCount": usage.input, "cachedContentTokenCount": usage.cached,
        "candidatesTokenCount": usage.output.saturating_sub(usage.reasoning), "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.total(),
    })
}
