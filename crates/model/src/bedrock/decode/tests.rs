use adjutant_core::id::CallId;
use adjutant_core::message::{Message, Part, ToolCall, ToolResult};
use url::Url;

use super::*;
use crate::collect::Collector;
use crate::response::Response;

fn decoder() -> Decoder {
    let peer = Peer::new(&Url::parse("https://bedrock-runtime.eu-west-1.amazonaws.com").unwrap(), &[]);
    Decoder::new(peer, &Request::default())
}

fn event(name: &str, data: &Value) -> Event {
    Event { name: name.to_owned(), data: data.to_string() }
}

/// Events as a list of names and data.
fn decode(events: &[(&str, Value)]) -> (Vec<Delta>, Result<()>) {
    let mut decoder = decoder();
    let mut deltas = Vec::new();
    let result = events.iter().try_for_each(|(name, data)| decoder.event(&event(name, data), &mut deltas));
    let result = result.and_then(|()| decoder.end(&mut deltas));
    (deltas, result)
}

fn answer(events: &[(&str, Value)]) -> Response {
    let (deltas, result) = decode(events);
    result.unwrap();
    folded(deltas)
}

fn folded(deltas: Vec<Delta>) -> Response {
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    collector.finish().unwrap()
}

fn whole(body: &Value) -> Result<Response> {
    let mut deltas = Vec::new();
    decoder().whole(&body.to_string(), &mut deltas)?;
    Ok(folded(deltas))
}

fn delta(index: u64, delta: Value) -> (&'static str, Value) {
    (
        "contentBlockDelta",
        Value::from_iter([("contentBlockIndex", index.into()), ("delta", delta), ("p", "abc".into())]),
    )
}

fn begin(index: u64, start: Value) -> (&'static str, Value) {
    ("contentBlockStart", Value::from_iter([("contentBlockIndex", index.into()), ("start", start)]))
}

fn stop(index: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

fn end(reason: &str) -> (&'static str, Value) {
    ("messageStop", json!({"stopReason": reason}))
}

fn begins() -> (&'static str, Value) {
    ("messageStart", json!({"role": "assistant", "p": "abc"}))
}

fn counts() -> (&'static str, Value) {
    (
        "metadata",
        json!({"usage": {"inputTokens": 5, "outputTokens": 3, "cacheReadInputTokens": 10}, "metrics": {"latencyMs": 8}}),
    )
}

/// Parts as `text`, `(reasoning signature/encrypted)`, `name#id arguments`, native parts as JSON; then the stop reason.
fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(Reasoning { text, signature, encrypted, provider, .. }) => {
            let secret = signature.as_ref().or(encrypted.as_ref());
            format!("({text} {secret:?} {provider:?})").replace("Some", "").replace('"', "")
        }
        Part::ToolCall(call) => format!("{}#{} {}", call.name, call.id, call.arguments),
        Part::Native(native) => {
            format!("{} {}", native.provider, adjutant_core::json::Json::from(native.value.clone()))
        }
        other => format!("{other:?}"),
    };
    let parts: Vec<String> = response.message.parts.iter().map(part).collect();
    format!("{} | {:?}", parts.join(" | "), response.stop)
}

