//! Streams and whole answers, composed after the events of OpenAI's client.

#![expect(clippy::needless_pass_by_value, reason = "events read better with their values in them")]

use adjutant_core::message::{Native, Part, Reasoning};
use adjutant_core::usage::Usage;
use proptest::prelude::*;
use url::Url;

use super::super::NAME;
use super::*;
use crate::collect::Collector;
use crate::delta::StopReason;
use crate::response::Response;
use crate::sse;

const ORIGIN: &str = "openai-responses@api.example.com";

fn decoder() -> Decoder {
    Decoder::new(
        Peer::new(&Url::parse("https://api.example.com/v1").unwrap(), &[]),
        &Request::default(),
        ORIGIN,
    )
}

fn decoded(events: &[Value]) -> (Vec<Delta>, Result<()>) {
    let (mut decoder, mut deltas) = (decoder(), Vec::new());
    let mut result = Ok(());
    for event in events {
        result = result.and_then(|()| {
            decoder.event(&Event { name: String::new(), data: event.to_string() }, &mut deltas)
        });
    }
    let result = result.and_then(|()| decoder.end(&mut deltas));
    (deltas, result)
}

fn collected(deltas: Vec<Delta>) -> Result<Response> {
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    collector.finish()
}

fn answered(events: &[Value]) -> Response {
    let (deltas, result) = decoded(events);
    result.unwrap();
    collected(deltas).unwrap()
}

fn whole(body: &Value) -> Result<Response> {
    let mut deltas = Vec::new();
    decoder().whole(&body.to_string(), &mut deltas)?;
    collected(deltas)
}

/// One line a part.
fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(reasoning) => {
            let (id, sealed) = (reasoning.id.as_deref(), reasoning.encrypted.as_deref());
            format!("({}#{}#{})", reasoning.text, id.unwrap_or_default(), sealed.unwrap_or_default())
        }
        Part::ToolCall(call) => format!("{}#{} {}", call.name, call.id, call.arguments),
        Part::Native(native) => adjutant_core::json::Json::from(native.value.clone()).to_string(),
        other => panic!("{other:?}"),
    };
    response.message.parts.iter().map(part).collect::<Vec<_>>().join("|")
}

fn response(status: &str, output: Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "status": status, "model": "gpt-6.2-sol", "error": null,
        "incomplete_details": null, "output": output,
        "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "output_tokens": 33, "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 44},
    })
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "model": "gpt-6.2-sol", "output": [], "usage": null}})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": response("completed", output)})
}

fn added(place: u64, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": place, "item": item})
}

fn done(place: u64, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": place, "item": item})
}

fn delta(kind: &str, place: u64, piece: &str) -> Value {
    json!({"type": format!("response.{kind}.delta"), "output_index": place, "content_index": 0, "delta": piece, "obfuscation": "x8f"})
}

fn message(text: &str, phase: Option<&str>) -> Value {
    let content = json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]);
    let mut item = json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content});
    if let Some(phase) = phase {
        item["phase"] = phase.into();
    }
    item
}

