//! What stands between the events of an answer.

use adjutant_core::{Code, Result};
use adjutant_model::{Delta, sse};
use serde_json::{Value, json};

use crate::change::wire;
use crate::read::{Subject, is_alive};
use crate::seed::SEEDS;

/// The providers of server-sent events, each with an answer of text.
fn streams() -> impl Iterator<Item = (Subject, Vec<sse::Event>)> {
    Subject::ALL
        .into_iter()
        .zip(SEEDS.iter())
        .take(4)
        .map(|(subject, (seeds, _))| (subject, seeds[0].events.clone()))
}

fn noise(name: &str, data: &str) -> sse::Event {
    sse::Event { name: name.to_owned(), data: data.to_owned() }
}

fn unknown(read: &[Result<Delta>]) -> Vec<&Value> {
    let value = |delta| match delta {
        &Ok(Delta::Unknown(ref value)) => Some(value),
        _ => None,
    };
    read.iter().filter_map(value).collect()
}

#[test]
fn a_gateways_heartbeats_are_told_and_change_nothing() {
    let heartbeat = || noise("heartbeat", "ping");
    for (subject, events) in streams() {
        let whole = subject.read("text/event-stream", [wire(subject, &events).as_slice()]);
        let between =
            events.into_iter().flat_map(|event| [heartbeat(), noise("", "ok"), noise("", "ok"), event]);
        let bytes = wire(subject, &between.collect::<Vec<_>>());
        for kind in ["text/event-stream", "application/json", "text/plain", ""] {
            let mut read = subject.read(kind, [bytes.as_slice()]);
            let told = unknown(&read);
            assert_eq!(
                told[..2],
                [&json!({"event": "heartbeat", "data": "ping"}), &json!({"event": "", "data": "ok"})]
            );
            assert!(told.len() <= 16, "{subject:?}: {told:?}");
            read.retain(|delta| !matches!(delta, Ok(Delta::Unknown(value)) if value.get("event").is_some()));
            assert_eq!(read, whole, "{subject:?} under `{kind}`");
        }
    }
}

#[test]
fn what_says_nothing_is_a_sign_of_life() {
    for (subject, events) in streams() {
        let events: Vec<Vec<u8>> =
            events.iter().map(|event| wire(subject, std::slice::from_ref(event))).collect();
        let before: [&[u8]; 3] = [b": waiting\n\n", b"event: heartbeat\n", b"\n"];
        let pieces = before.into_iter().chain(events.iter().map(Vec::as_slice));
        let read = subject.read_all("text/event-stream", pieces);
        assert!(read[..3].iter().all(is_alive), "{subject:?}: {read:?}");
        assert!(matches!(read.last(), Some(Ok(Delta::End(_)))), "{subject:?}: {read:?}");
    }
}

#[test]
fn a_stream_of_nothing_else_is_no_answer() {
    let cases = [
        (vec![noise("", "<html>oops</html>")], "is not JSON: <html>oops</html>"),
        (vec![noise("heartbeat", "ping"), noise("heartbeat", "pong")], "is not JSON: ping"),
        // What is the interface's own, or begins as JSON, is a part of the answer that is damaged.
        (vec![noise("error", "upstream is gone")], "upstream is gone"),
        (vec![noise("", "{\"half\": ")], "{\"half\":"),
    ];
    for (subject, _) in streams() {
        for (events, expected) in &cases {
            let read = subject.read("text/event-stream", [wire(subject, events).as_slice()]);
            let error = read.last().unwrap().as_ref().unwrap_err();
            assert_eq!(error.code(), Code::ModelAnswerInvalid, "{subject:?}: {error}");
            assert!(error.message().contains(expected), "{subject:?}: {error}");
        }
    }
}

#[test]
fn damage_within_an_answer_ends_it() {
    for (subject, mut events) in streams() {
        let length = events[1].data.len();
        events[1].data.truncate(length - 3);
        let read = subject.read("text/event-stream", [wire(subject, &events).as_slice()]);
        let error = read.last().unwrap().as_ref().unwrap_err();
        assert!(error.message().contains("is not JSON"), "{subject:?}: {error}");
    }
}
