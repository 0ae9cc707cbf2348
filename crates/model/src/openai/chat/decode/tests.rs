use adjutant_core::message::{Part, Reasoning};
use url::Url;

use super::*;
use crate::collect::Collector;
use crate::response::Response;
use crate::sse;

fn decoder() -> Decoder {
    let peer = Peer::new(&Url::parse("https://api.example.com").unwrap(), &[]);
    Decoder::new(peer, &Request::default())
}

fn decoded(chunks: &[Value]) -> (Vec<Delta>, Result<()>) {
    let (mut decoder, mut deltas) = (decoder(), Vec::new());
    let event = |chunk: &Value| Event { name: String::new(), data: chunk.to_string() };
    let fed = chunks.iter().try_for_each(|chunk| decoder.event(&event(chunk), &mut deltas));
    let result = fed.and_then(|()| decoder.end(&mut deltas));
    (deltas, result)
}

fn folded(deltas: Vec<Delta>) -> Response {
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    collector.finish().unwrap()
}

fn answered(chunks: &[Value]) -> Response {
    let (deltas, result) = decoded(chunks);
    result.unwrap();
    folded(deltas)
}

/// One word a part; then the stop reason.
fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(Reasoning { text, provider, .. }) => {
            format!(
                "({text}{})",
                provider.as_ref().map_or(String::new(), |provider| format!(" of {provider}"))
            )
        }
        Part::ToolCall(call) => format!("{}#{} {}", call.name, call.id, call.arguments),
        other => format!("{other:?}"),
    };
    let parts: Vec<String> = response.message.parts.iter().map(part).collect();
    format!("{} | {:?}", parts.join(" | "), response.stop)
}

fn delta(delta: &Value) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

#[test]
fn each_server_has_its_way_to_answer() {
    let call = |id: &str| json!({"index": u8::from(id == "null"), "id": id, "function": {"name": "look", "arguments": "{\"a\":1}"}});
    let thinking = |text: &str| {
        delta(&json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}))
    };
    let detail = |fields: Value| delta(&json!({"content": "", "reasoning_details": [fields]}));
    let cases: Vec<(&str, Vec<Value>, &str)> = vec![
        (
            "Mistral thinks in parts, and alternates lists and texts",
            vec![
                delta(&json!({"role": "assistant", "content": ""})),
                thinking("two "),
                thinking("and two"),
                delta(&json!({"content": [{"type": "text", "text": "4"}]})),
                delta(&json!({"content": "."})),
                json!({"id": "a1", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}}),
            ],
            "(two and two of mistral) | 4. | EndTurn",
        ),
        (
            "Mistral calls whole, and an id may be missing",
            vec![
                delta(&json!({"content": "", "tool_calls": [call("D681PevKs"), call("null")]})),
                finish("tool_calls"),
            ],
            r#"look#D681PevKs {"a":1} | look#call_1 {"a":1} | ToolCalls"#,
        ),
        (
            "Mistral's window is full",
            vec![delta(&json!({"content": "a"})), finish("model_length")],
            "a | MaxTokens",
        ),
        ("Together ends", vec![delta(&json!({"content": "a"})), finish("eos")], "a | EndTurn"),
        (
            "xAI ends calls with nothing",
            vec![delta(&json!({"tool_calls": [call("a")]})), finish("")],
            r#"look#a {"a":1} | ToolCalls"#,
        ),
        (
            "OpenRouter's details, of a call",
            vec![
                detail(json!({"type": "reasoning.text", "text": "hm", "index": 0})),
                detail(json!({"type": "reasoning.text", "text": "", "signature": "s", "index": 0})),
                delta(&json!({"tool_calls": [call("a")]})),
                finish("tool_calls"),
            ],
            r#"(hm of openrouter) | look#a {"a":1} | ToolCalls"#,
        ),
        (
            "LiteLLM's blocks",
            vec![
                delta(
                    &json!({"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": ""}]}),
                ),
                delta(&json!({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "s"}]})),
                delta(&json!({"content": "4"})),
                finish("stop"),
            ],
            "(hm of litellm) | 4 | EndTurn",
        ),
    ];
    for (name, chunks, expected) in cases {
        let (mut decoder, mut deltas) = (decoder(), Vec::new());
        for chunk in &chunks {
            decoder.event(&Event { name: String::new(), data: chunk.to_string() }, &mut deltas).unwrap();
        }
        decoder.event(&Event { name: String::new(), data: DONE.into() }, &mut deltas).unwrap();
        assert_eq!(shown(&folded(deltas)), expected, "{name}");
    }
}

