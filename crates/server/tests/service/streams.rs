//! Runs are watched.

use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::kit::{Client, Kit};

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    id: Option<String>,
    event: String,
    data: Value,
}

impl Seen {
    fn is_piece(&self) -> bool {
        self.event.ends_with("_delta")
    }
}

/// The first events of a run after the one with this id, and what else came; all of them where `most` is none.
async fn watch(client: &Client, run: &str, after: Option<&str>, most: Option<usize>) -> Vec<Seen> {
    let mut request = client.request(Method::GET, &format!("/api/runs/{run}/events"));
    if let Some(after) = after {
        request = request.header("Last-Event-ID", after);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (mut bytes, mut text, mut seen) = (response.bytes_stream(), String::new(), Vec::new());
    while let Some(piece) = bytes.next().await {
        text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        while let Some((one, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                one.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
            };
            if let Some(event) = field("event") {
                let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                seen.push(Seen { id: field("id"), event, data });
            }
            text = rest.to_owned();
            if most == Some(seen.len()) {
                return seen;
            }
        }
    }
    seen
}

/// A service with a run that has come to its end.
async fn over() -> (Kit, Client, String) {
    let kit = Kit::saying([
        Turn::calls([("calculate", json!({ "expression": "6 * 7" }))]),
        Turn::text("It is forty two."),
    ])
    .await;
    let client = kit.client(Role::Operator).await;
    let run = client.run("What is 6 * 7?").await["id"].as_str().unwrap().to_owned();
    (kit, client, run)
}

#[tokio::test]
async fn whoever_connects_again_after_any_event_misses_nothing_and_sees_nothing_twice() {
    let (_kit, client, run) = over().await;
    let all: Vec<Seen> =
        watch(&client, &run, None, None).await.into_iter().filter(|seen| seen.event != "state").collect();
    assert!(all.iter().any(|seen| seen.event == "tool_answered"), "{all:?}");
    assert_eq!(all.last().unwrap().event, "ended");
    // Whoever goes on from there has little of the run read once more.
    let numbers: Vec<u64> =
        all.last().unwrap().id.as_ref().unwrap().split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] > 8 && numbers[2] < 4, "{numbers:?}");
    for (number, seen) in all.iter().enumerate() {
        let id = seen.id.as_deref().unwrap();
        let rest: Vec<Seen> = watch(&client, &run, Some(id), None)
            .await
            .into_iter()
            .filter(|seen| seen.event != "state")
            .collect();
        assert_eq!(rest, all[number + 1..], "after {id}");
    }
    let from: Vec<_> = client
        .request(Method::GET, &format!("/api/runs/{run}/events?from=2"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("id: ").map(str::to_owned))
        .collect();
    let expected: Vec<_> = all
        .iter()
        .filter_map(|seen| seen.id.clone())
        .filter(|id| id.split('.').next().unwrap().parse::<u64>().unwrap() >= 2)
        .collect();
    assert_eq!(from, expected);
}

#[tokio::test]
async fn pieces_come_while_they_are_made_and_go_on_where_the_client_was_cut_off() {
    let slow = Scripted::new([Turn::text("one two three four five six").every(Duration::from_millis(30))]);
    let kit = Kit::with(slow, Settings::default()).await;
    let client = kit.client(Role::Operator).await;
    let (_, started) = client.post("/api/runs", &json!({ "input": "Count." })).await;
    let run = started["id"].as_str().unwrap();
    let mut text = String::new();
    let mut after: Option<String> = None;
    // Cut off after every event.
    for _ in 0..200 {
        let seen = watch(&client, run, after.as_deref(), Some(2)).await;
        let Some(fresh) = seen.iter().find(|seen| seen.id.is_some()) else { continue };
        after = fresh.id.clone();
        if fresh.is_piece() {
            text.push_str(fresh.data["kind"]["text_delta"]["text"].as_str().unwrap());
        }
        if fresh.event == "ended" {
            break;
        }
    }
    let whole = kit.adjutant.find(run).await.unwrap().outcome().await.unwrap().text;
    assert!(whole.starts_with(&text) && !text.is_empty(), "{text} of {whole}");
}

#[tokio::test]
async fn a_stream_in_which_nothing_happens_shows_that_it_is_there() {
    let settings = Settings { heartbeat: Duration::from_millis(20), ..Settings::default() };
    let kit = Kit::with(Scripted::new([Turn::calls([("now", json!({}))])]), settings).await;
    let client = kit.client(Role::Operator).await;
    let (_, started) = client.post("/api/runs", &json!({ "input": "What time is it?" })).await;
    let path = format!("/api/runs/{}/events", started["id"].as_str().unwrap());
    let mut bytes = client.request(Method::GET, &path).send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while text.matches(": alive").count() < 2 {
        text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn streams_are_bounded_and_end_when_the_service_does() {
    let settings = Settings { most_streams: 1, ..Settings::default() };
    let kit = Kit::with(Scripted::new([Turn::calls([("now", json!({}))])]), settings).await;
    let client = kit.client(Role::Operator).await;
    let (_, started) = client.post("/api/runs", &json!({ "input": "What time is it?" })).await;
    let path = format!("/api/runs/{}/events", started["id"].as_str().unwrap());
    let first = client.request(Method::GET, &path).send().await.unwrap();
    let (status, refused) = client.get(&path).await;
    assert_eq!((status, &refused["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("overloaded")));
    while kit.adjutant.approvals().waiting().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rest = tokio::spawn(first.text());
    tokio::time::sleep(Duration::from_millis(50)).await;
    kit.stop().await.unwrap();
    assert!(rest.await.unwrap().unwrap().contains("event: approval_requested"));
}

#[tokio::test]
async fn what_is_no_id_of_an_event_is_refused() {
    let (_kit, client, run) = over().await;
    let (status, refused) = client.get(&format!("/api/runs/{run}/events?after=x")).await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("input-invalid")));
}

#[tokio::test]
async fn a_websocket_says_the_same_and_closes_at_the_end() {
    let (kit, client, run) = over().await;
    let by_events: Vec<_> =
        watch(&client, &run, None, None).await.into_iter().filter_map(|seen| seen.id).collect();
    let mut request = format!("ws://{}/api/runs/{run}/socket", kit.address).into_client_request().unwrap();
    let token = client.token.as_deref().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    let (mut by_socket, mut closed) = (Vec::new(), None);
    while let Some(message) = socket.next().await {
        match message.unwrap() {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                by_socket.extend(frame["id"].as_str().map(str::to_owned));
            }
            Message::Close(frame) => closed = frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    }
    assert_eq!((by_socket, closed), (by_events, Some(1000)));
    let stranger = format!("ws://{}/api/runs/{run}/socket", kit.address);
    assert!(connect_async(stranger).await.unwrap_err().to_string().contains("401"));
    let (status, refused) = client.get(&format!("/api/runs/{run}/socket")).await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("input-invalid")));
}
