//! Whoever is cut off connects again, also with another process, and misses nothing.

use std::time::Duration;

use adjutant_testkit::provider::{Answer, Fault, MockProvider};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::place::{PATIENCE, Place, Served};

/// An event that has a place in the journal: its id, and what it says.
type Seen = (String, Value);

/// The events after one, and whether the run is over with them; at most so many. Pieces of text are left out: only the process that
/// makes them has them.
async fn after(served: &Served, run: &str, id: Option<&str>, most: usize) -> (Vec<Seen>, bool) {
    let mut request = served.request(Method::GET, &format!("/api/runs/{run}/events"));
    if let Some(id) = id {
        request = request.header("last-event-id", id);
    }
    let mut bytes = request.send().await.unwrap().bytes_stream();
    let (mut text, mut seen) = (String::new(), Vec::new());
    while let Some(piece) = bytes.next().await {
        text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let placed = field("id: ").filter(|id| !id.contains('~'));
            if let (Some(id), Some(data)) = (placed, field("data: ")) {
                seen.push((id.to_owned(), serde_json::from_str(data).unwrap()));
            }
            text = rest.to_owned();
            if seen.len() == most {
                return (seen, false);
            }
        }
    }
    (seen, true)
}

/// A model that pays, and says so in many pieces.
fn talker() -> adjutant_testkit::provider::Builder {
    MockProvider::with(move |request: &Value| {
        let messages = request["messages"].as_array().cloned().unwrap_or_default();
        match messages.iter().any(|message| message["role"] == "tool") {
            true => Answer::text("one two three four five six").after(Duration::from_millis(100)),
            false => Answer::calls([("call_0", "pay", json!({}))]).after(Duration::from_millis(100)),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_every_event_with_every_process() {
    let mock = talker().start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let both = [place.serve("first", &[]).await, place.serve("second", &[]).await];
    let run = both[0].start().await;
    // While it is under way: cut off after each event, and on with the other process.
    let (mut pieced, mut over): (Vec<Seen>, _) = (Vec::new(), false);
    let began = std::time::Instant::now();
    while !over {
        assert!(began.elapsed() < PATIENCE, "{pieced:?}");
        let last = pieced.last().map(|(id, _)| id.clone());
        let (seen, ended) = after(&both[pieced.len() % 2], &run, last.as_deref(), 1).await;
        pieced.extend(seen);
        over = ended;
    }
    // Once it is over: all that there is, and all that is left, from either.
    for served in &both {
        let (all, _) = after(served, &run, None, usize::MAX).await;
        assert_eq!(all, pieced);
    }
    assert!(pieced.len() > 5, "{pieced:?}");
    for (place, (id, _)) in pieced.iter().enumerate() {
        for served in &both {
            let (rest, _) = after(served, &run, Some(id), usize::MAX).await;
            assert_eq!(rest, pieced[place + 1..], "after {id}");
        }
    }
}

/// The first piece of text of a run: its id, and what it says.
async fn piece(served: &Served, run: &str) -> (String, Value) {
    let request = served.request(Method::GET, &format!("/api/runs/{run}/events"));
    let (mut bytes, mut text) = (request.send().await.unwrap().bytes_stream(), String::new());
    loop {
        text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
        let Some((_, rest)) = text.split_once("event: text_delta\n") else { continue };
        let Some((block, _)) = rest.split_once("\n\n") else { continue };
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        return (field("id: ").to_owned(), serde_json::from_str(field("data: ")).unwrap());
    }
}

/// The model has said something and says no more, so nothing of it is in the journal.
#[tokio::test(flavor = "multi_thread")]
async fn pieces_are_seen_with_every_process() {
    let stuck = |_: &Value| Answer::text("one two three four five six").with(Fault::Stall(4));
    let mock = MockProvider::with(stuck).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let both = [place.serve("first", &[]).await, place.serve("second", &[]).await];
    let run = both[0].start().await;
    let seen = tokio::time::timeout(PATIENCE, async {
        let first = piece(&both[0], &run).await;
        (first, piece(&both[1], &run).await)
    });
    let (first, second) = seen.await.unwrap();
    assert_eq!(first, second);
}
