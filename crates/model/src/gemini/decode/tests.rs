use adjutant_core::message::{Part, Reasoning};
use url::Url;

use super::*;
use crate::collect::Collector;
use crate::response::Response;
use crate::sse;

fn decoder() -> Decoder {
    let peer = Peer::new(&Url::parse("https://api.example.com").unwrap(), &[]);
    Decoder::new(peer, &Request::default(), "gemini", "g")
}

/// What a stream of these pieces becomes.
fn decoded(pieces: &[Value]) -> (Vec<Delta>, Result<()>) {
    let mut decoder = decoder();
    let mut deltas = Vec::new();
    let event = |piece: &Value| Event { name: String::new(), data: piece.to_string() };
    let fed = pieces.iter().try_for_each(|piece| decoder.event(&event(piece), &mut deltas));
    let result = fed.and_then(|()| decoder.end(&mut deltas));
    (deltas, result)
}

fn folded(deltas: Vec<Delta>) -> Response {
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    collector.finish().unwrap()
}

fn answered(pieces: &[Value]) -> Response {
    let (deltas, result) = decoded(pieces);
    result.unwrap();
    folded(deltas)
}

/// One word a part; then the stop reason.
fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(Reasoning { text, provider, id, signature, .. }) => {
            let mark = signature.as_ref().map_or(String::new(), |signature| {
                assert_eq!((provider.as_deref(), id.as_deref()), (Some("gemini"), Some("g")));
                format!("!{signature}")
            });
            format!("({text}{mark})")
        }
        Part::ToolCall(call) => format!("{}#{} {}", call.name, call.id, call.arguments),
        Part::Native(native) => format!("{} {}", native.provider, native.value),
        other => format!("{other:?}"),
    };
    let parts: Vec<String> = response.message.parts.iter().map(part).collect();
    format!("{} | {:?}", parts.join(" | "), response.stop)
}

fn parts(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]})
}

fn finish(reason: &str) -> Value {
    json!({"candidates": [{"finishReason": reason, "index": 0}]})
}