#[test]
fn blocks_become_parts() {
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "look"}});
    let input = |piece: &str| json!({"toolUse": {"input": piece}});
    let thought = |inner: Value| json!({"reasoningContent": inner});
    let own = json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}});
    let found =
        json!({"toolResult": {"toolUseId": "s", "type": "nova_grounding_result", "status": "success"}});
    let cases: Vec<(Vec<(&str, Value)>, &str)> = vec![
        (
            vec![
                begins(),
                delta(0, json!({"text": "Good "})),
                delta(0, json!({"text": "day"})),
                stop(0),
                end("end_turn"),
                counts(),
            ],
            "Good day | EndTurn",
        ),
        (
            vec![
                begins(),
                delta(0, json!({"text": "Look."})),
                stop(0),
                begin(1, call("a")),
                delta(1, input("{\"city\":")),
                delta(1, input("")),
                delta(1, input("\"Bern\"}")),
                stop(1),
                begin(2, call("b")),
                stop(2),
                end("tool_use"),
                counts(),
            ],
            r#"Look. | look#a {"city":"Bern"} | look#b {} | ToolCalls"#,
        ),
        (
            vec![
                begins(),
                begin(0, call("a")),
                begin(1, call("a")),
                delta(1, input("{\"x\":1}")),
                delta(0, input("{}")),
                end("end_turn"),
            ],
            r#"look#a {} | look#a_2 {"x":1} | ToolCalls"#,
        ),
        (
            vec![
                begins(),
                delta(0, thought(json!({"text": "Let "}))),
                delta(0, thought(json!({"text": "me"}))),
                delta(0, thought(json!({"signature": "EqQ"}))),
                delta(0, thought(json!({"signature": "B=="}))),
                stop(0),
                delta(1, json!({"text": "4"})),
                end("end_turn"),
            ],
            "(Let me (EqQB==) (bedrock)) | 4 | EndTurn",
        ),
        (
            vec![
                begins(),
                delta(0, thought(json!({"text": "hm"}))),
                stop(0),
                delta(1, json!({"text": "4"})),
                end("end_turn"),
            ],
            "(hm None None) | 4 | EndTurn",
        ),
        // The text of it may be held back.
        (
            vec![
                begins(),
                delta(0, thought(json!({"text": ""}))),
                delta(0, thought(json!({"signature": "s"}))),
                stop(0),
                end("end_turn"),
            ],
            "( (s) (bedrock)) | EndTurn",
        ),
        (
            vec![
                begins(),
                delta(0, thought(json!({"redactedContent": "AA=="}))),
                stop(0),
                delta(1, json!({"text": "4"})),
                end("end_turn"),
            ],
            "( (AA==) (bedrock)) | 4 | EndTurn",
        ),
        (
            vec![
                begins(),
                begin(0, own),
                delta(0, input("{\"q\":1}")),
                stop(0),
                begin(1, found),
                delta(1, json!({"toolResult": [{"text": "x"}]})),
                delta(1, json!({"toolResult": [{"json": {}}]})),
                stop(1),
                delta(2, json!({"text": "found"})),
                end("end_turn"),
            ],
            r#"bedrock {"toolUse":{"input":{"q":1},"name":"nova_grounding","toolUseId":"s","type":"server_tool_use"}} | bedrock {"toolResult":{"content":[{"text":"x"},{"json":{}}],"status":"success","toolUseId":"s","type":"nova_grounding_result"}} | found | EndTurn"#,
        ),
        (vec![end("max_tokens")], " | MaxTokens"),
        (vec![end("model_context_window_exceeded")], " | MaxTokens"),
        (vec![end("stop_sequence")], " | StopSequence"),
        (
            vec![delta(0, json!({"text": "Blocked."})), end("guardrail_intervened")],
            "Blocked. | ContentFilter",
        ),
        (vec![end("content_filtered")], " | ContentFilter"),
        (vec![end("refusal")], " | Refusal"),
        (vec![end("malformed_tool_use")], r#" | Other("malformed_tool_use")"#),
    ];
    for (events, expected) in cases {
        assert_eq!(shown(&answer(&events)), expected, "{events:?}");
    }
}

#[test]
fn the_count_ends_the_answer() {
    let mut decoder = decoder();
    let mut deltas = Vec::new();
    for (name, data) in [begins(), end("end_turn")] {
        decoder.event(&event(name, &data), &mut deltas).unwrap();
    }
    assert!(!decoder.is_complete());
    let (name, data) = counts();
    decoder.event(&event(name, &data), &mut deltas).unwrap();
    assert!(decoder.is_complete());
    let usage = folded(deltas).usage.unwrap();
    assert_eq!((usage.input, usage.cached, usage.output), (15, 10, 3));
}

#[test]
fn an_answer_that_came_whole_is_the_same() {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
            {"reasoningContent": {"redactedContent": "AA=="}},
            {"text": "Look."},
            {"citationsContent": {"content": [{"text": "See"}], "citations": [{"title": "t"}]}},
            {"toolUse": {"toolUseId": "a", "name": "look", "input": {"city": "Bern"}}},
            {"toolUse": {"toolUseId": "s", "name": "own", "input": {}, "type": "server_tool_use"}},
            {"hologram": {}},
        ]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 5, "outputTokens": 3},
        "metrics": {"latencyMs": 8}, "trace": {"guardrail": 1}, "additionalModelResponseFields": {},
    });
    let response = whole(&body).unwrap();
    assert_eq!(
        shown(&response),
        r#"(hm (s) (bedrock)) | ( (AA==) (bedrock)) | Look.See | look#a {"city":"Bern"} | bedrock {"toolUse":{"input":{},"name":"own","toolUseId":"s","type":"server_tool_use"}} | ToolCalls"#
    );
    assert_eq!(
        response.unknown,
        [json!({"citations": [{"title": "t"}]}), json!({"hologram": {}}), json!({"trace": {"guardrail": 1}})]
    );
    assert_eq!(response.usage.unwrap().total(), 8);
    let cases = [
        (json!({}), Code::ModelAnswerInvalid, "has no message"),
        (json!({"message": "oops"}), Code::ModelUnavailable, "oops"),
    ];
    for (body, code, says) in cases {
        let error = whole(&body).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.message().contains(says), "{error}");
    }
}

