//! What the mock puts on the wire when it misbehaves, seen without any client, on every interface.

#![cfg(test)]

mod asked;
mod exchange;

use std::time::Duration;

use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider};
use serde_json::{Value, json};

use exchange::{Exchange, Expected, exchange};

/// The interfaces, each asked for a stream and for a whole answer.
fn each() -> impl Iterator<Item = (Interface, bool)> {
    Interface::ALL.into_iter().flat_map(|interface| [(interface, false), (interface, true)])
}

/// The smallest request of an interface: its path and its body.
fn hello(interface: Interface, streams: bool) -> (&'static str, Value) {
    let said = json!([{"role": "user", "content": "hi"}]);
    match (interface, streams) {
        (Interface::Chat, _) => {
            ("/v1/chat/completions", json!({"model": "m", "messages": said, "stream": streams}))
        }
        (Interface::Responses, _) => {
            ("/v1/responses", json!({"model": "m", "input": "hi", "stream": streams}))
        }
        (Interface::Messages, _) => {
            ("/v1/messages", json!({"model": "m", "max_tokens": 10, "messages": said, "stream": streams}))
        }
        (Interface::Gemini, false) => ("/v1beta/models/m:generateContent", gemini()),
        (Interface::Gemini, true) => ("/v1beta/models/m:streamGenerateContent?alt=sse", gemini()),
        (Interface::Converse, false) => ("/model/m/converse", converse()),
        (Interface::Converse, true) => ("/model/m/converse-stream", converse()),
    }
}

fn gemini() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
}

fn converse() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]})
}

fn answer() -> Answer {
    Answer::text("Good morning! It is 21 °C, and 雨 tomorrow.").reasoning("Say hello.")
}

/// What comes where the mock answers this.
async fn answered(interface: Interface, streams: bool, answer: Answer) -> Exchange {
    ending(interface, streams, answer, Expected::End).await
}

async fn ending(interface: Interface, streams: bool, answer: Answer, expected: Expected) -> Exchange {
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let (path, body) = hello(interface, streams);
    let exchange = exchange(&mock, path, &body.to_string(), expected).await;
    mock.assert_clean();
    exchange
}

async fn with(interface: Interface, streams: bool, fault: Fault) -> Exchange {
    let expected = match fault {
        Fault::Stall(_) => Expected::Silence,
        Fault::Never => Expected::Nothing,
        _ => Expected::End,
    };
    ending(interface, streams, answer().with(fault), expected).await
}

#[tokio::test]
async fn what_is_sent_in_another_way_is_the_same() {
    for (interface, streams) in each() {
        let plain = answered(interface, streams, answer()).await;
        assert_eq!(plain.status, 200, "{interface}");
        assert!(plain.is_whole && !plain.body().is_empty(), "{interface}");

        let trickled = with(interface, streams, Fault::Trickle).await;
        assert_eq!(trickled.body(), plain.body(), "{interface}");
        assert!(trickled.chunks.iter().all(|chunk| chunk.len() == 1), "{interface}");

        let slow = with(interface, streams, Fault::SlowFirstByte(Duration::from_millis(10))).await;
        assert_eq!(slow.body(), plain.body(), "{interface}");

        let marked = with(interface, streams, Fault::ByteOrderMark).await;
        assert_eq!(marked.body().strip_prefix(b"\xef\xbb\xbf"), Some(&*plain.body()), "{interface}");

        let lied = with(interface, streams, Fault::ContentType("text/x-odd".into())).await;
        assert_eq!(lied.header("content-type"), Some("text/x-odd"), "{interface}");
        assert_eq!(lied.body(), plain.body(), "{interface}");

        let whole = with(interface, true, Fault::Whole).await;
        assert_eq!(whole.header("content-type"), Some("application/json"), "{interface}");
        assert!(serde_json::from_slice::<Value>(&whole.body()).unwrap().is_object(), "{interface}");
    }
}

