//! The vendors' own clients hold the mock honest: what they understand of its answers is what it was told to say, and
//! what they send is nothing that it finds wrong.
//!
//! `cargo xtask test` installs them. Where they are missing the tests skip themselves, except with `CI=true`.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use adjutant_core::usage::Usage;
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface, MockProvider, vector_of};
use serde_json::{Value, json};

const KEY: &str = "a-right-key-of-forty-characters-in-all-1";
const REFUSED: [u16; 7] = [400, 403, 404, 413, 429, 500, 503];
/// Base64, as some interfaces demand it of a signature.
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBtb2Nr";

#[tokio::test]
async fn openai_understands_chat_completions() {
    check(Interface::Chat, "openai_chat.py", (401, "Incorrect API key provided")).await;
}

#[tokio::test]
async fn openai_understands_responses() {
    check(Interface::Responses, "openai_responses.py", (401, "Incorrect API key provided")).await;
}

#[tokio::test]
async fn anthropic_understands_messages() {
    check(Interface::Messages, "anthropic_messages.py", (401, "Incorrect API key provided")).await;
}

#[tokio::test]
async fn google_understands_gemini() {
    check(Interface::Gemini, "google_gemini.py", (400, "API key not valid. Please pass a valid API key."))
        .await;
}

#[tokio::test]
async fn google_understands_gemini_on_vertex() {
    check(Interface::Gemini, "google_vertex.py", (401, "Request had invalid authentication credentials."))
        .await;
}

#[tokio::test]
async fn amazon_understands_converse() {
    check(
        Interface::Converse,
        "bedrock_converse.py",
        (403, "The security token included in the request is invalid."),
    )
    .await;
}

/// Plays a script; a wrong key is answered with this status and message.
async fn check(interface: Interface, script: &str, (status, message): (u16, &str)) {
    let Some(python) = python() else { return };
    let mock = MockProvider::answering(answers()).key(KEY).start().await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let played = tokio::process::Command::new(python)
        .arg("-B")
        .arg(folder.join(script))
        .args([&mock.base_url_of(interface), KEY])
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    mock.assert_clean();
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{said}");
    let understood: Value = serde_json::from_slice(&played.stdout).unwrap();
    let wrong_key = failure(interface, status, message, None);
    assert_eq!(understood["wrong key"], wrong_key, "wrong key\n{said}");
    check_vectors(interface, &understood["vectors"]);
    for (scene, expected) in expected(interface).as_object().unwrap() {
        assert_eq!(understood[scene], *expected, "{scene}\n{said}");
    }
}

/// The vectors point to where the mock's do.
fn check_vectors(interface: Interface, understood: &Value) {
    if interface.embedding_paths().is_empty() {
        return assert_eq!(*understood, Value::Null, "{interface}");
    }
    let texts = ["the sea", "das Meer, 海"];
    assert_eq!(understood.as_array().unwrap().len(), texts.len(), "{interface}");
    for (text, found) in texts.into_iter().zip(understood.as_array().unwrap()) {
        let found: Vec<f64> = found.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let made: Vec<f64> = vector_of(text, 256).into_iter().map(f64::from).collect();
        assert_eq!(found.len(), made.len(), "{interface}: {text}");
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = product(&found, &made) / (product(&found, &found) * product(&made, &made)).sqrt();
        assert!(cosine > 0.999_999, "{interface}: {text}: {cosine}");
    }
}

/// The Python that has the clients; none where they are missing and need not be there.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("clients");
    let installed = std::fs::read_to_string(folder.join("installed.txt")).ok();
    if installed.as_deref() == Some(include_str!("clients/requirements.txt")) {
        return Some(folder.join("bin/python"));
    }
    let missing = "the vendors' clients are not installed: run `cargo xtask test -p testkit`";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

fn used() -> Usage {
    Usage { input: 25, output: 7, cached: 4, reasoning: 3, cache_write: 0, ..Usage::default() }
}