#[test]
fn an_answer_begins_with_its_model_and_its_id() {
    let filters = json!({"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]});
    let hi = delta(&json!({"content": "hi"}));
    let nameless = json!({"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]});
    let groq = json!({"id": "c9", "model": "g", "x_groq": {"id": "req_1"}, "choices": [{"index": 0, "delta": {"content": "hi"}}]});
    let cases = [
        (vec![filters, hi.clone(), finish("stop")], (Some("m"), Some("c1"))),
        (vec![groq, finish("stop")], (Some("g"), Some("req_1"))),
        (vec![nameless], (None, None)),
    ];
    for (chunks, (model, id)) in cases {
        let response = answered(&chunks);
        assert_eq!((response.model.as_deref(), response.request_id.as_deref()), (model, id), "{chunks:?}");
        assert!(matches!(
            decoded(&chunks).0.iter().find(|delta| !matches!(delta, Delta::Unknown(_))),
            Some(Delta::Start(_))
        ));
    }
}

#[test]
fn groq_counts_without_being_asked() {
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": null, "x_groq": {"id": "r", "usage": {"prompt_tokens": 9, "completion_tokens": 3}}});
    let usage = answered(&[delta(&json!({"content": "a"})), last]).usage.unwrap();
    assert_eq!((usage.input, usage.output), (9, 3));
}

#[test]
fn a_failure_within_the_answer_has_its_code() {
    let failed = |error: Value| json!({"id": "c", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": error}]});
    let cases = [
        (
            "OpenRouter's",
            json!({"error": {"code": 429, "message": "Rate limit exceeded", "metadata": {"error_type": "rate_limit_exceeded"}}, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}),
            Code::ModelRateLimited,
        ),
        (
            "OpenRouter's word",
            json!({"error": {"code": "server_error", "message": "gone"}, "choices": []}),
            Code::ModelUnavailable,
        ),
        ("of a choice", failed(json!({"code": 402, "message": "pay"})), Code::ModelRequestRefused),
        ("of a choice, without words", finish("error"), Code::ModelUnavailable),
        ("DeepSeek's", finish("insufficient_system_resource"), Code::ModelUnavailable),
        ("vLLM's", finish("abort"), Code::ModelUnavailable),
        (
            "Groq's",
            json!({"x_groq": {"id": "r", "error": "over capacity"}, "choices": []}),
            Code::ModelUnavailable,
        ),
        (
            "Groq's call that is none",
            json!({"error": {"message": "Failed to call a function.", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "x", "status_code": 400}}),
            Code::ModelAnswerInvalid,
        ),
        (
            "LiteLLM's, a request",
            json!({"error": {"message": "litellm.BadRequestError: no", "type": null, "param": null, "code": "400"}}),
            Code::ModelRequestRefused,
        ),
        (
            "LiteLLM's, a limit",
            json!({"error": {"message": "slow", "type": "throttling_error", "code": "429"}}),
            Code::ModelRateLimited,
        ),
        (
            "xAI's",
            json!({"code": "The service is currently unavailable", "error": "later"}),
            Code::ModelUnavailable,
        ),
        (
            "vLLM's error",
            json!({"error": {"message": "bad", "type": "BadRequestError", "code": 400}}),
            Code::ModelRequestRefused,
        ),
    ];
    for (name, chunk, code) in cases {
        let (deltas, result) = decoded(&[delta(&json!({"content": "a"})), chunk]);
        assert_eq!(result.unwrap_err().code(), code, "{name}");
        assert!(deltas.contains(&Delta::Text("a".into())), "{name}");
    }
}

#[test]
fn what_a_server_says_of_the_cost_is_shown() {
    let last = json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "cost": 0.25, "is_byok": false}});
    let response = answered(&[delta(&json!({"content": "a"})), finish("stop"), last]);
    assert_eq!(response.unknown, [json!({"usage.cost": 0.25})]);
    assert_eq!(response.usage.unwrap().input, 9);
}

#[test]
fn what_changes_in_every_chunk_is_told_within_bounds() {
    let chunk = |n: u64| delta(&json!({"content": "a", "token_id": n}));
    let mut chunks: Vec<Value> = (0..1_000).map(chunk).collect();
    chunks.push(finish("stop"));
    let (deltas, result) = decoded(&chunks);
    result.unwrap();
    let told = deltas.iter().filter(|delta| matches!(delta, Delta::Unknown(_))).count();
    assert_eq!(told, MOST_UNKNOWN);
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let chunks = [
        delta(
            &json!({"role": "assistant", "reasoning_details": [{"type": "reasoning.summary", "summary": "hm ü", "index": 0}]}),
        ),
        delta(&json!({"content": "Grüße"})),
        delta(
            &json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": "{\"a\""}}]}),
        ),
        delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]})),
        finish("tool_calls"),
    ];
    let mut wire: String =
        chunks.iter().map(|chunk| format!(": OPENROUTER PROCESSING\n\ndata: {chunk}\n\n")).collect();
    wire.push_str("data: [DONE]\n\n");
    let whole = shown(&answered(&chunks));
    for cut in 0..=wire.len() {
        let (mut events, mut decoder, mut deltas) = (sse::Decoder::new(1 << 20), decoder(), Vec::new());
        let (before, after) = wire.as_bytes().split_at(cut);
        for piece in [before, after] {
            let mut complete = Vec::new();
            events.feed(piece, &mut complete).unwrap();
            complete.iter().for_each(|event| decoder.event(event, &mut deltas).unwrap());
        }
        assert!(decoder.is_complete());
        assert_eq!(shown(&folded(deltas)), whole, "cut at {cut}");
    }
}

#[test]
fn an_answer_that_comes_whole_is_the_same() {
    let body = json!({"id": "gen-1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "4"}]}}]});
    let (mut decoder, mut deltas) = (decoder(), Vec::new());
    decoder.whole(&format!("\n\n  {body}"), &mut deltas).unwrap();
    assert_eq!(shown(&folded(deltas)), "(hm of mistral) | 4 | EndTurn");

    let failed = json!({"id": "gen-1", "choices": [{"index": 0, "error": {"code": 503, "message": "down"}, "finish_reason": "error", "message": {"role": "assistant", "content": ""}}]});
    let error = self::decoder().whole(&failed.to_string(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), Code::ModelUnavailable);
}
