//! What a request asks for is the same in every interface's words.

use adjutant_testkit::provider::{Answer, Asked, Interface, MockProvider};
use serde_json::{Value, json};

use crate::exchange::{Expected, exchange};

/// Base64, as Gemini demands it of a signature.
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBtb2Nr";

/// Two turns of a conversation: in the first the model makes two calls at once and answers, in the second it has made one.
fn conversation(interface: Interface) -> (&'static str, Value) {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    match interface {
        Interface::Chat => ("/v1/chat/completions", chat(&schema)),
        Interface::Responses => ("/v1/responses", responses(&schema)),
        Interface::Messages => ("/v1/messages", messages(&schema)),
        Interface::Gemini => ("/v1beta/models/mock-1:streamGenerateContent?alt=sse", gemini(&schema)),
        Interface::Converse => ("/model/mock-1/converse-stream", converse(&schema)),
    }
}

fn chat(schema: &Value) -> Value {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": schema}});
    let call =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "seen"});
    json!({"model": "mock-1", "stream": true, "tools": [tool("look"), tool("put")], "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "look twice"},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
        result("a"), result("b"),
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "and again"},
        {"role": "assistant", "content": "well", "tool_calls": [call("c")]},
        result("c"),
    ]})
}

fn responses(schema: &Value) -> Value {
    let tool = |name: &str| json!({"type": "function", "name": name, "parameters": schema, "strict": false});
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"});
    let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "seen"});
    let says = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]});
    json!({"model": "mock-1", "stream": true, "instructions": "be kind", "store": false,
        "tools": [tool("look"), tool("put")], "input": [
            {"type": "message", "role": "user", "content": "look twice"},
            call("a"), call("b"), result("a"), result("b"),
            says("done"),
            {"type": "message", "role": "user", "content": "and again"},
            says("well"), call("c"), result("c"),
        ]
    })
}

fn messages(schema: &Value) -> Value {
    let tool = |name: &str| json!({"name": name, "input_schema": schema});
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "look", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "seen"});
    json!({"model": "mock-1", "stream": true, "max_tokens": 10, "system": "be kind",
        "tools": [tool("look"), tool("put")], "messages": [
            {"role": "user", "content": "look twice"},
            {"role": "assistant", "content": [call("a"), call("b")]},
            {"role": "user", "content": [result("a"), result("b")]},
            {"role": "assistant", "content": "done"},
            {"role": "user", "content": "and again"},
            {"role": "assistant", "content": [{"type": "text", "text": "well"}, call("c")]},
            {"role": "user", "content": [result("c")]},
        ]
    })
}

fn gemini(schema: &Value) -> Value {
    let tool = |name: &str| json!({"name": name, "parametersJsonSchema": schema});
    let call = |id: &str| json!({"functionCall": {"id": id, "name": "look", "args": {}}});
    let signed = |id: &str| {
        let mut call = call(id);
        call["thoughtSignature"] = json!(SIGNATURE);
        call
    };
    let result =
        |id: &str| json!({"functionResponse": {"id": id, "name": "look", "response": {"output": "seen"}}});
    json!({"systemInstruction": {"parts": [{"text": "be kind"}]},
        "tools": [{"functionDeclarations": [tool("look"), tool("put")]}], "contents": [
            {"role": "user", "parts": [{"text": "look twice"}]},
            {"role": "model", "parts": [signed("a"), call("b")]},
            {"role": "user", "parts": [result("a"), result("b")]},
            {"role": "model", "parts": [{"text": "done"}]},
            {"role": "user", "parts": [{"text": "and again"}]},
            {"role": "model", "parts": [{"text": "well"}, signed("c")]},
            {"role": "user", "parts": [result("c")]},
        ]
    })
}

fn converse(schema: &Value) -> Value {
    let tool = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}});
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "look", "input": {}}});
    let result = |id: &str| json!({"toolResult": {"toolUseId": id, "content": [{"text": "seen"}]}});
    json!({"system": [{"text": "be kind"}], "toolConfig": {"tools": [tool("look"), tool("put")]}, "messages": [
        {"role": "user", "content": [{"text": "look twice"}]},
        {"role": "assistant", "content": [call("a"), call("b")]},
        {"role": "user", "content": [result("a"), result("b")]},
        {"role": "assistant", "content": [{"text": "done"}]},
        {"role": "user", "content": [{"text": "and again"}]},
        {"role": "assistant", "content": [{"text": "well"}, call("c")]},
        {"role": "user", "content": [result("c")]},
    ]})
}

/// What a mock sends in answer to that conversation.
async fn said(mock: &MockProvider, interface: Interface) -> String {
    let (path, body) = conversation(interface);
    let exchange = exchange(mock, path, &body.to_string(), Expected::End).await;
    mock.assert_clean();
    String::from_utf8_lossy(&exchange.body()).into_owned()
}

#[tokio::test]
async fn a_conversation_asks_for_the_same_in_every_interface() {
    let expected = Asked {
        model: "mock-1".into(),
        streams: true,
        tools: vec!["look".into(), "put".into()],
        calls: 3,
        steps: 1,
    };
    for interface in Interface::ALL {
        let mock = MockProvider::answering([Answer::text("done")]).start().await.unwrap();
        said(&mock, interface).await;
        assert_eq!(mock.received()[0].asked(), expected, "{interface}");
    }
}

#[tokio::test]
async fn a_stepping_mock_counts_in_every_interface() {
    for interface in Interface::ALL {
        for (steps, expected) in [(2, "look"), (1, "done after")] {
            let mock = MockProvider::stepping(steps, json!({"step": 0})).start().await.unwrap();
            let said = said(&mock, interface).await;
            assert!(said.contains(expected), "{interface}: {said}");
        }
    }
}
