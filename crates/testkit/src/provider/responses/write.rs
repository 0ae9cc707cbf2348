//! Answers in the form of the wire.

use adjutant_core::usage::Usage;
use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Finish, pieces};
use super::super::received::at;

/// The events of a streamed answer.
pub(super) fn events(answer: &Answer, model: &str) -> Vec<Value> {
    let mut events = opening(model);
    for (place, item) in items(answer).into_iter().enumerate() {
        events.push(event("output_item.added", json!({"output_index": place, "item": begun(&item)})));
        match at(&item, "/type").as_str() {
            Some("reasoning") => reasoning(place, &item, &mut events),
            Some("message") => message(place, &item, &mut events),
            _ => call(place, &item, &mut events),
        }
        events.push(event("output_item.done", json!({"output_index": place, "item": item})));
    }
    let response = whole(answer, model);
    let end = if at(&response, "/status") == "completed" { "completed" } else { "incomplete" };
    events.push(event(end, json!({"response": response})));
    numbered(events)
}

/// An answer that is not streamed.
pub(super) fn whole(answer: &Answer, model: &str) -> Value {
    let incomplete = match answer.finish() {
        Finish::Stop | Finish::StopSequence | Finish::Refusal | Finish::Calls => None,
        Finish::Length => Some("max_output_tokens".to_owned()),
        Finish::Filter => Some("content_filter".to_owned()),
        Finish::Raw(reason) => Some(reason),
    };
    let status = if incomplete.is_some() { "incomplete" } else { "completed" };
    let mut response = response(model, status, &items(answer));
    response.insert("usage".into(), answer.usage.as_ref().map(usage).into());
    if let Some(reason) = incomplete {
        response.insert("incomplete_details".into(), json!({"reason": reason}));
    }
    response.into()
}

/// The beginning of a stream that never ends, and what it repeats.
pub(super) fn endless(text: &str, model: &str) -> (Vec<Value>, Value) {
    let item = json!({"id": "msg_mock", "type": "message", "status": "in_progress", "role": "assistant", "content": []});
    let mut events = opening(model);
    events.push(event("output_item.added", json!({"output_index": 0, "item": item})));
    (
        numbered(events),
        piece("output_text.delta", 0, &json!({"item_id": "msg_mock", "content_index": 0}), text),
    )
}

fn opening(model: &str) -> Vec<Value> {
    let begun = || json!({"response": response(model, "in_progress", &[])});
    vec![event("created", begun()), event("in_progress", begun())]
}

fn response(model: &str, status: &str, output: &[Value]) -> Map<String, Value> {
    let fields = json!({
        "id": "resp_mock", "object": "response", "created_at": 1, "status": status, "error": null,
        "incomplete_details": null, "model": model, "output": output, "parallel_tool_calls": true, "tools": [],
        "tool_choice": "auto", "store": false, "service_tier": "default", "usage": null, "metadata": {},
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// The items of an answer, whole.
fn items(answer: &Answer) -> Vec<Value> {
    let mut items = Vec::new();
    if !answer.reasoning.is_empty() || answer.signature.is_some() {
        let summary: Vec<Value> = (!answer.reasoning.is_empty())
            .then(|| json!({"type": "summary_text", "text": answer.reasoning}))
            .into_iter()
            .collect();
        let mut item = json!({"id": "rs_mock", "type": "reasoning", "summary": summary});
        if let Some(sealed) = &answer.signature {
            set(&mut item, "encrypted_content", sealed.as_str().into());
        }
        items.push(item);
    }
    let text = (!answer.text.is_empty())
        .then(|| json!({"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}));
    let refusal = (!answer.refusal.is_empty()).then(|| json!({"type": "refusal", "refusal": answer.refusal}));
    let content: Vec<Value> = text.into_iter().chain(refusal).collect();
    if !content.is_empty() {
        let phase = if answer.calls.is_empty() { "final_answer" } else { "commentary" };
        items.push(json!({
            "id": "msg_mock", "type": "message", "status": "completed", "role": "assistant", "content": content,
            "phase": phase,
        }));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let id = call.id.clone().unwrap_or_else(|| format!("call_mock_{index}"));
        items.push(json!({
            "id": format!("fc_mock_{index}"), "type": "function_call", "status": "completed", "call_id": id,
            "name": call.name, "arguments": call.arguments,
        }));
    }
    items
}

/// An item as it begins: nothing is in it yet.
fn begun(item: &Value) -> Value {
    let mut item = item.clone();
    for (key, empty) in [("summary", json!([])), ("content", json!([])), ("arguments", json!(""))] {
        if item.get(key).is_some() {
            set(&mut item, key, empty);
        }
    }
    if at(&item, "/type") != "reasoning" {
        set(&mut item, "status", "in_progress".into());
    }
    item
}

fn reasoning(place: usize, item: &Value, events: &mut Vec<Value>) {
    for (part, summary) in item["summary"].as_array().into_iter().flatten().enumerate() {
        let of = json!({"item_id": item["id"], "summary_index": part});
        let text = summary["text"].as_str().unwrap_or_default();
        let empty = json!({"type": "summary_text", "text": ""});
        events.push(about("reasoning_summary_part.added", place, &of, "part", empty));
        events.extend(pieces(text).map(|text| piece("reasoning_summary_text.delta", place, &of, text)));
        events.push(about("reasoning_summary_text.done", place, &of, "text", text.into()));
        events.push(about("reasoning_summary_part.done", place, &of, "part", summary.clone()));
    }
}

fn message(place: usize, item: &Value, events: &mut Vec<Value>) {
    for (number, part) in item["content"].as_array().into_iter().flatten().enumerate() {
        let (kind, key) =
            if part["type"] == "refusal" { ("refusal", "refusal") } else { ("output_text", "text") };
        let of = json!({"item_id": item["id"], "content_index": number});
        let text = part[key].as_str().unwrap_or_default();
        let mut empty = part.clone();
        set(&mut empty, key, "".into());
        events.push(about("content_part.added", place, &of, "part", empty));
        events.extend(pieces(text).map(|text| piece(&format!("{kind}.delta"), place, &of, text)));
        events.push(about(&format!("{kind}.done"), place, &of, key, text.into()));
        events.push(about("content_part.done", place, &of, "part", part.clone()));
    }
}

fn call(place: usize, item: &Value, events: &mut Vec<Value>) {
    let of = json!({"item_id": item["id"]});
    let arguments = item["arguments"].as_str().unwrap_or_default();
    events.extend(pieces(arguments).map(|text| piece("function_call_arguments.delta", place, &of, text)));
    events.push(about("function_call_arguments.done", place, &of, "arguments", arguments.into()));
}

fn piece(kind: &str, place: usize, of: &Value, text: &str) -> Value {
    about(kind, place, of, "delta", text.into())
}

/// An event about a part of an item, with one field that says what.
fn about(kind: &str, place: usize, of: &Value, key: &str, value: Value) -> Value {
    let mut fields = of.clone();
    set(&mut fields, "output_index", place.into());
    set(&mut fields, key, value);
    event(kind, fields)
}

fn event(kind: &str, mut fields: Value) -> Value {
    set(&mut fields, "type", format!("response.{kind}").into());
    fields
}

fn numbered(mut events: Vec<Value>) -> Vec<Value> {
    for (number, event) in events.iter_mut().enumerate() {
        set(event, "sequence_number", number.into());
    }
    events
}

fn set(fields: &mut Value, key: &str, value: Value) {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    })
}