/// The answers, in the order in which the scenes ask.
fn answers() -> Vec<Answer> {
    let text = |text: &str| Answer::text(text).using(used());
    let hello = || text("Good morning! It is 21 °C, and 雨 tomorrow.");
    let tools = || {
        let call = |id, city| (id, "temperature", json!({"city": city}));
        [
            Answer::calls([call("call_rome", "Rome"), call("call_oslo", "Oslo, Norway")])
                .saying("Let me look.")
                .reasoning("Both cities are needed.")
                .signed(SIGNATURE)
                .using(used()),
            text("In Oslo."),
        ]
    };
    let refusal = || text("").refusing("I cannot help with that.");
    let failures = || {
        REFUSED.map(|status| match status {
            429 => Answer::status(status, "slow down").header("retry-after", "7"),
            status => Answer::status(status, &format!("it is a {status}")),
        })
    };
    let mut answers = vec![hello(), hello()];
    answers.extend(tools());
    answers.extend(tools().map(|answer| answer.with(Fault::Trickle)));
    answers.extend([text("A dot."), text(r#"{"city":"Rome","degrees":21}"#)]);
    answers.extend([text("It is").ending(Finish::Length), refusal(), refusal()]);
    answers.extend(failures().into_iter().chain(failures()));
    // The wrong key never gets as far as an answer.
    answers.push(hello().with(Fault::Fail(2, 503, "it broke".to_owned())));
    // Vectors are made of what is sent, and some are asked for one at a time.
    answers.extend([hello(), hello()]);
    answers
}

/// What a client must have understood of them, by the scenes' names.
fn expected(interface: Interface) -> Value {
    let mut usage = json!({"input": 25, "output": 7, "cached": 4, "reasoning": 3});
    if interface == Interface::Converse {
        without(&mut usage, "reasoning");
    }
    let text = |text: &str, finish: &str| json!({"text": text, "finish": finish, "usage": usage});
    let hello = text("Good morning! It is 21 °C, and 雨 tomorrow.", "stop");
    let call = |id: &str, city: &str| json!({"id": id, "name": "temperature", "arguments": {"city": city}});
    let mut asks = text("Let me look.", "calls");
    asks["reasoning"] = json!("Both cities are needed.");
    asks["calls"] = json!([call("call_rome", "Rome"), call("call_oslo", "Oslo, Norway")]);
    let tools = json!([asks, text("In Oslo.", "stop")]);
    let refusal = match interface {
        // It has no refusals, only texts that say so.
        Interface::Gemini => text("I cannot help with that.", "stop"),
        _ => json!({"refusal": "I cannot help with that.", "finish": "refusal", "usage": usage}),
    };
    let failures = REFUSED.map(|status| match status {
        429 => failure(interface, status, "slow down", Some("7")),
        status => failure(interface, status, &format!("it is a {status}"), None),
    });
    json!({
        "text": hello,
        "streamed text": hello,
        "tools": tools,
        "streamed tools": tools,
        "picture": text("A dot.", "stop"),
        "shape": text(r#"{"city":"Rome","degrees":21}"#, "stop"),
        "length": text("It is", "length"),
        "refusal": refusal,
        "streamed refusal": refusal,
        "failures": ([failures.as_slice(), failures.as_slice()].concat()),
        "failure within": failure_within(interface),
    })
}

/// A refusal, as a client tells it.
fn failure(interface: Interface, status: u16, message: &str, wait: Option<&str>) -> Value {
    let mut failure =
        json!({"status": status, "message": message, "retry_after": wait, "request": "req_mock"});
    if interface == Interface::Gemini {
        without(&mut failure, "request");
    }
    failure
}

/// An error after the beginning of a stream, as a client tells it.
fn failure_within(interface: Interface) -> Value {
    match interface {
        Interface::Chat => json!({"kind": "APIError", "message": "it broke"}),
        Interface::Responses => json!({"kind": "RuntimeError", "message": "it broke"}),
        Interface::Messages => failure(interface, 200, "it broke", None),
        Interface::Gemini => failure(interface, 503, "it broke", None),
        Interface::Converse => json!({"kind": "serviceUnavailableException", "message": "it broke"}),
    }
}

fn without(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}
