use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::provider::Interface;

fn faults(model: &str, body: &Value) -> Vec<String> {
    faults_of(&Received {
        interface: Interface::Converse,
        path: format!("/model/{model}/converse-stream"),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.clone(),
        bytes: Bytes::new(),
    })
}

#[track_caller]
fn check(model: &str, body: &Value, fault: &str) {
    let faults = faults(model, body);
    match fault {
        "" => assert_eq!(faults, Vec::<String>::new(), "{body}"),
        fault => assert!(faults.iter().any(|found| found.contains(fault)), "{body}: {faults:?}"),
    }
}

fn user(content: Value) -> Value {
    Value::from_iter([("role", "user".into()), ("content", content)])
}

fn call(id: &str) -> Value {
    json!({"toolUse": {"toolUseId": id, "name": "look", "input": {}}})
}

fn result(id: &str) -> Value {
    json!({"toolResult": {"toolUseId": id, "content": [{"text": "ok"}]}})
}

fn tools() -> Value {
    json!({"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]})
}

#[test]
fn conversations_are_checked() {
    let hi = || user(json!([{"text": "hi"}]));
    let asks = |ids: &[&str]| json!({"role": "assistant", "content": ids.iter().map(|id| call(id)).collect::<Vec<_>>()});
    let answers = |ids: &[&str]| user(ids.iter().map(|id| result(id)).collect());
    let says = |block: Value| json!({"role": "assistant", "content": [block]});
    let document =
        |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "AA=="}}});
    let cases = [
        (json!([hi()]), ""),
        (json!([hi(), asks(&["a", "b"]), answers(&["b", "a"])]), ""),
        (json!([]), "missing or empty"),
        (json!([hi(), hi()]), "alternate"),
        (json!([says(json!({"text": "x"})), hi()]), "alternate"),
        (json!([hi(), says(json!({"text": "x"}))]), "prefill"),
        (json!([hi(), asks(&["a", "b"]), answers(&["a"])]), "Expected toolResult blocks"),
        (json!([hi(), asks(&["a"]), hi()]), "Expected toolResult blocks"),
        (json!([answers(&["a"])]), "answers no call"),
        (json!([hi(), asks(&["a"]), answers(&["a"]), asks(&["a"]), answers(&["a"])]), "used twice"),
        (json!([user(json!([]))]), "the content is empty"),
        (json!([user(json!([{"text": " "}]))]), "blank"),
        (json!([user(json!([{"text": "a", "image": {}}]))]), "has 2 members"),
        (json!([user(json!([call("a")]))]), "cannot stand here"),
        (json!([user(json!([document("a")]))]), "has no text"),
        (json!([user(json!([{"text": "see"}, document("a.pdf")]))]), "characters that it cannot have"),
        (json!([user(json!([{"text": "see"}, document("a"), document("a")]))]), "two documents"),
        (
            json!([user(json!([{"image": {"format": "jpg", "source": {"bytes": "AA=="}}}]))]),
            "the format `jpg`",
        ),
        (
            json!([user(json!([{"image": {"format": "png", "source": {"bytes": "not base 64"}}}]))]),
            "no bytes in base 64",
        ),
        (json!([user(json!([{"cachePoint": {"type": "default"}}, {"text": "a"}]))]), "nothing before it"),
        (
            json!([hi(), says(json!({"reasoningContent": {"reasoningText": {"text": "x"}}})), hi()]),
            "without its signature",
        ),
        (
            json!([hi(), says(json!({"toolUse": {"toolUseId": "a b", "name": "look", "input": {}}})), hi()]),
            "the id \"a b\"",
        ),
        (
            json!([hi(), says(json!({"toolUse": {"toolUseId": "a", "name": "look", "input": "{"}})), hi()]),
            "no object",
        ),
    ];
    for (messages, fault) in cases {
        check("m", &json!({"messages": messages, "toolConfig": tools()}), fault);
    }
    let untold = json!({"messages": [hi(), asks(&["a"]), answers(&["a"])]});
    check("m", &untold, "The toolConfig field must be defined");
    check("a:b", &json!({"messages": [hi()]}), "not encoded as one segment");
}

#[test]
fn options_are_checked() {
    let schema = json!({"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}", "name": "o"}}});
    let cases = [
        (json!({"inferenceConfig": {"maxTokens": 1, "temperature": 0.5, "stopSequences": ["x"]}}), ""),
        (json!({"outputConfig": {"effort": "high", "textFormat": schema}}), ""),
        (json!({"modelId": "x"}), "unknown field `modelId`"),
        (json!({"system": [{"text": ""}]}), "blank"),
        (json!({"inferenceConfig": {"topK": 1}}), "unknown field `topK`"),
        (json!({"inferenceConfig": {"maxTokens": 0}}), "no positive number"),
        (json!({"inferenceConfig": {"temperature": 1.5}}), "not between 0 and 1"),
        (json!({"toolConfig": {"tools": []}}), "has no tools"),
        (
            json!({"toolConfig": {"tools": [{"toolSpec": {"name": "a.b", "inputSchema": {"json": {"type": "object"}}}}]}}),
            "invalid name",
        ),
        (
            json!({"toolConfig": {"tools": [{"toolSpec": {"name": "a", "inputSchema": {}}}]}}),
            "not that of an object",
        ),
        (json!({"outputConfig": {"effort": "huge"}}), "is unknown"),
        (
            json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": {}}}}}}),
            "in the text of JSON",
        ),
    ];
    for (more, fault) in cases {
        let mut body = json!({"messages": [user(json!([{"text": "hi"}]))]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("m", &body, fault);
    }
}

#[test]
fn models_refuse_what_they_cannot_do() {
    let mut forced = tools();
    forced["toolChoice"] = json!({"any": {}});
    let hi = || user(json!([{"text": "hi"}]));
    let marked = json!({"messages": [user(json!([{"text": "hi"}, {"cachePoint": {"type": "default"}}]))]});
    let chosen = json!({"messages": [hi()], "toolConfig": forced});
    let mut thinks = chosen.clone();
    thinks["additionalModelRequestFields"] = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let cases = [
        ("us.anthropic.claude-opus-5", &marked, ""),
        ("qwen.qwen3-32b-v1%3A0", &marked, "did not allow prompt caching"),
        ("amazon.nova-lite-v1%3A0", &chosen, ""),
        ("meta.llama4-scout", &chosen, "doesn't support the toolConfig.toolChoice"),
        ("us.anthropic.claude-sonnet-4-5", &thinks, "when tool_choice forces"),
    ];
    for (model, body, fault) in cases {
        check(model, body, fault);
    }
}
