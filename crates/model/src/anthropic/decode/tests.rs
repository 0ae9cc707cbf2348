use adjutant_core::message::{Part, ToolCall};

use super::*;
use crate::collect::Collector;
use crate::response::Response;
use crate::sse;

fn decoder() -> Decoder {
    let url = url::Url::parse("https://api.anthropic.com/v1").unwrap();
    let call = ToolCall { id: "toolu_0".into(), name: "look".into(), arguments: "{}".into() };
    let asked = adjutant_core::message::Message::assistant(vec![Part::ToolCall(call)]);
    Decoder::new(Peer::new(&url, &[]), &Request::new([asked]), "anthropic")
}

/// What comes of a stream that arrives in two pieces.
fn read(body: &[u8], cut: usize) -> (Vec<Delta>, Result<()>) {
    let (mut decoder, mut events) = (decoder(), sse::Decoder::new(1 << 20));
    let mut deltas = Vec::new();
    let mut take = || {
        for piece in [&body[..cut], &body[cut..]] {
            let mut complete = Vec::new();
            events.feed(piece, &mut complete)?;
            complete.iter().try_for_each(|event| decoder.event(event, &mut deltas))?;
        }
        decoder.end(&mut deltas)
    };
    let result = take();
    (deltas, result)
}

fn stream(events: &[Value]) -> String {
    let line = |event: &Value| {
        let name = event["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {event}\n\n")
    };
    events.iter().map(line).collect()
}

fn response(deltas: Vec<Delta>) -> Result<Response> {
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    collector.finish()
}

/// One line a part, then the stop reason.
fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(it) => {
            let word = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("({} {}{} {})", it.text, word(&it.signature), word(&it.encrypted), word(&it.provider))
        }
        Part::ToolCall(call) => format!("{}#{} {}", call.name, call.id, call.arguments),
        Part::Native(native) => {
            format!("{}: {}", native.provider, adjutant_core::json::Json::from(native.value.clone()))
        }
        other => panic!("{other:?}"),
    };
    let parts: Vec<String> = response.message.parts.iter().map(part).collect();
    format!("{} | {:?}", parts.join(" | "), response.stop)
}

fn begin() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-opus-5-5", "content": [], "stop_reason": null,
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 1}}})
}

fn open(index: u64, block: Value) -> Value {
    let mut event = json!({"type": "content_block_start", "index": index});
    event["content_block"] = block;
    event
}

fn piece(index: u64, kind: &str, key: &str, value: Value) -> Value {
    let mut event = json!({"type": "content_block_delta", "index": index, "delta": {"type": kind}});
    event["delta"][key] = value;
    event
}

fn close(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn ends(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null, "stop_details": null},
            "usage": {"output_tokens": 15, "output_tokens_details": {"thinking_tokens": 4}}}),
        json!({"type": "message_stop"}),
    ]
}

fn text(index: u64, said: &str) -> [Value; 3] {
    [
        open(index, json!({"type": "text", "text": ""})),
        piece(index, "text_delta", "text", said.into()),
        close(index),
    ]
}

fn call(index: u64, id: &str, pieces: &[&str]) -> Vec<Value> {
    let begin = open(
        index,
        json!({"type": "tool_use", "id": id, "name": "look", "input": {}, "caller": {"type": "direct"}}),
    );
    let pieces = pieces.iter().map(|text| piece(index, "input_json_delta", "partial_json", (*text).into()));
    [begin].into_iter().chain(pieces).chain([close(index)]).collect()
}

