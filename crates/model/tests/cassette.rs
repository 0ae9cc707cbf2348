//! Cassettes: what is recorded from the mock provider is played back without it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use adjutant_core::message::Message;
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Result};
use adjutant_model::cassette::{Pace, Player, Recorder};
use adjutant_model::openai::OPENAI;
use adjutant_model::provider::Config;
use adjutant_model::transport::{Client, Timeouts, Transport, Witnessed};
use adjutant_model::{Call, Model, Request, Response, collect};
use adjutant_testkit::provider::{Answer, Fault, MockProvider};
use serde_json::json;

const KEY: &str = "sk-very-secret-1234";

fn model(base_url: &str, transport: Arc<dyn Transport>) -> impl Model {
    let mut config = Config::new("mock/m", base_url, "m");
    config.key = Some(Secret::new(KEY));
    config.headers.insert("x-team".into(), Secret::new("team-secret-99"));
    OPENAI.model_over(&config, transport).unwrap()
}

fn recording(path: &Path) -> (Arc<Recorder>, Arc<dyn Transport>) {
    let recorder = Arc::new(Recorder::create(path).unwrap());
    let client = Arc::new(Client::new(Timeouts::default()));
    let witness = Arc::clone(&recorder);
    (recorder, Arc::new(Witnessed::new(client, witness, Arc::new(AtomicU64::new(0)))))
}

fn playing(path: &Path, pace: Pace) -> Arc<dyn Transport> {
    Arc::new(Player::open(path, pace).unwrap())
}

async fn ask(model: &impl Model, text: &str) -> Result<Response> {
    let call = Call { idempotency_key: Some("key-of-the-run".into()), ..Call::default() };
    collect(model.stream(Request::new([Message::user(text)]), call).await?, |_| {}).await
}

#[tokio::test]
async fn what_was_recorded_is_played_without_the_provider() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let answers = [
        Answer::text("Good morning, and welcome."),
        Answer::calls([("c1", "look", json!({"what": "ä"}))]),
        Answer::status(429, "slow down, sk-very-secret-1234").header("retry-after", "7"),
        Answer::text("half").with(Fault::Cut(2)),
    ];
    let mock = MockProvider::answering(answers).key(KEY).start().await.unwrap();
    let (recorder, transport) = recording(&path);
    let live = model(&mock.base_url(), transport);
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d"] {
        told.push(ask(&live, text).await);
    }
    recorder.finish().unwrap();
    drop(mock);

    let played = model("http://elsewhere.example:9/v1", playing(&path, Pace::AtOnce));
    for (text, told) in ["a", "b", "c", "d"].iter().zip(told) {
        let again = ask(&played, text).await;
        match (again, told) {
            (Ok(again), Ok(told)) => {
                assert_eq!((&again.message, again.usage), (&told.message, told.usage));
            }
            (Err(again), Err(told)) => {
                assert_eq!(again.code(), told.code());
                assert_eq!(again.retry_after(), None, "what is played at once is not waited for");
            }
            (again, told) => panic!("{again:?} is not {told:?}"),
        }
    }
    let text = std::fs::read_to_string(&path).unwrap();
    for secret in [KEY, "team-secret-99", "key-of-the-run", "authorization"] {
        assert!(!text.contains(secret), "`{secret}` is in the cassette:\n{text}");
    }
    assert!(text.contains("slow down, [secret]"), "{text}");
}

#[tokio::test]
async fn a_request_that_differs_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mock = MockProvider::answering([Answer::text("ok")]).start().await.unwrap();
    let (_, transport) = recording(&path);
    let mut config = Config::new("mock/m", mock.base_url(), "m");
    ask(&OPENAI.model_over(&config, transport).unwrap(), "how are you").await.unwrap();
    config.model = "n".into();
    let played = OPENAI.model_over(&config, playing(&path, Pace::AtOnce)).unwrap();
    let error = ask(&played, "who are you").await.unwrap_err();
    assert_eq!(error.code(), Code::ModelCassette);
    let (_, difference) = error.message().split_once('\n').unwrap();
    assert_eq!(
        difference,
        "- messages[0].content: \"how are you\"\n+ messages[0].content: \"who are you\"\n- model: \"m\"\n+ model: \"n\""
    );
    config.base_url = "http://h/v2".into();
    let elsewhere = OPENAI.model_over(&config, playing(&path, Pace::AtOnce)).unwrap();
    let error = ask(&elsewhere, "how are you").await.unwrap_err();
    assert!(error.message().ends_with("holds no request to `/v2/chat/completions`"), "{error}");
}

#[tokio::test]
async fn the_same_request_is_answered_in_order_and_then_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mock =
        MockProvider::answering([Answer::text("one"), Answer::text("two")]).key(KEY).start().await.unwrap();
    let (_, transport) = recording(&path);
    let live = model(&mock.base_url(), transport);
    ask(&live, "x").await.unwrap();
    ask(&live, "x").await.unwrap();
    let played = model(&mock.base_url(), playing(&path, Pace::AtOnce));
    let mut said = Vec::new();
    for _ in 0..3 {
        said.push(ask(&played, "x").await.unwrap().message.text());
    }
    assert_eq!(said, ["one", "two", "two"]);
}

#[tokio::test]
async fn the_pace_is_the_recorded_one_where_that_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let slow = Answer::text("slow").after(Duration::from_millis(300));
    let mock = MockProvider::answering([slow]).key(KEY).start().await.unwrap();
    let (_, transport) = recording(&path);
    ask(&model(&mock.base_url(), transport), "x").await.unwrap();
    let took = async |pace| {
        let begin = Instant::now();
        ask(&model(&mock.base_url(), playing(&path, pace)), "x").await.unwrap();
        begin.elapsed()
    };
    assert!(took(Pace::Recorded).await >= Duration::from_millis(300));
}

#[test]
fn what_is_no_cassette_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let head = r#"{"cassette":1}"#;
    let request = r#"{"exchange":1,"request":{"method":"POST","url":"http://h/","body":{}}}"#;
    let cases = [
        (String::new(), 1, "the cassette is empty"),
        ("{}".to_owned(), 1, "this is no line of a cassette"),
        (r#"{"cassette":7}"#.to_owned(), 1, "the cassette has version 7, and this program knows 1"),
        (request.to_owned(), 1, "the first line of a cassette is missing"),
        (format!("{head}\n\n{{\"exch"), 3, "this is no line of a cassette"),
        (format!("{head}\n{request}\n{request}"), 3, "there are two requests of exchange 1"),
        (
            format!("{head}\n{{\"exchange\":2,\"after_ms\":0,\"text\":\"x\"}}"),
            2,
            "the request of exchange 2 is missing before this line",
        ),
    ];
    for (text, line, why) in cases {
        std::fs::write(&path, &text).unwrap();
        let error = Player::open(&path, Pace::AtOnce).unwrap_err();
        assert_eq!((error.location().unwrap().line, error.message()), (Some(line), why), "{text}");
    }
    let error = Recorder::create(&path).unwrap_err();
    assert_eq!(
        (error.code(), error.help()),
        (Code::FileUnreadable, Some("give another name, or remove the old one"))
    );
}