#[test]
fn pieces_make_an_answer() {
    let call = |id: Value, name: &str| json!({"functionCall": {"id": id, "name": name, "args": {"n": 1.0}}});
    let signed = |mut part: Value| {
        part["thoughtSignature"] = "S".into();
        part
    };
    let thought = |text: &str| json!({"text": text, "thought": true});
    let text = |text: &str| json!({"text": text});
    let stop = || finish("STOP");
    let cases = [
        (vec![parts(&json!([text("Hel")])), parts(&json!([text("lo")])), stop()], "Hello | EndTurn"),
        (vec![parts(&json!([])), stop()], " | EndTurn"),
        // Older models give a reason with every piece.
        (vec![stop(), parts(&json!([text("a")])), stop()], "a | EndTurn"),
        (
            vec![
                parts(&json!([thought("h")])),
                parts(&json!([thought("m")])),
                parts(&json!([text("a")])),
                stop(),
            ],
            "(hm) | a | EndTurn",
        ),
        (
            vec![parts(&json!([thought("h")])), parts(&json!([signed(thought("m")), text("a")])), stop()],
            "(hm!S) | a | EndTurn",
        ),
        // A signature stands before the part that it came with.
        (
            vec![parts(&json!([text("Hel")])), parts(&json!([signed(text("lo"))])), stop()],
            "Hel | (!S) | lo | EndTurn",
        ),
        (vec![parts(&json!([text("a")])), parts(&json!([signed(text(""))])), stop()], "a | (!S) | EndTurn"),
        (
            vec![
                parts(&json!([thought("hm"), signed(call(json!("x"), "look")), call(json!("y"), "look")])),
                stop(),
            ],
            r#"(hm) | (!S) | look#x {"n":1} | look#y {"n":1} | ToolCalls"#,
        ),
        (
            vec![
                parts(&json!([call(Value::Null, "look")])),
                parts(&json!([call(json!(""), "find")])),
                stop(),
            ],
            r#"look#call_0 {"n":1} | find#call_1 {"n":1} | ToolCalls"#,
        ),
        (
            vec![parts(&json!([call(json!("x"), "look"), call(json!("x"), "look")])), stop()],
            r#"look#x {"n":1} | look#x_2 {"n":1} | ToolCalls"#,
        ),
        (vec![parts(&json!([{"functionCall": {"name": "look"}}, {}])), stop()], "look#call_0 {} | ToolCalls"),
        (
            vec![
                parts(
                    &json!([thought("hm"), {"executableCode": {"code": "1"}, "thoughtSignature": "S"}, text("1")]),
                ),
                stop(),
            ],
            r#"(hm) | gemini {"executableCode":{"code":"1"},"thoughtSignature":"S"} | 1 | EndTurn"#,
        ),
        (
            vec![
                json!({"candidates": [{"groundingMetadata": {"a": 1}, "citationMetadata": {}}]}),
                json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "groundingMetadata": {"a": 2}, "finishReason": "STOP"}]}),
            ],
            r#"a | gemini {"groundingMetadata":{"a":2}} | EndTurn"#,
        ),
        (vec![parts(&json!([text("a")])), finish("MAX_TOKENS")], "a | MaxTokens"),
        (vec![parts(&json!([text("a")])), finish("CONTINUATION")], "a | MaxTokens"),
        (vec![finish("SAFETY")], " | ContentFilter"),
        (vec![parts(&json!([text("a")])), finish("RECITATION")], "a | ContentFilter"),
        (vec![finish("LANGUAGE")], r#" | Other("LANGUAGE")"#),
        (
            vec![parts(&json!([text("a")])), finish("TOO_MANY_TOOL_CALLS")],
            r#"a | Other("TOO_MANY_TOOL_CALLS")"#,
        ),
        (vec![json!({"promptFeedback": {"blockReason": "SAFETY"}})], " | ContentFilter"),
        (
            vec![json!({"promptFeedback": {"safetyRatings": []}}), parts(&json!([text("a")])), stop()],
            "a | EndTurn",
        ),
    ];
    for (pieces, expected) in cases {
        assert_eq!(shown(&answered(&pieces)), expected, "{pieces:?}");
        // The same, written as a list by who does not stream events.
        let mut decoder = decoder();
        let mut deltas = Vec::new();
        decoder.whole(&Value::from(pieces.clone()).to_string(), &mut deltas).unwrap();
        assert_eq!(shown(&folded(deltas)), expected, "{pieces:?}");
    }
}

