//! The rest of answers that cannot be asked for again.

use std::path::Path;

use adjutant_core::Code;
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::tool::Effect;
use adjutant_tool::openapi::{Config, HeaderText, Keep};
use adjutant_tool::{Context, Failure, Registry};
use serde_json::{Value, json};

use crate::scene::{Service, call, config, json as answered, registry, respond, text};

/// A set that keeps its answers in a folder, and shows a thousand characters at once.
fn keeping(service: &Service, work: &Path) -> Config {
    let keep = Keep { work: work.to_owned(), tool: "read_answer".into() };
    Config { keep: Some(keep), characters: 1_000, ..config("pets.yaml", service) }
}

fn pet() -> Value {
    json!({ "body": { "kind": "cat", "lives": 9 } })
}

fn many(count: usize) -> Value {
    let items: Vec<Value> = (0..count).map(|n| json!({ "id": n, "about": "x".repeat(40) })).collect();
    json!({ "items": items })
}

/// What the first mark that offers a rest says: the answer, and the part.
fn mark(text: &str) -> (String, String) {
    let (_, after) = text.split_once("answer: ").unwrap_or_else(|| panic!("no mark in {text}"));
    let (answer, after) = after.split_once(", part: ").expect("a part");
    (answer.to_owned(), after.split_once(']').expect("an end").0.to_owned())
}

#[tokio::test]
async fn the_rest_of_a_call_that_happened_is_read_without_another() {
    let work = tempfile::tempdir().unwrap();
    let service = Service::start(|_| answered(201, &many(300))).await;
    let tools = registry(keeping(&service, work.path())).unwrap();
    assert_eq!(tools.get("read_answer").unwrap().spec().effect, Effect::Pure);
    let mut shown = text(&tools, "addPet", &pet()).await;
    assert_eq!(service.seen().len(), 1);
    // Another process, after a crash, goes on where this one was.
    let again = registry(keeping(&service, work.path())).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        seen.extend(shown.match_indices("\"id\":").map(|(place, sign)| {
            let digits = shown[place + sign.len()..].chars().take_while(char::is_ascii_digit);
            digits.collect::<String>().parse::<usize>().unwrap()
        }));
        let Some(place) = shown.rfind("more items, answer: ") else { break };
        let (answer, part) = mark(&shown[place..]);
        shown = text(&again, "read_answer", &json!({ "answer": answer, "part": part })).await;
        assert!(shown.chars().count() <= 1_000, "{shown}");
    }
    assert_eq!(seen.len(), 300);
    assert_eq!(service.seen().len(), 0, "the service was asked again");
}

#[tokio::test]
async fn a_long_text_is_read_to_its_end() {
    let work = tempfile::tempdir().unwrap();
    let long: String = (0..500).map(|n| format!("line {n} é\n")).collect();
    let sent = long.clone();
    let service =
        Service::start(move |_| respond(200, &[("content-type", "text/plain; charset=utf-8")], sent.clone()))
            .await;
    let tools = registry(keeping(&service, work.path())).unwrap();
    let (mut shown, mut whole) = (text(&tools, "addPet", &pet()).await, String::new());
    while let Some((piece, _)) = shown.split_once('[') {
        let (answer, part) = mark(&shown);
        whole.push_str(piece);
        shown = text(&tools, "read_answer", &json!({ "answer": answer, "part": part })).await;
    }
    whole.push_str(&shown);
    assert_eq!(whole, long);
}

#[tokio::test]
async fn only_what_was_cut_and_changes_something_is_kept() {
    let work = tempfile::tempdir().unwrap();
    let service = Service::start(|seen| {
        answered(200, &many(if seen.uri.path().ends_with("search") { 300 } else { 3 }))
    })
    .await;
    let mut config = keeping(&service, work.path());
    config.effects.insert("search".into(), Effect::Pure);
    let tools = registry(config.clone()).unwrap();
    assert!(
        text(&tools, "search", &json!({ "body": { "a": "b" } })).await.contains("more items, part: /items")
    );
    assert!(!text(&tools, "addPet", &pet()).await.contains("answer:"));
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
    // Where nothing changes anything, nothing needs to be kept, and there is no tool for it.
    config.operations = vec!["search".into(), "exists".into()];
    assert!(registry(config).unwrap().get("read_answer").is_none());
}

#[tokio::test]
async fn an_answer_is_read_in_its_own_conversation_alone() {
    let work = tempfile::tempdir().unwrap();
    let service = Service::start(|_| answered(201, &many(300))).await;
    let tools = registry(keeping(&service, work.path())).unwrap();
    let (answer, part) = mark(&text(&tools, "addPet", &pet()).await);
    let stranger = Context::new(RunId::from_bytes([2; 10]), StepKey::root(), "c".into())
        .with_session(Some(SessionId::new("another")));
    let wanted = json!({ "answer": answer, "part": part });
    let Err(Failure::Model(error)) = tools.get("read_answer").unwrap().call(wanted, stranger).await else {
        panic!()
    };
    assert_eq!(error.code(), Code::ToolFailed);
    for name in ["../../../etc/passwd", "", "zzzzzzzzzzzz", "0123456789ab", "0123456789abcdef"] {
        let heard = text(&tools, "read_answer", &json!({ "answer": name })).await;
        assert!(heard.starts_with("model hears tool-failed: "), "{name}: {heard}");
    }
    let heard = text(&tools, "read_answer", &json!({ "answer": answer, "part": "/nothing" })).await;
    assert!(heard.contains("the answer has nothing at `/nothing`"), "{heard}");
}

#[tokio::test]
async fn secrets_that_a_service_repeats_are_not_kept() {
    let work = tempfile::tempdir().unwrap();
    let service = Service::start(|seen| {
        let shown = seen.headers["x-key"].to_str().unwrap().to_owned();
        answered(201, &json!({ "asked_with": shown, "items": many(300)["items"] }))
    })
    .await;
    let mut config = keeping(&service, work.path());
    config.headers.insert("X-Key".into(), HeaderText::Secret("key".into()));
    let tools = registry(config).unwrap();
    let (answer, _) = mark(&text(&tools, "addPet", &pet()).await);
    let first = text(&tools, "read_answer", &json!({ "answer": answer })).await;
    assert!(first.contains("[secret]"), "{first}");
    let kept = walk(work.path());
    assert!(kept.len() > 10_000 && !kept.contains("s3cret-key"));
}

fn walk(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { walk(&path) } else { std::fs::read_to_string(path).unwrap() })
        .collect()
}

#[tokio::test]
async fn a_call_whose_answer_cannot_be_kept_has_happened_all_the_same() {
    let work = tempfile::NamedTempFile::new().unwrap();
    let service = Service::start(|_| answered(201, &many(300))).await;
    let tools: Registry = registry(keeping(&service, work.path())).unwrap();
    let shown = call(&tools, "addPet", &pet()).await.unwrap().as_text();
    assert!(shown.contains("more items]") && !shown.contains("answer:"), "{shown}");
}
