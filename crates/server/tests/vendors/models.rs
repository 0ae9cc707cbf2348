//! Models, asked in both vendors' formats.

use adjutant::Days;
use serde_json::{Value, json};

use crate::kit::{Kit, SIGNATURE};

const MORNING: &str = "Good morning! It is 21 °C, and 雨 tomorrow.";

fn hi(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}]})
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "temperature", "description": "Looks.", "strict": true, "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}}}])
}

#[tokio::test]
async fn every_provider_answers_in_openais_form_and_says_what_it_cost() {
    let kit = Kit::new().await;
    for model in ["main", "deep", "newer", "openai/m"] {
        let response = kit.send("/v1/chat/completions", &hi(model)).await;
        let headers = response.headers().clone();
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["choices"][0]["message"]["content"], MORNING, "{model}: {body}");
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        assert_eq!(body["usage"]["total_tokens"], 32, "{model}: {body}");
        // 25 tokens at a dollar a million, and 7 at two.
        assert_eq!(header("x-adjutant-cost-usd").as_deref(), Some("0.000039"), "{model}");
        assert!(header("x-request-id").is_some() && header("x-adjutant-model").is_some(), "{model}");
    }
    kit.mock.assert_clean();
}

#[tokio::test]
async fn every_provider_answers_in_anthropics_form() {
    let kit = Kit::new().await;
    for model in ["main", "deep", "newer"] {
        let mut asked = hi(model);
        asked["max_tokens"] = 100.into();
        let (status, body) = kit.post("/v1/messages", &asked).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["content"][0], json!({"type": "text", "text": MORNING}), "{model}");
        assert_eq!(
            (&body["stop_reason"], &body["usage"]["cache_read_input_tokens"]),
            (&json!("end_turn"), &json!(4))
        );
        asked["stream"] = true.into();
        let events = kit.events("/v1/messages", &asked).await;
        let text: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(text, MORNING, "{model}");
        assert_eq!(events.last().unwrap()["type"], "message_stop");
        let (_, counted) = kit.post("/v1/messages/count_tokens", &hi(model)).await;
        assert!(counted["input_tokens"].as_u64().unwrap() > 0, "{counted}");
    }
    kit.mock.assert_clean();
}

#[tokio::test]
async fn a_stream_says_in_the_end_what_was_used() {
    let kit = Kit::new().await;
    let mut asked = hi("main");
    asked["stream"] = true.into();
    asked["stream_options"] = json!({"include_usage": true});
    let text = kit.send("/v1/chat/completions", &asked).await.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let chunks = crate::kit::data(&text);
    let said: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, MORNING);
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["prompt_tokens"]), (&json!([]), &json!(25)));
}

#[tokio::test]
async fn calls_and_signed_thoughts_go_there_and_back() {
    let kit = Kit::new().await;
    for model in ["main", "deep", "newer"] {
        let mut asked = json!({"model": model, "tools": tools(), "messages": [{"role": "user", "content": "Where is it warmer?"}]});
        let (status, body) = kit.post("/v1/chat/completions", &asked).await;
        assert_eq!(status, 200, "{body}");
        let message = body["choices"][0]["message"].clone();
        assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(
            message["tool_calls"][1]["function"]["arguments"], "{\"city\":\"Oslo, Norway\"}",
            "{body}"
        );
        let messages = asked["messages"].as_array_mut().unwrap();
        messages.push(message.clone());
        for call in message["tool_calls"].as_array().unwrap() {
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "21 °C"}));
        }
        let (status, body) = kit.post("/v1/chat/completions", &asked).await;
        assert_eq!((status, &body["choices"][0]["message"]["content"]), (200, &json!("In Oslo.")), "{body}");
    }
    // What Anthropic's model signed went back to it through a client that knows nothing of signatures.
    let sent = kit.mock.requests();
    assert!(
        sent.iter().any(|request| request.to_string().contains(&format!("\"signature\":\"{SIGNATURE}\""))),
        "{sent:?}"
    );
    kit.mock.assert_clean();
}