#[test]
fn what_an_answer_says_of_itself_is_kept() {
    let response = answered(&[
        json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "mood": 1}], "usageMetadata": {"promptTokenCount": 5},
            "modelVersion": "g-002", "responseId": "r1", "modelStatus": {"modelStage": "DEPRECATED"}}),
        json!({"candidates": [{"finishReason": "OTHER", "finishMessage": "why not", "safetyRatings": [], "mood": 1},
            {"index": 1}], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}}),
    ]);
    assert_eq!((response.request_id.as_deref(), response.model.as_deref()), (Some("r1"), Some("g-002")));
    let used = Usage { input: 5, output: 5, reasoning: 3, ..Usage::default() };
    assert_eq!(response.usage, Some(used));
    let unknown = [
        json!({"candidate.mood": 1}),
        json!({"modelStatus": {"modelStage": "DEPRECATED"}}),
        json!({"finishMessage": "why not"}),
        json!({"candidate": {"index": 1}}),
    ];
    assert_eq!(response.unknown, unknown);
    let blocked =
        answered(&[json!({"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "no"}})]);
    let feedback = json!({"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "no"}});
    assert_eq!(blocked.unknown, [feedback]);
}

#[test]
fn every_failure_has_its_code() {
    let malformed =
        json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(x)"}]});
    let complaint = |error: Value| json!({"error": error});
    let cases = [
        (vec![parts(&json!([{"text": "a"}]))], Code::ModelAnswerInvalid, "breaks off before its end"),
        (vec![], Code::ModelAnswerInvalid, "breaks off before its end"),
        (vec![malformed], Code::ModelAnswerInvalid, "a call that is not well-formed: print(x)"),
        (vec![finish("UNEXPECTED_TOOL_CALL")], Code::ModelAnswerInvalid, "a tool that was not offered"),
        (vec![finish("MISSING_THOUGHT_SIGNATURE")], Code::ModelRequestRefused, "lost its thought signature"),
        (vec![json!("text")], Code::ModelAnswerInvalid, "is not an object: \"text\""),
        (
            vec![parts(&json!([{"functionCall": {"name": "look", "willContinue": true}}]))],
            Code::ModelAnswerInvalid,
            "arguments come in pieces",
        ),
        (
            vec![complaint(json!({"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}))],
            Code::ModelUnavailable,
            "status 503: overloaded",
        ),
        (
            vec![complaint(json!({"message": "slow", "status": "RESOURCE_EXHAUSTED"}))],
            Code::ModelRateLimited,
            "429: slow",
        ),
        (
            vec![complaint(json!({"message": "no", "status": "PERMISSION_DENIED"}))],
            Code::ModelKeyRefused,
            "403: no",
        ),
        (vec![complaint(json!({"message": "hm", "status": "NEW"}))], Code::ModelUnavailable, "500: hm"),
        (
            vec![json!([{"error": {"code": 400, "message": "API key not valid"}}])],
            Code::ModelKeyRefused,
            "API key not valid",
        ),
    ];
    for (pieces, code, says) in cases {
        let error = decoded(&pieces).1.unwrap_err();
        assert_eq!(error.code(), code, "{pieces:?}: {error}");
        assert!(error.message().contains(says), "{error}");
    }
    for (body, says) in
        [("{}", "no candidate that is complete"), ("[]", "no candidate"), ("{", "is not JSON")]
    {
        let error = decoder().whole(body, &mut Vec::new()).unwrap_err();
        assert!(error.code() == Code::ModelAnswerInvalid && error.message().contains(says), "{error}");
    }
}

/// A stream that is cut anywhere ends as an error and with a true beginning of the answer, never with another answer.
#[test]
fn a_stream_cut_anywhere_is_no_answer() {
    let whole = [
        parts(&json!([{"text": "hm", "thought": true}])),
        parts(&json!([{"text": "lo\u{2028}ok: "}])),
        parts(&json!([{"functionCall": {"name": "look", "args": {"a": "ä"}}, "thoughtSignature": "S"}])),
        json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}}),
    ];
    let (expected, _) = decoded(&whole);
    let body: String = whole.iter().map(|piece| format!("data: {piece}\r\n\r\n")).collect();
    let read = |bytes: &[u8]| {
        let (mut events, mut decoder, mut deltas) = (sse::Decoder::new(10_000), decoder(), Vec::new());
        let feed = || {
            let mut complete = Vec::new();
            events.feed(bytes, &mut complete)?;
            for event in complete.into_iter().chain(events.finish()) {
                decoder.event(&event, &mut deltas)?;
            }
            decoder.end(&mut deltas)
        };
        (feed(), deltas)
    };
    for cut in 0..body.len() {
        let (result, deltas) = read(&body.as_bytes()[..cut]);
        match result {
            Err(error) => assert_eq!(error.code(), Code::ModelAnswerInvalid, "{cut}: {error}"),
            // Nothing but the end of the last event is missing.
            Ok(()) => assert!(cut + 4 >= body.len(), "{cut}"),
        }
        assert_eq!(deltas, expected[..deltas.len()], "{cut}");
    }
    assert_eq!(read(body.as_bytes()).1, expected);
}

#[test]
fn an_error_in_bare_json_at_the_end_is_heard() {
    let text = "data: {\"candidates\": []}\n\n{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"shed\"\n  }\n}\n";
    let (mut events, mut decoder, mut deltas) = (sse::Decoder::new(10_000), decoder(), Vec::new());
    let mut first = Vec::new();
    events.feed(text.as_bytes(), &mut first).unwrap();
    first.iter().for_each(|event| decoder.event(event, &mut deltas).unwrap());
    let error = decoder.event(&events.finish().unwrap(), &mut deltas).unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::ModelUnavailable, "the provider at `api.example.com` answered with status 503: shed")
    );
}