fn thought() -> Value {
    let summary =
        json!([{"type": "summary_text", "text": "Two cities."}, {"type": "summary_text", "text": "Both."}]);
    json!({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAA"})
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": format!("fc_{id}"), "type": "function_call", "status": "completed", "call_id": id, "name": "look", "arguments": arguments})
}

fn search() -> Value {
    json!({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}})
}

/// A stream with everything: reasoning, a search, a comment, two calls at once, an answer.
fn everything() -> Vec<Value> {
    let empty = |item: Value, key: &str| {
        let mut item = item;
        item[key] = if key == "arguments" { "".into() } else { json!([]) };
        item
    };
    let summary = |part: u64, piece: &str| json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": part, "delta": piece});
    vec![
        created(),
        json!({"type": "response.in_progress", "response": {"id": "resp_1"}}),
        added(0, json!({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gA"})),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {}}),
        summary(0, "Two "),
        summary(0, "cities."),
        json!({"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "Two cities."}),
        summary(1, "Both."),
        json!({"type": "keepalive", "sequence_number": 9}),
        done(0, thought()),
        added(1, json!({"id": "ws_1", "type": "web_search_call", "status": "in_progress"})),
        json!({"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"}),
        done(1, search()),
        added(2, empty(message("Grüße", Some("commentary")), "content")),
        json!({"type": "response.content_part.added", "output_index": 2, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
        delta("output_text", 2, "Grü"),
        delta("output_text", 2, "ße"),
        json!({"type": "response.output_text.done", "output_index": 2, "text": "Grüße"}),
        done(2, message("Grüße", Some("commentary"))),
        added(3, empty(call("a", ""), "arguments")),
        added(4, empty(call("b", ""), "arguments")),
        delta("function_call_arguments", 3, "{\"city\":"),
        delta("function_call_arguments", 4, "{\"city\":\"Rome\"}"),
        delta("function_call_arguments", 3, "\"Paris\"}"),
        json!({"type": "response.function_call_arguments.done", "output_index": 3, "arguments": "{\"city\":\"Paris\"}"}),
        done(3, call("a", "{\"city\":\"Paris\"}")),
        done(4, call("b", "{\"city\":\"Rome\"}")),
        completed(json!([
            thought(),
            search(),
            message("Grüße", Some("commentary")),
            call("a", "{\"city\":\"Paris\"}"),
            call("b", "{\"city\":\"Rome\"}")
        ])),
    ]
}

const EVERYTHING: &str = "(Two cities.\n\nBoth.#rs_1#gAAA)\
    |{\"action\":{\"query\":\"x\",\"type\":\"search\"},\"id\":\"ws_1\",\"status\":\"completed\",\"type\":\"web_search_call\"}\
    |Grüße|{\"phase\":\"commentary\"}|look#a {\"city\":\"Paris\"}|look#b {\"city\":\"Rome\"}";

#[test]
fn a_stream_is_its_items_in_order() {
    let response = answered(&everything());
    assert_eq!((shown(&response).as_str(), &response.stop), (EVERYTHING, &StopReason::ToolCalls));
    assert_eq!(
        response.usage,
        Some(Usage { input: 11, output: 33, cached: 4, cache_write: 2, reasoning: 20, ..Usage::default() })
    );
    assert_eq!(
        (response.model.as_deref(), response.request_id.as_deref()),
        (Some("gpt-6.2-sol"), Some("resp_1"))
    );
    assert_eq!(response.unknown, Vec::<Value>::new());
    let (deltas, _) = decoded(&everything());
    let thought: String = deltas
        .iter()
        .filter_map(|delta| match delta {
            Delta::Reasoning(piece) => Some(piece.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(thought, "Two cities.\n\nBoth.");
}

/// What a whole answer says, and a stream of which only the last event is understood.
#[test]
fn a_whole_answer_says_the_same_as_its_stream() {
    let stream = everything();
    let last = stream.last().unwrap();
    let streamed = answered(&stream);
    let body = &last["response"];
    assert_eq!(whole(body).unwrap(), streamed);
    assert_eq!(shown(&answered(std::slice::from_ref(last))), EVERYTHING);
    let without_ends: Vec<Value> =
        stream.iter().filter(|event| event["type"] != "response.output_item.done").cloned().collect();
    let response = answered(&without_ends);
    assert_eq!(response.message.calls().count(), 2);
    assert_eq!(response.message.text(), "Grüße");
}

#[test]
fn streams_of_every_form_are_understood() {
    let refusal = |piece: &str| delta("refusal", 0, piece);
    let incomplete = |reason: &str, output: Value| {
        let mut response = response("incomplete", output);
        response["incomplete_details"] = json!({"reason": reason});
        json!({"type": "response.incomplete", "response": response})
    };
    let anonymous =
        |kind: &str, piece: &str| json!({"type": format!("response.{kind}.delta"), "delta": piece});
    let cases: Vec<(&str, Vec<Value>, &str, StopReason)> = vec![
        ("nothing", vec![completed(json!([]))], "", StopReason::EndTurn),
        (
            "pieces",
            vec![
                delta("output_text", 0, "a"),
                delta("output_text", 0, "b"),
                done(0, message("ab", None)),
                completed(json!([message("ab", None)])),
            ],
            "ab",
            StopReason::EndTurn,
        ),
        (
            "no pieces",
            vec![done(0, message("ab", Some("final_answer"))), completed(json!([]))],
            "ab|{\"phase\":\"final_answer\"}",
            StopReason::EndTurn,
        ),
        (
            "an end twice",
            vec![done(0, message("ab", None)), done(0, message("ab", None)), completed(json!([]))],
            "ab",
            StopReason::EndTurn,
        ),
        (
            "refusal",
            vec![refusal("I "), refusal("won't."), completed(json!([]))],
            "I won't.",
            StopReason::Refusal,
        ),
        (
            "refusal as a whole",
            vec![completed(
                json!([{"type": "message", "id": "msg_1", "content": [{"type": "refusal", "refusal": "No."}]}]),
            )],
            "No.",
            StopReason::Refusal,
        ),
        (
            "one id twice",
            vec![done(0, call("a", "{}")), done(1, call("a", "{}")), completed(json!([]))],
            "look#a {}|look#a_2 {}",
            StopReason::ToolCalls,
        ),
        (
            "no arguments",
            vec![done(0, call("a", "")), completed(json!([]))],
            "look#a {}",
            StopReason::ToolCalls,
        ),
        (
            "an object as arguments, no id",
            vec![
                done(0, json!({"type": "function_call", "name": "look", "arguments": {"a": 1}})),
                completed(json!([])),
            ],
            "look#call_0 {\"a\":1}",
            StopReason::ToolCalls,
        ),
        (
            "pieces of a call before its name",
            vec![delta("function_call_arguments", 0, "{}"), done(0, call("a", "{}")), completed(json!([]))],
            "look#a {}",
            StopReason::ToolCalls,
        ),
        (
            "no numbers",
            vec![
                json!({"type": "response.output_item.added", "item": {"type": "function_call", "id": "fc_a", "call_id": "a", "name": "look", "arguments": ""}}),
                anonymous("function_call_arguments", "{}"),
                json!({"type": "response.output_item.added", "item": {"type": "function_call", "id": "fc_b", "call_id": "b", "name": "look", "arguments": ""}}),
                json!({"type": "response.function_call_arguments.delta", "item_id": "fc_b", "delta": "{\"b\":1}"}),
                completed(json!([])),
            ],
            "look#a {}|look#b {\"b\":1}",
            StopReason::ToolCalls,
        ),
        (
            "tokens",
            vec![delta("output_text", 0, "a"), incomplete("max_output_tokens", json!([]))],
            "a",
            StopReason::MaxTokens,
        ),
        (
            "only reasoning",
            vec![done(0, thought()), incomplete("max_output_tokens", json!([]))],
            "(Two cities.\n\nBoth.#rs_1#gAAA)",
            StopReason::MaxTokens,
        ),
        ("filter", vec![incomplete("content_filter", json!([]))], "", StopReason::ContentFilter),
        ("a new reason", vec![incomplete("tired", json!([]))], "", StopReason::Other("tired".into())),
        (
            "plain reasoning",
            vec![
                delta("reasoning_text", 0, "hm"),
                done(
                    0,
                    json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}),
                ),
                delta("output_text", 1, "a"),
                completed(json!([])),
            ],
            "(hm##)|a",
            StopReason::EndTurn,
        ),
        (
            "after the end",
            vec![delta("output_text", 0, "a"), completed(json!([])), delta("output_text", 0, "b")],
            "a",
            StopReason::EndTurn,
        ),
    ];
    for (name, events, expected, stop) in cases {
        let response = answered(&events);
        assert_eq!((shown(&response).as_str(), response.stop), (expected, stop), "{name}");
    }
}

#[test]
fn a_call_that_was_cut_off_is_no_call() {
    let mut cut = response("incomplete", json!([]));
    cut["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let events = [
        added(0, call("a", "")),
        delta("function_call_arguments", 0, "{\"city\":"),
        json!({"type": "response.incomplete", "response": cut}),
    ];
    let (deltas, result) = decoded(&events);
    result.unwrap();
    assert!(collected(deltas).unwrap_err().message().contains("cut off within its call"));
}

#[test]
fn what_is_not_known_is_kept() {
    let new = json!({"type": "response.thought_bubble.popped", "output_index": 0});
    let note =
        json!({"type": "url_citation", "url": "https://h/", "title": "H", "start_index": 0, "end_index": 1});
    let mut end = completed(json!([]));
    end["response"]["tool_usage"] = json!({"web_search": {"num_requests": 1}});
    end["response"]["input_transformations"] =
        json!([{"id": "rs_1", "action": "removed", "reason": "model_mismatch"}]);
    let events = [
        new.clone(),
        json!({"type": "response.output_text.annotation.added", "output_index": 0, "annotation": note}),
        json!({"hello": 1}),
        done(0, json!({"type": "something_new", "id": "x"})),
        done(1, json!("text")),
        end.clone(),
    ];
    let response = answered(&events);
    assert_eq!(
        response.unknown,
        [
            new,
            json!({"annotation": note}),
            json!({"hello": 1}),
            json!({"item": "text"}),
            json!({"tool_usage": {"web_search": {"num_requests": 1}}}),
            json!({"input_transformations": end["response"]["input_transformations"]}),
        ]
    );
    let native = Native { provider: NAME.into(), value: json!({"type": "something_new", "id": "x"}) };
    assert_eq!(response.message.parts, [Part::Native(native)]);
}

#[test]
fn reasoning_says_whose_it_is_where_it_can_come_back() {
    let response = answered(&[done(0, thought()), completed(json!([]))]);
    let Part::Reasoning(Reasoning { provider, signature, .. }) = &response.message.parts[0] else { panic!() };
    assert_eq!((provider.as_deref(), signature), (Some(ORIGIN), &None));
}

#[test]
fn errors_within_an_answer_are_told_apart() {
    let error = |code: &str| json!({"type": "error", "code": code, "message": "so", "param": null, "sequence_number": 3});
    let nested =
        json!({"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "so"}});
    let bare = json!({"error": {"message": "so", "type": "server_error", "code": null}});
    let failed = |code: &str| {
        let mut response = response("failed", json!([]));
        response["error"] = json!({"code": code, "message": "so"});
        json!({"type": "response.failed", "response": response})
    };
    let cases = [
        (error("rate_limit_exceeded"), Code::ModelRateLimited, "so"),
        (nested, Code::ModelRateLimited, "so"),
        (bare, Code::ModelUnavailable, "so"),
        (failed("server_error"), Code::ModelUnavailable, "so"),
        (failed("context_length_exceeded"), Code::ModelContextExceeded, "so"),
        (failed("insufficient_quota"), Code::ModelRequestRefused, "so"),
        (failed("credit_balance_exhausted"), Code::ModelRequestRefused, "so"),
        (failed("invalid_prompt"), Code::ModelRequestRefused, "so"),
        (failed("image_content_policy_violation"), Code::ModelRequestRefused, "so"),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": null}}),
            Code::ModelUnavailable,
            "status 500",
        ),
        (
            json!({"type": "response.cancelled", "response": {"status": "cancelled"}}),
            Code::ModelAnswerInvalid,
            "ends while it is `cancelled`",
        ),
        (json!({"type": "response.completed"}), Code::ModelAnswerInvalid, "ends while it is ``"),
    ];
    for (event, code, says) in cases {
        let (deltas, result) = decoded(&[created(), delta("output_text", 0, "Go"), event.clone()]);
        let error = result.expect_err(&event.to_string());
        assert_eq!(error.code(), code, "{event}: {error}");
        assert!(error.message().contains(says), "{event}: {error}");
        // What came before is not lost.
        assert!(deltas.contains(&Delta::Text("Go".into())), "{event}");
    }
    let (_, result) = decoded(&[created(), delta("output_text", 0, "Go")]);
    assert!(result.unwrap_err().message().ends_with("breaks off before its end"));
}

#[test]
fn a_whole_answer_that_is_none_is_told() {
    let failed =
        json!({"status": "failed", "output": [], "error": {"code": "server_error", "message": "so"}});
    let cases = [
        (json!({}), Code::ModelAnswerInvalid, "has no output"),
        (json!([]), Code::ModelAnswerInvalid, "has no output"),
        (json!({"error": {"message": "so", "code": "server_error"}}), Code::ModelUnavailable, "so"),
        (failed, Code::ModelUnavailable, "so"),
        (json!({"status": "queued", "output": []}), Code::ModelAnswerInvalid, "ends while it is `queued`"),
    ];
    for (body, code, says) in cases {
        let error = whole(&body).unwrap_err();
        assert_eq!(error.code(), code, "{body}");
        assert!(error.message().contains(says), "{error}");
    }
    let error = decoder().whole("{\"output\":", &mut Vec::new()).unwrap_err();
    assert!(error.message().contains("is not JSON"), "{error}");
}

/// The bytes of a stream of server-sent events.
fn on_the_wire(events: &[Value]) -> Vec<u8> {
    let lines =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    lines.collect::<String>().into_bytes()
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let events = everything();
    let (expected, _) = decoded(&events);
    let bytes = on_the_wire(&events);
    for size in [1, 2, 3, 7, 100, bytes.len()] {
        let (mut sse, mut decoder, mut deltas) = (sse::Decoder::new(1 << 20), decoder(), Vec::new());
        let mut events = Vec::new();
        bytes.chunks(size).for_each(|piece| sse.feed(piece, &mut events).unwrap());
        events.iter().for_each(|event| decoder.event(event, &mut deltas).unwrap());
        assert!(decoder.is_complete());
        assert_eq!(deltas, expected, "cut every {size} bytes");
    }
}

proptest! {
    /// Whatever is in the events, nothing panics, and what comes makes a message that is whole or none.
    #[test]
    fn hostile_events_break_nothing(
        events in proptest::collection::vec((0usize..28, 0u64..4, "[a-z{}\":]{0,6}", any::<bool>()), 0..24),
    ) {
        let model = everything();
        let (mut decoder, mut deltas) = (decoder(), Vec::new());
        for (kind, place, piece, odd) in events {
            let mut event = model[kind % model.len()].clone();
            event["output_index"] = place.into();
            if odd {
                event["item"] = json!({"type": piece, "id": place, "arguments": [piece]});
                event["delta"] = json!([piece]);
            } else if event.get("delta").is_some() {
                event["delta"] = piece.into();
            }
            let event = Event { name: String::new(), data: event.to_string() };
            if decoder.event(&event, &mut deltas).is_err() {
                break;
            }
        }
        let _ = collected(deltas);
    }

    /// An answer that breaks off is never taken for a whole one.
    #[test]
    fn a_broken_stream_is_no_answer(count in 0usize..27) {
        let (_, result) = decoded(&everything()[..count]);
        prop_assert!(result.is_err());
    }
}