#[test]
fn answers_are_read_wherever_the_stream_is_cut() {
    let thought = |pieces: &[Value]| {
        let begin = open(0, json!({"type": "thinking", "thinking": "", "signature": ""}));
        [&[begin], pieces, &[close(0)]].concat()
    };
    let signed = || {
        thought(&[
            piece(0, "thinking_delta", "thinking", "Both ".into()),
            piece(0, "thinking_delta", "thinking", "are nötig.".into()),
            piece(0, "signature_delta", "signature", "EqQ".into()),
        ])
    };
    let search = [
        open(0, json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}})),
        piece(0, "input_json_delta", "partial_json", "{\"query\":".into()),
        piece(0, "input_json_delta", "partial_json", "\"x\"}".into()),
        close(0),
    ];
    let found = [
        open(1, json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []})),
        close(1),
    ];
    let cited = [
        open(2, json!({"type": "text", "text": "", "citations": []})),
        piece(2, "text_delta", "text", "It is x".into()),
        piece(2, "citations_delta", "citation", json!({"url": "u"})),
        close(2),
    ];
    let searched = r#"anthropic: {"id":"srvtoolu_1","input":{"query":"x"},"name":"web_search","type":"server_tool_use"}"#;
    let result = r#"anthropic: {"content":[],"tool_use_id":"srvtoolu_1","type":"web_search_tool_result"}"#;
    let silent = r#"anthropic: {"citations":[],"type":"citations"}"#;
    let cites = r#"anthropic: {"citations":[{"url":"u"}],"type":"citations"}"#;
    let ping = || vec![json!({"type": "ping"})];
    let cases: Vec<(Vec<Value>, &str, String)> = vec![
        (text(0, "Hello").into(), "end_turn", "Hello | EndTurn".into()),
        (
            [ping(), text(0, "a").into(), ping(), text(1, "b").into(), cited.to_vec()].concat(),
            "end_turn",
            format!("a | {silent} | b | {silent} | It is x | {cites} | EndTurn"),
        ),
        (vec![], "end_turn", " | EndTurn".into()),
        (
            [signed(), call(1, "toolu_1", &["", "{\"a\"", ":1}"]), call(2, "toolu_2", &[])].concat(),
            "tool_use",
            r#"(Both are nötig. EqQ anthropic) | look#toolu_1 {"a":1} | look#toolu_2 {} | ToolCalls"#.into(),
        ),
        (call(0, "toolu_0", &[]), "tool_use", "look#toolu_0_2 {} | ToolCalls".into()),
        (
            thought(&[piece(0, "signature_delta", "signature", "S".into())]),
            "end_turn",
            "( S anthropic) | EndTurn".into(),
        ),
        (
            thought(&[piece(0, "thinking_delta", "thinking", "hm".into())]),
            "end_turn",
            "(hm  ) | EndTurn".into(),
        ),
        (thought(&[]), "end_turn", " | EndTurn".into()),
        (
            vec![open(0, json!({"type": "redacted_thinking", "data": "Emw"})), close(0)],
            "end_turn",
            "( Emw anthropic) | EndTurn".into(),
        ),
        (
            [search.to_vec(), found.into(), cited.to_vec(), text(3, "!").into()].concat(),
            "end_turn",
            format!("{searched} | {result} | It is x | {cites} | ! | EndTurn"),
        ),
        (search.into(), "pause_turn", format!("{searched} | Paused")),
        (
            vec![
                open(0, json!({"type": "compaction", "content": null})),
                json!({"type": "content_block_delta", "index": 0, "delta":
                    {"type": "compaction_delta", "content": "so far", "encrypted_content": "e"}}),
                close(0),
            ],
            "compaction",
            r#"anthropic: {"content":"so far","encrypted_content":"e","type":"compaction"} | Other("compaction")"#.into(),
        ),
        // Servers that only resemble the real one.
        (vec![piece(0, "text_delta", "text", "a".into())], "end_turn", "a | EndTurn".into()),
        (
            vec![open(0, json!({"type": "tool_use", "id": "x", "name": "look", "input": {"a": 1}}))],
            "tool_use",
            r#"look#x {"a":1} | ToolCalls"#.into(),
        ),
        (vec![open(0, json!({"type": "text", "text": "a"}))], "end_turn", "a | EndTurn".into()),
        (text(0, "a").into(), "max_tokens", "a | MaxTokens".into()),
        (text(0, "a").into(), "model_context_window_exceeded", "a | MaxTokens".into()),
        (text(0, "a").into(), "stop_sequence", "a | StopSequence".into()),
        (text(0, "a").into(), "tired", "a | Other(\"tired\")".into()),
    ];
    for (blocks, reason, expected) in cases {
        let body = stream(&[vec![begin()], blocks, ends(reason).into()].concat());
        for cut in 0..=body.len() {
            let (deltas, result) = read(body.as_bytes(), cut);
            result.unwrap_or_else(|error| panic!("{error}: {body}"));
            let response = response(deltas).unwrap();
            assert_eq!(shown(&response), expected, "cut at {cut}: {body}");
            let usage =
                Usage { input: 30, output: 15, cached: 5, reasoning: 4, cache_write: 0, ..Usage::default() };
            assert_eq!(response.usage, Some(usage));
            assert_eq!(response.model.as_deref(), Some("claude-opus-5-5"));
            assert_eq!(response.unknown, Vec::<Value>::new());
        }
    }
}

#[test]
fn a_stream_that_breaks_off_is_no_answer() {
    let body = stream(&[vec![begin()], text(0, "Hello").into(), ends("end_turn").into()].concat());
    let last = body.find("event: message_delta").unwrap();
    for end in 0..last {
        let (deltas, result) = read(&body.as_bytes()[..end], 0);
        assert_eq!(result.unwrap_err().code(), Code::ModelAnswerInvalid, "{end}");
        assert!(!deltas.iter().any(|delta| matches!(delta, Delta::End(_))));
    }
    // Only the very last event is missing, which says nothing.
    let (deltas, result) = read(&body.as_bytes()[..body.find("event: message_stop").unwrap()], 0);
    assert_eq!(result, Ok(()));
    assert_eq!(shown(&response(deltas).unwrap()), "Hello | EndTurn");
}