#[test]
fn what_is_not_understood_is_kept() {
    let response = answer(&[
        begins(),
        ("heartbeat", json!({"n": 1})),
        begin(0, json!({"image": {"format": "png"}})),
        delta(0, json!({"image": {"source": {}}})),
        delta(1, json!({"text": "a", "citation": {"title": "t"}})),
        delta(9, json!({"toolUse": {"input": "{}"}})),
        end("end_turn"),
        ("metadata", json!({"trace": {"promptRouter": {"invokedModelId": "m"}}})),
    ]);
    assert_eq!(
        response.unknown,
        [
            json!({"heartbeat": {"n": 1}}),
            json!({"contentBlockStart": {"image": {"format": "png"}}}),
            json!({"delta.image": {"source": {}}}),
            json!({"delta.citation": {"title": "t"}}),
            json!({"delta.toolUse": {"input": "{}"}}),
            json!({"trace": {"promptRouter": {"invokedModelId": "m"}}}),
        ]
    );
    assert_eq!(shown(&response), "a | EndTurn");
}

#[test]
fn an_exception_has_the_code_of_its_status() {
    let exception = |kind: &str, more: Value| {
        let mut data = json!({"type": kind, "message": "it went wrong"});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (EXCEPTION, data)
    };
    let none = || json!({});
    let cases = [
        (exception("throttlingException", none()), Code::ModelRateLimited),
        (exception("ModelNotReadyException", none()), Code::ModelRateLimited),
        (exception("serviceUnavailableException", none()), Code::ModelUnavailable),
        (exception("internalServerException", none()), Code::ModelUnavailable),
        (exception("modelStreamErrorException", json!({"originalStatusCode": 400})), Code::ModelUnavailable),
        (exception("modelErrorException", json!({"originalStatusCode": 429})), Code::ModelRateLimited),
        (exception("modelErrorException", json!({"originalStatusCode": 400})), Code::ModelRequestRefused),
        (exception("modelErrorException", none()), Code::ModelUnavailable),
        (exception("modelTimeoutException", none()), Code::ModelTimeout),
        (exception("validationException", none()), Code::ModelRequestRefused),
        (exception("accessDeniedException", none()), Code::ModelKeyRefused),
        (exception("InternalError", none()), Code::ModelUnavailable),
    ];
    for (event, code) in cases {
        let (deltas, result) = decode(&[begins(), delta(0, json!({"text": "half"})), event.clone()]);
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{event:?}: {error}");
        assert!(error.message().contains("it went wrong"), "{error}");
        // What came before is not lost.
        assert_eq!(deltas.last(), Some(&Delta::Text("half".into())));
    }
}

#[test]
fn what_breaks_the_promises_is_refused() {
    let (_, unfinished) = decode(&[begins(), delta(0, json!({"text": "a"}))]);
    assert!(unfinished.unwrap_err().message().ends_with("breaks off before its end"));
    let broken = Event { name: "messageStart".into(), data: "{\"role\"".into() };
    let mut kept = Vec::new();
    decoder().event(&Event { name: "ping".into(), data: String::new() }, &mut kept).unwrap();
    assert_eq!(kept, [Delta::Unknown(json!({"ping": ""}))]);
    let error = decoder().event(&broken, &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), Code::ModelAnswerInvalid);
    assert!(error.message().contains("is not JSON"), "{error}");
}

#[test]
fn ids_are_unique_in_the_transcript() {
    let call = ToolCall { id: "tooluse_a".into(), name: "look".into(), arguments: "{}".into() };
    let request = Request::new([
        Message::user("hi"),
        Message::assistant(vec![Part::ToolCall(call.clone())]),
        Message::tool(ToolResult::text(&call, "ok")),
    ]);
    let mut decoder = Decoder::new(decoder().peer, &request);
    let mut deltas = Vec::new();
    let start = json!({"start": {"toolUse": {"toolUseId": "tooluse_a", "name": "look"}}});
    decoder.event(&event("contentBlockStart", &start), &mut deltas).unwrap();
    let id = Some(CallId::from("tooluse_a_2"));
    assert_eq!(
        deltas,
        [Delta::ToolCall { index: 0, id, name: Some("look".into()), arguments: String::new() }]
    );
}
