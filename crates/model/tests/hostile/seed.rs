//! Answers as providers write them.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use adjutant_core::Result;
use adjutant_core::usage::Usage;
use adjutant_model::provider::Provider;
use adjutant_model::transport::{Body, Client, Incoming, Outgoing, Transport};
use adjutant_model::{Call, Model, event_stream, sse};
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface, MockProvider};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::read::{KEY, Subject, question};

/// One answer of one provider, in pieces and whole.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    pub(crate) events: Vec<sse::Event>,
    pub(crate) whole: String,
}

/// The answers of each provider, in the order of [`Subject::ALL`], and every word that is in them.
pub(crate) static SEEDS: LazyLock<[(Vec<Seed>, Vec<String>); 5]> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut seeds: [(Vec<Seed>, Vec<String>); 5] = Default::default();
        for (subject, (seeds, words)) in Subject::ALL.into_iter().zip(&mut seeds) {
            for answer in answers(subject.interface) {
                seeds.push(written(subject, answer).await);
            }
            let mut known = BTreeSet::new();
            for event in seeds.iter().flat_map(|seed| &seed.events) {
                known.insert(event.name.clone());
                collect_words(&serde_json::from_str(&event.data).unwrap_or_default(), &mut known);
            }
            *words = known.into_iter().collect();
        }
        seeds
    })
});

fn answers(interface: Interface) -> Vec<Answer> {
    let calls = [
        ("call_0", "look", json!({"what": "order \"1042\" \u{e9}\n"})),
        ("call_1", "look", json!({"deep": {"list": [1, 2.5, null, true]}})),
        ("", "look", json!({})),
    ];
    let used =
        Usage { input: 900, output: 70, cached: 400, cache_write: 100, reasoning: 30, ..Usage::default() };
    vec![
        Answer::text("It is on its way to you, \u{fc}nd there on Tuesday: \u{1f69a}.").using(used),
        Answer::text("42.").reasoning("Six times seven.").signed("c2lnbmF0dXJl"),
        Answer::calls(calls).saying("Let me see."),
        Answer::text("").refusing("I cannot help with that."),
        Answer::text("so far").ending(Finish::Length),
        Answer::text("so far").ending(Finish::Filter),
        Answer::text("a b c d").with(Fault::Fail(2, 529, "overloaded".into())),
        Answer::chunks(rare(interface)),
    ]
}