#[test]
fn an_error_within_the_stream_keeps_its_meaning() {
    let cases = [
        ("overloaded_error", "Overloaded", Code::ModelUnavailable),
        ("api_error", "Internal server error", Code::ModelUnavailable),
        ("timeout_error", "took too long", Code::ModelUnavailable),
        ("rate_limit_error", "slow down", Code::ModelRateLimited),
        ("authentication_error", "who are you", Code::ModelKeyRefused),
        ("billing_error", "pay", Code::ModelRequestRefused),
        ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", Code::ModelContextExceeded),
        ("invalid_request_error", "max_tokens: no", Code::ModelRequestRefused),
        ("request_too_large", "32 MB", Code::ModelContextExceeded),
        ("a_new_error", "no", Code::ModelUnavailable),
    ];
    for (kind, message, code) in cases {
        let error =
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_7"});
        let body = stream(&[vec![begin()], text(0, "Hel").into(), vec![error]].concat());
        let (deltas, result) = read(body.as_bytes(), 0);
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().ends_with(&format!("{message} (request `req_7`)")), "{error}");
        assert!(deltas.contains(&Delta::Text("Hel".into())), "what came before is not lost");
    }
}

#[test]
fn a_refusal_says_why() {
    let details = json!({"type": "refusal", "category": "cyber", "explanation": "It asks for malware."});
    let refuse = json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}, "usage": {"output_tokens": 4}});
    let read = |blocks: Vec<Value>| {
        let body =
            stream(&[vec![begin()], blocks, vec![refuse.clone(), ends("").to_vec().remove(1)]].concat());
        let (deltas, result) = read(body.as_bytes(), 0);
        assert_eq!(result, Ok(()));
        response(deltas).unwrap()
    };
    assert_eq!(shown(&read(vec![])), "It asks for malware. | Refusal");
    let partial = read(text(0, "Well").into());
    assert_eq!(shown(&partial), "Well | Refusal");
    assert_eq!(partial.unknown, [json!({"stop_details": details})]);
}

#[test]
fn what_is_not_understood_is_kept() {
    let mut first = begin();
    first["message"]["container"] = json!({"id": "c"});
    let mut last = ends("end_turn");
    last[0]["usage"]["server_tool_use"] = json!({"web_search_requests": 2});
    last[0]["delta"]["mood"] = json!("good");
    let news = json!({"type": "weather", "sky": "blue"});
    let odd = piece(0, "smell_delta", "smell", "rose".into());
    let middle = [news.clone(), open(0, json!({"type": "text", "text": "a"})), odd];
    let body = stream(&[vec![first], middle.into(), last.into()].concat());
    let (deltas, result) = read(body.as_bytes(), 0);
    assert_eq!(result, Ok(()));
    let response = response(deltas).unwrap();
    let expected = [
        json!({"message.container": {"id": "c"}}),
        news,
        json!({"delta": {"type": "smell_delta", "smell": "rose"}}),
        json!({"message_delta.delta.mood": "good"}),
        json!({"usage.server_tool_use": {"web_search_requests": 2}}),
    ];
    assert_eq!(
        (shown(&response).as_str(), response.unknown.as_slice()),
        ("a | EndTurn", expected.as_slice())
    );
}

#[test]
fn a_whole_answer_is_read_like_a_stream() {
    let whole = |message: &Value| {
        let mut deltas = Vec::new();
        decoder().whole(&message.to_string(), &mut deltas)?;
        response(deltas)
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "S"},
            {"type": "text", "text": "Hi", "citations": [{"url": "u"}]},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}});
    let response = whole(&message).unwrap();
    let expected = r#"(hm S anthropic) | Hi | anthropic: {"citations":[{"url":"u"}],"type":"citations"} | look#toolu_1 {"a":1} | ToolCalls"#;
    assert_eq!(shown(&response), expected);
    assert_eq!(response.usage, Some(Usage { input: 1, output: 2, ..Usage::default() }));
    let cases = [
        (json!({}), Code::ModelAnswerInvalid),
        (json!([1]), Code::ModelAnswerInvalid),
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
            Code::ModelUnavailable,
        ),
    ];
    for (body, code) in cases {
        assert_eq!(whole(&body).unwrap_err().code(), code, "{body}");
    }
    assert_eq!(decoder().whole("<html>", &mut vec![]).unwrap_err().code(), Code::ModelAnswerInvalid);
}

proptest::proptest! {
    #[test]
    fn no_event_makes_it_panic(kinds in proptest::collection::vec((0usize..7, 0u64..3, 0usize..8), 0..12)) {
        let types = ["message_start", "content_block_start", "content_block_delta", "content_block_stop",
            "message_delta", "message_stop", "error"];
        let inner = [json!(null), json!([]), json!({}), json!({"type": "text", "text": 1}),
            json!({"type": "tool_use"}), json!({"type": "input_json_delta", "partial_json": "{"}),
            json!({"type": "thinking", "signature": {}}), json!("x")];
        let mut decoder = decoder();
        let mut deltas = Vec::new();
        for (kind, index, what) in kinds {
            let value = &inner[what];
            let event = json!({"type": types[kind], "index": index, "message": value, "content_block": value,
                "delta": value, "usage": value, "error": value});
            let event = Event { name: String::new(), data: event.to_string() };
            if decoder.event(&event, &mut deltas).is_err() {
                return Ok(());
            }
        }
        let _ = decoder.end(&mut deltas);
    }
}
