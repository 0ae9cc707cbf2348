//! A server that misbehaves in every way we know.

use std::path::Path;
use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_core::label::Label;
use adjutant_core::tool::Effect;
use adjutant_tool::command::Variable;
use adjutant_tool::mcp::{Config, Pin, Server, Transport, changes, suspicions};
use adjutant_tool::{Answer, Failure, Output, Resumed};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::scene::{OneSecret, Scene, TOKEN, file, process};

fn hostile(how: &str, state: Option<&Path>) -> Config {
    let mut command = vec!["python3".to_owned(), "-B".to_owned(), file("hostile.py"), how.to_owned()];
    command.extend(state.map(|path| path.to_string_lossy().into_owned()));
    let mut config = process("x", &command);
    config.effects.insert("*".to_owned(), Effect::Pure);
    config
}

async fn call(how: &str) -> Result<Output, Failure> {
    Scene::accepting(hostile(how, None)).await.call("x__add", json!({ "a": 5 })).await
}

fn model(outcome: Result<Output, Failure>) -> (Code, String) {
    match outcome {
        Err(Failure::Model(error)) => (error.code(), error.message().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tool_is_called_with_its_key_and_its_answer_is_untrusted() {
    let output = call("well").await.unwrap();
    assert_eq!((output.as_text().as_str(), output.label()), ("sum 5 key True", Label::untrusted()));
}

#[tokio::test]
async fn a_description_is_bounded_cleaned_and_suspected() {
    let scene = Scene::accepting(hostile("poisoned", None)).await;
    let description = scene.tool("x__add").spec().description.clone();
    assert!(description.chars().count() < 4_100 && description.ends_with("[cut off]"));
    assert!(!description.contains(['\u{200b}', '\u{1b}']), "{description:?}");
    let found = suspicions(&description).join("; ");
    for odd in ["keys", "kept from the person", "higher rank", "very long word"] {
        assert!(found.contains(odd), "{found}");
    }
}

#[tokio::test]
async fn a_tool_that_changes_is_not_called() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::accepting(hostile("changing", Some(&folder.path().join("changed")))).await;
    assert!(scene.call("x__add", json!({ "a": 1 })).await.is_ok());
    // It has said meanwhile that its tools are others.
    let (code, message) = wait_for(Code::ToolQuarantined, || scene.call("x__add", json!({ "a": 1 }))).await;
    assert_eq!((code, message.contains("stranger")), (Code::ToolQuarantined, false), "{message}");
    let now = Pin::from(scene.server.offer(&OneSecret).await.unwrap());
    let shown = changes(&scene.pin, &now)[0].to_string();
    assert!(shown.contains("- Adds two numbers.\n  + Adds, and sends the sum to a stranger."), "{shown}");
    let accepted = scene.server.tools(&now);
    assert!(accepted[0].call(json!({ "a": 1 }), scene.context()).await.is_ok());
}

/// Calls until the outcome has a code: a notification may arrive after the answer.
async fn wait_for<F: Future<Output = Result<Output, Failure>>>(
    code: Code,
    call: impl Fn() -> F,
) -> (Code, String) {
    let began = Instant::now();
    loop {
        match call().await {
            Err(Failure::Model(error)) if error.code() == code => return (code, error.message().to_owned()),
            other if began.elapsed() > Duration::from_secs(20) => panic!("{other:?}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_tool_that_is_gone_is_not_called() {
    let scene = Scene::accepting(hostile("pages", None)).await;
    assert_eq!(scene.pin.tools.len(), 5, "all pages are read");
    let other = Server::new(hostile("well", None)).unwrap();
    let tool = other.tools(&scene.pin).remove(0);
    let (code, message) = model(tool.call(json!({}), scene.context()).await);
    assert_eq!(code, Code::ToolQuarantined);
    assert!(message.contains("does not offer `x__add0` any more"), "{message}");
}

#[tokio::test]
async fn a_listing_without_an_end_is_refused() {
    for (how, why) in [("circle", "turns in a circle"), ("endless", "more than 200 pages")] {
        let error = Server::new(hostile(how, None)).unwrap().offer(&OneSecret).await.unwrap_err();
        assert!(error.code() == Code::ToolBroken && error.message().contains(why), "{error}");
    }
}

#[tokio::test]
async fn one_bad_tool_does_not_spoil_the_others() {
    let offer = Server::new(hostile("odd", None)).unwrap().offer(&OneSecret).await.unwrap();
    assert_eq!(offer.tools.keys().collect::<Vec<_>>(), ["a.b/c", "add"]);
    assert_eq!(offer.unusable.len(), 3, "{:?}", offer.unusable);
    assert!(offer.unusable["twice"].contains("two tools") && offer.unusable["bad"].contains("schema"));
}

#[tokio::test]
async fn an_answer_of_100_megabytes_ends_the_connection() {
    let began = Instant::now();
    let (code, message) = model(call("huge").await);
    assert_eq!(code, Code::ToolBroken, "{message}");
    assert!(message.contains("more than 16777216 bytes"), "{message}");
    assert!(began.elapsed() < Duration::from_secs(20), "nobody waits for the timeout");
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let text = call("large").await.unwrap().as_text();
    assert!(text.len() < 66_000 && text.ends_with("more bytes of text]"), "{}", text.len());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(call("bytes").await.unwrap().as_text(), "a\u{fffd}\u{fffd}b");
}

#[tokio::test]
async fn noise_strangers_and_second_answers_are_passed_over() {
    let scene = Scene::accepting(hostile("talkative", None)).await;
    for _ in 0..3 {
        assert_eq!(scene.call("x__add", json!({})).await.unwrap().as_text(), "first");
    }
    assert!(scene.server.said().join("\n").contains("Listening on nothing"));
}

#[tokio::test]
async fn what_we_cannot_do_is_refused() {
    let scene = Scene::accepting(hostile("asking", None)).await;
    // Its question is for a person; that it wants to use our model is refused at once.
    let Err(Failure::Pending(asks)) = scene.call("x__add", json!({})).await else { panic!("it asks") };
    let resumed = Resumed { state: asks.state, answer: Some(Answer::Decline) };
    let output = scene.tool("x__add").resume(json!({}), resumed, scene.context()).await.unwrap();
    assert_eq!(output.as_text(), "[[900, null], [901, -32601]]");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let mut config = hostile("silent", None);
    config.timeout = Duration::from_millis(300);
    let scene = Scene::accepting(config.clone()).await;
    assert_eq!(model(scene.call("x__add", json!({})).await).0, Code::ToolTimeout);
    config.effects.insert("add".into(), Effect::AtMostOnce);
    let scene = Scene::accepting(config).await;
    let Err(Failure::Unknown(why)) = scene.call("x__add", json!({})).await else {
        panic!("it may have happened")
    };
    assert!(why.contains("no answer within"), "{why}");
}

#[tokio::test]
async fn a_server_that_answers_nothing_any_more_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("starts");
    let mut config = hostile("silent", Some(&state));
    config.timeout = Duration::from_millis(200);
    let scene = Scene::accepting(config).await;
    for _ in 0..3 {
        assert_eq!(model(scene.call("x__add", json!({})).await).0, Code::ToolTimeout);
        assert_eq!(std::fs::read_to_string(&state).unwrap(), "1");
    }
    scene.server.offer(&OneSecret).await.unwrap();
    assert_eq!(std::fs::read_to_string(&state).unwrap(), "2");
}

#[tokio::test]
async fn a_server_that_is_never_ready_is_given_up() {
    let mut config = hostile("mute", None);
    config.start_timeout = Duration::from_millis(500);
    let error = Server::new(config).unwrap().offer(&OneSecret).await.unwrap_err();
    assert!(error.code() == Code::ToolTimeout && error.message().contains("was not ready"), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_and_rests() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("starts");
    let server = Server::new(hostile("broken", Some(&state))).unwrap();
    for _ in 0..2 {
        let error = server.offer(&OneSecret).await.unwrap_err();
        assert!(error.message().contains("its last words: no configuration found"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(state).unwrap(), "2");
    let error =
        Server::new(process("x", &["/nowhere/server".into()])).unwrap().offer(&OneSecret).await.unwrap_err();
    assert!(error.message().contains("`/nowhere/server` cannot be started"), "{error}");
}

#[tokio::test]
async fn a_server_that_dies_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::accepting(hostile("dying", Some(&folder.path().join("starts")))).await;
    for _ in 0..2 {
        let (code, message) = model(scene.call("x__add", json!({})).await);
        assert_eq!(code, Code::ToolBroken);
        assert!(message.contains("out of memory"), "{message}");
    }
    assert!(scene.call("x__add", json!({})).await.is_ok());
}

#[tokio::test]
async fn a_death_in_the_middle_of_a_payment_is_an_unknown_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = hostile("dying", Some(&folder.path().join("starts")));
    config.effects.clear();
    let scene = Scene::accepting(config).await;
    assert_eq!(scene.tool("x__add").spec().effect, Effect::AtMostOnce);
    assert!(matches!(scene.call("x__add", json!({})).await, Err(Failure::Unknown(_))));
}

#[tokio::test]
async fn failures_are_told_to_the_model() {
    let (code, message) = model(call("refusing").await);
    assert_eq!((code, message.as_str()), (Code::ToolFailed, "`x__add` failed: no such number (-32602)"));
    assert_eq!(model(call("failing").await).1, "`x__add` failed: it is closed");
    assert_eq!(model(call("nonsense").await).0, Code::ToolBroken);
}

#[tokio::test]
async fn progress_is_shown_and_cleaned() {
    let scene = Scene::accepting(hostile("progress", None)).await;
    scene.call("x__add", json!({})).await.unwrap();
    let mut shown = scene.progress();
    shown.sort();
    assert_eq!(shown, ["step[31m 0 (0 of 3)", "step[31m 1 (1 of 3)", "step[31m 2 (2 of 3)"]);
}

#[tokio::test]
async fn a_server_finds_only_what_it_was_given_and_its_secrets_do_not_come_back() {
    let mut config = hostile("leaking", None);
    let Transport::Process(process) = &mut config.transport else { panic!("no process") };
    process.environment.insert("TOKEN".into(), Variable::Secret("token".into()));
    process.environment.insert("PLAIN".into(), Variable::Text("1".into()));
    let scene = Scene::accepting(config).await;
    let output = scene.call("x__add", json!({})).await.unwrap();
    assert_eq!(output.as_text(), "token [secret] of HOME PATH PLAIN", "nothing of the test's own `CARGO_*`");
    assert_eq!(output.data, Some(json!({ "token": "[secret]" })));
    let said = scene.server.said().join("\n");
    assert!(said.contains("the token is [secret]") && !said.contains(TOKEN), "{said}");
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_cancelled_at_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("told"), folder.path().join("dropped"));

    let scene = Scene::accepting(hostile("listening", Some(&first))).await;
    let token = CancellationToken::new();
    let call = scene.tool("x__add").call(json!({}), scene.context().with_cancellation(token.clone()));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        token.cancel();
    };
    let (outcome, ()) = tokio::join!(call, stop);
    assert!(matches!(outcome, Err(Failure::Run(error)) if error.code() == Code::RunCancelled));
    appears(&first).await;

    let scene = Scene::accepting(hostile("listening", Some(&second))).await;
    let call = scene.call("x__add", json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err(), "it waits");
    appears(&second).await;
}

async fn appears(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "{} does not appear", path.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nothing_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("child");
    let scene = Scene::accepting(hostile("child", Some(&state))).await;
    let process = std::path::PathBuf::from("/proc").join(std::fs::read_to_string(&state).unwrap());
    let lives = || std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(lives());
    drop(scene);
    let began = Instant::now();
    while lives() {
        assert!(began.elapsed() < Duration::from_secs(20), "the child of the server lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn many_calls_share_one_server() {
    let scene = Scene::accepting(hostile("well", None)).await;
    let calls = (0..50).map(|a| scene.call("x__add", json!({ "a": a })));
    let answers: Vec<String> =
        futures::future::join_all(calls).await.into_iter().map(|output| output.unwrap().as_text()).collect();
    let expected: Vec<String> = (0..50).map(|a| format!("sum {a} key True")).collect();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn a_pin_survives_its_file() {
    let scene = Scene::accepting(hostile("well", None)).await;
    let text = serde_json::to_string(&scene.pin).unwrap();
    let read: Pin = serde_json::from_str(&text).unwrap();
    assert_eq!(read, scene.pin);
    assert!(changes(&read, &scene.pin).is_empty());
    assert!(serde_json::from_value::<Pin>(json!({ "tool": Value::Null })).is_err());
}

#[tokio::test]
async fn a_prompt_that_has_changed_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let scene = Scene::accepting(hostile("prompting", Some(&state))).await;
    let get = |name: &str| scene.call("x__get_prompt", json!({ "name": name }));
    assert_eq!(get("greet").await.unwrap().as_text(), "Greet the user.");
    // The server tells of the change after it has answered.
    let mut after = get("greet").await;
    for _ in 0..250 {
        if after.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        after = get("greet").await;
    }
    assert_eq!(model(after).0, Code::ToolQuarantined);
    assert_eq!(get("plain").await.unwrap().as_text(), "Greet the user.");
    let offer = scene.server.offer(&OneSecret).await.unwrap();
    let changes = changes(&scene.pin, &Pin::from(offer));
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert!(
        change.is_prompt && change.to_string().starts_with("prompt greet: changed\n  - Greets.\n"),
        "{change}"
    );
}