#[tokio::test]
async fn what_is_cut_is_a_beginning() {
    for (interface, streams) in each() {
        let plain = answered(interface, streams, answer()).await.body();
        let is_beginning = |exchange: &Exchange| {
            let body = exchange.body();
            assert!(!body.is_empty() && body.len() < plain.len() && plain.starts_with(&body), "{interface}");
        };
        for fault in [Fault::Unfinished(2), Fault::HalfJson] {
            let ended = with(interface, streams, fault).await;
            is_beginning(&ended);
            assert!(ended.is_whole, "{interface}");
        }
        for fault in [Fault::Cut(2), Fault::Stall(2)] {
            let broken = with(interface, streams, fault.clone()).await;
            is_beginning(&broken);
            assert!(!broken.is_whole, "{interface}");
            assert_eq!(broken.is_open, matches!(fault, Fault::Stall(_)), "{interface}: {fault:?}");
        }
        let endless = with(interface, streams, Fault::Endless).await;
        assert!(endless.is_open && endless.body().len() >= exchange::MOST, "{interface}");
        let never = with(interface, streams, Fault::Never).await;
        assert!(never.is_open && never.status == 0, "{interface}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_there() {
    for (interface, streams) in each() {
        let contains = |exchange: &Exchange, text: &str| {
            let body = String::from_utf8_lossy(&exchange.body()).into_owned();
            assert!(exchange.is_whole && body.contains(text), "{interface}: {body}");
        };
        contains(&with(interface, streams, Fault::Garbage).await, "<html>oops</html>");
        contains(&with(interface, streams, Fault::Fail(2, 503, "it broke".into())).await, "it broke");
        contains(&with(interface, streams, Fault::ErrorEvent(2, json!({"odd": "one"}))).await, "one");
        let welcome = with(interface, streams, Fault::Body("text/html".into(), "Welcome!".into())).await;
        assert_eq!((welcome.status, &*welcome.body()), (200, &b"Welcome!"[..]), "{interface}");
    }
}

#[tokio::test]
async fn refusals_have_the_form_of_the_interface() {
    for (interface, streams) in each() {
        for status in [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529] {
            let refusal = Answer::status(status, "it \"refuses\"").header("retry-after", "7");
            let refused = answered(interface, streams, refusal).await;
            assert_eq!(refused.status, status, "{interface}");
            assert_eq!(refused.header("content-type"), Some("application/json"), "{interface}");
            assert_eq!(refused.header("retry-after"), Some("7"), "{interface}");
            let body: Value = serde_json::from_slice(&refused.body()).unwrap();
            let error = body.get("error").unwrap_or(&body);
            assert_eq!(error["message"], "it \"refuses\"", "{interface}: {body}");
        }
    }
}

#[tokio::test]
async fn what_nobody_serves_is_a_fault() {
    let mock = MockProvider::answering([]).start().await.unwrap();
    let lost = exchange(&mock, "/v2/chat", "{}", Expected::End).await;
    assert_eq!(lost.status, 404);
    assert_eq!(mock.faults(), ["nothing is served at `POST /v2/chat`"]);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_fault() {
    for (interface, streams) in each() {
        let mock = MockProvider::answering([]).start().await.unwrap();
        let (path, _) = hello(interface, streams);
        let refused = exchange(&mock, path, "{\"model\":", Expected::End).await;
        assert_eq!(refused.status, 400, "{interface}");
        assert!(mock.faults()[0].starts_with("the body is not JSON"), "{interface}: {:?}", mock.faults());
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_as_such() {
    let mock = MockProvider::answering([]).start().await.unwrap();
    let body = json!({"messages": [{"role": "user", "content": [{"text": "x".repeat(25_000_000)}]}]});
    let refused = exchange(&mock, "/model/m/converse", &body.to_string(), Expected::End).await;
    assert_eq!(refused.status, 413);
    mock.assert_clean();
}