#[tokio::test]
async fn pictures_and_forms_are_translated() {
    let kit = Kit::new().await;
    let png = "data:image/png;base64,iVBORw0KGgo=";
    let picture =
        json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": png}}]);
    let form = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": {
        "type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"], "additionalProperties": false}}});
    for model in ["main", "deep", "newer"] {
        let (_, seen) = kit
            .post(
                "/v1/chat/completions",
                &json!({"model": model, "messages": [{"role": "user", "content": picture}]}),
            )
            .await;
        assert_eq!(seen["choices"][0]["message"]["content"], "I see a picture.", "{model}: {seen}");
        let mut asked = hi(model);
        asked["response_format"] = form.clone();
        let (_, formed) = kit.post("/v1/chat/completions", &asked).await;
        assert_eq!(formed["choices"][0]["message"]["content"], "{\"answer\": 42}", "{model}: {formed}");
    }
    kit.mock.assert_clean();
}

#[tokio::test]
async fn vectors_are_made_and_models_are_listed() {
    let kit = Kit::new().await;
    let (status, body) =
        kit.post("/v1/embeddings", &json!({"model": "embed", "input": ["the sea", "das Meer"]})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((body["data"].as_array().unwrap().len(), &body["data"][1]["index"]), (2, &json!(1)));
    let (_, listed) = kit.get("/v1/models").await;
    let ids: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    for id in ["main", "openai/m", "deep", "agent/desk"] {
        assert!(ids.contains(&id), "{ids:?}");
    }
    assert_eq!(kit.get("/v1/models/openai/m").await.1["owned_by"], "openai");
    let (status, body) = kit.get("/v1/models/none").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn what_a_call_took_is_counted_by_who_made_it() {
    let kit = Kit::new().await;
    kit.post("/v1/chat/completions", &hi("main")).await;
    kit.post("/v1/chat/completions", &hi("main")).await;
    kit.adjutant.gateway().settle().await.unwrap();
    let used = kit.adjutant.usage(Days::default()).await.unwrap().clients;
    let [one] = used.as_slice() else { panic!("{used:?}") };
    assert_eq!((one.who.as_str(), one.model.as_str(), one.calls), ("tests", "openai/m", 2));
    assert_eq!((one.tokens.input, one.nanos), (50, 78_000));
}

/// A provider that sends one byte at a time shows many signs of life, and calls that come in turns.
#[tokio::test]
async fn streams_are_told_block_by_block_and_signs_of_life_are_no_text() {
    let kit = Kit::new().await;
    for model in ["main", "deep", "newer"] {
        let messages = json!([{"role": "user", "content": "Where is it warmer? byte by byte"}]);
        let own =
            json!([{"name": "temperature", "description": "Looks.", "input_schema": {"type": "object"}}]);
        let body =
            json!({"model": model, "max_tokens": 4_000, "messages": messages, "tools": own, "stream": true});
        let (mut open, mut next, mut calls) = (None, 0, 0);
        for event in kit.events("/v1/messages", &body).await {
            let index = || event["index"].as_u64().unwrap();
            match event["type"].as_str().unwrap() {
                "content_block_start" => {
                    assert_eq!((open, index()), (None, next), "{model}: one at a time: {event}");
                    (open, next) = (Some(index()), next + 1);
                    calls += usize::from(event["content_block"]["type"] == "tool_use");
                }
                "content_block_delta" => {
                    assert_eq!(open, Some(index()), "{model}: {event}");
                    assert_ne!(event["delta"]["text"], "", "{model}: {event}");
                }
                "content_block_stop" => assert_eq!(open.take(), Some(index()), "{model}: {event}"),
                "error" => panic!("{model}: {event}"),
                _ => {}
            }
        }
        assert_eq!((open, calls), (None, 2), "{model}");

        let body = json!({"model": model, "messages": messages, "tools": tools(), "stream": true});
        let chunks = kit.events("/v1/chat/completions", &body).await;
        let empty = chunks.iter().skip(1).filter(|chunk| chunk["choices"][0]["delta"]["content"] == "");
        assert_eq!(empty.count(), 0, "{model}");

        let flat = json!([{"type": "function", "name": "temperature", "parameters": {"type": "object"}}]);
        let body = json!({"model": model, "input": "Where is it warmer? byte by byte", "tools": flat, "stream": true});
        let mut open = None;
        for event in kit.events("/v1/responses", &body).await {
            match event["type"].as_str().unwrap() {
                "response.output_item.added" => {
                    assert_eq!(open.replace(event["output_index"].clone()), None, "{model}: {event}");
                }
                "response.output_item.done" => {
                    assert_eq!(open.take(), Some(event["output_index"].clone()), "{model}: {event}");
                }
                "response.output_text.delta" => assert_ne!(event["delta"], "", "{model}: {event}"),
                _ => {}
            }
        }
        assert_eq!(open, None, "{model}");
    }
}