/// What an interface has beside the usual.
fn rare(interface: Interface) -> Vec<Value> {
    let chunk = |delta: Value| json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta}]});
    match interface {
        Interface::Chat => vec![
            chunk(json!({"reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0}]})),
            chunk(json!({"thinking_blocks": [{"type": "thinking", "thinking": "so", "signature": "s"}]})),
            chunk(json!({"content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "b"}]})),
            chunk(json!({"tool_calls": [{"id": "x", "function": {"name": "look", "arguments": {"a": 1}}}]})),
            chunk(json!({"tool_calls": [{"id": "y", "function": {"name": "look", "arguments": "{}"}}]})),
            json!({"choices": [{"finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1, "cost": 0.5}}),
        ],
        Interface::Responses => vec![
            json!({"type": "response.created", "response": {"id": "r", "model": "m"}}),
            json!({"type": "response.output_item.added", "output_index": 0,
                "item": {"type": "web_search_call", "id": "ws", "status": "in_progress"}}),
            json!({"type": "response.output_item.done", "output_index": 0,
                "item": {"type": "web_search_call", "id": "ws", "status": "completed"}}),
            json!({"type": "response.output_item.added", "output_index": 1,
                "item": {"type": "message", "id": "m", "phase": "commentary", "content": []}}),
            json!({"type": "response.output_text.delta", "item_id": "m", "delta": "Found."}),
            json!({"type": "response.output_text.annotation.added", "annotation": {"type": "url_citation"}}),
            json!({"type": "keepalive"}),
            json!({"type": "response.completed", "response": {"status": "completed", "output": [
                {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Found."}]},
                {"type": "custom", "id": "c"}], "tool_usage": {"web_search": {"num_requests": 1}}}}),
        ],
        Interface::Messages => {
            let start = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
            let delta = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
            vec![
                json!({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 1}}}),
                start(0, json!({"type": "redacted_thinking", "data": "eA=="})),
                start(1, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
                delta(1, json!({"type": "input_json_delta", "partial_json": "{\"query\": \"x\"}"})),
                json!({"type": "content_block_stop", "index": 1}),
                start(2, json!({"type": "text", "text": "", "citations": []})),
                delta(
                    2,
                    json!({"type": "citations_delta", "citation": {"type": "web_search_result_location"}}),
                ),
                delta(2, json!({"type": "text_delta", "text": "Found."})),
                delta(3, json!({"type": "signature_delta", "signature": "s"})),
                json!({"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 2}}),
                json!({"type": "message_stop"}),
            ]
        }
        Interface::Gemini => {
            let parts =
                |parts: Value| json!({"candidates": [{"content": {"role": "model", "parts": parts}}]});
            vec![
                parts(json!([{"text": "Hm", "thought": true}, {"executableCode": {"code": "1"}}])),
                parts(
                    json!([{"functionCall": {"name": "look", "args": {"n": 3.0}}, "thoughtSignature": "cw=="}]),
                ),
                json!({"candidates": [{"content": {"parts": [{}]}, "finishReason": "STOP",
                    "groundingMetadata": {"webSearchQueries": ["x"]}}], "usageMetadata": {"promptTokenCount": 1}}),
            ]
        }
        Interface::Converse => {
            let start = |start: Value| json!({"contentBlockStart": {"contentBlockIndex": 0, "start": start}});
            let delta = |delta: Value| json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": delta}});
            vec![
                json!({"messageStart": {"role": "assistant"}}),
                start(json!({"toolUse": {"toolUseId": "s", "name": "web", "type": "server_tool_use"}})),
                delta(json!({"toolUse": {"input": "{\"a\": 1}"}})),
                json!({"contentBlockStop": {"contentBlockIndex": 0}}),
                start(json!({"toolResult": {"toolUseId": "s", "type": "web"}})),
                delta(json!({"toolResult": [{"text": "x"}]})),
                delta(json!({"reasoningContent": {"redactedContent": "eA=="}})),
                delta(json!({"citation": {"title": "x"}})),
                json!({"messageStop": {"stopReason": "end_turn", "additionalModelResponseFields": {"a": 1}}}),
                json!({"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": {"x": 1}}}),
            ]
        }
    }
}

async fn written(subject: Subject, answer: Answer) -> Seed {
    let answers = [answer.clone(), answer.with(Fault::Whole)];
    let mock = MockProvider::answering(answers).key(KEY).start().await.unwrap();
    let config = subject.config(&mock.base_url_of(subject.interface));
    let tap = Arc::new(Tap { client: Client::new(config.timeouts), bytes: Mutex::default() });
    let model = Provider::named(subject.provider).unwrap().model_over(&config, tap.clone()).unwrap();
    for _ in 0..2 {
        let deltas = model.stream(question(), Call::default()).await.unwrap();
        deltas.for_each(|_| futures::future::ready(())).await;
    }
    let written = std::mem::take(&mut *tap.bytes.lock().unwrap());
    let [(kind, streamed), (_, whole)]: [(String, Vec<u8>); 2] = written.try_into().unwrap();
    Seed { events: events(&kind, &streamed), whole: String::from_utf8(whole).unwrap() }
}

fn events(kind: &str, bytes: &[u8]) -> Vec<sse::Event> {
    let mut events = Vec::new();
    match kind {
        event_stream::CONTENT_TYPE => {
            event_stream::Decoder::new(1 << 20).feed(bytes, &mut events).unwrap();
        }
        _ => sse::Decoder::new(1 << 20).feed(bytes, &mut events).unwrap(),
    }
    assert!(!events.is_empty(), "{kind}: {}", String::from_utf8_lossy(bytes));
    events
}

fn collect_words(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(words.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect_words(item, words)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            words.insert(name.clone());
            collect_words(value, words);
        }),
        _ => {}
    }
}

/// Keeps what it carries.
#[derive(Debug)]
struct Tap {
    client: Client,
    bytes: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Transport for Tap {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        Box::pin(async move {
            let mut incoming = self.client.send(outgoing).await?;
            let kind = incoming.headers.get(CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            while let Some(chunk) = incoming.body.chunk().await? {
                bytes.extend_from_slice(&chunk);
            }
            self.bytes.lock().unwrap().push((kind, bytes.clone()));
            let body = Body::new(Box::pin(futures::stream::iter([Ok(Bytes::from(bytes))])));
            Ok(Incoming { body, ..incoming })
        })
    }
}
