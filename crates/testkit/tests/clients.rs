//! The vendors' own clients hold the mock honest: what they understand of its answers is what it was told to say, and
//! what they send is nothing that it finds wrong.
//!
//! `cargo xtask test` installs them. Where they are missing the tests skip themselves, except with `CI=true`.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use adjutant_core::usage::Usage;
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface, MockProvider};
use serde_json::{Value, json};

const KEY: &str = "a-right-key-of-forty-characters-in-all-1";
const REFUSED: [u16; 7] = [400, 403, 404, 413, 429, 500, 503];
/// Base64, as some interfaces demand it of a signature.
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBtb2Nr";

/// What a client's words for the same things differ in.
struct Words {
    /// The status that answers a wrong key.
    wrong_key: u16,
}

#[tokio::test]
async fn openai_understands_chat_completions() {
    check(Interface::Chat, "openai_chat.py", &Words { wrong_key: 401 }).await;
}

async fn check(interface: Interface, script: &str, words: &Words) {
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
    for (scene, expected) in expected(words).as_object().unwrap() {
        assert_eq!(understood[scene], *expected, "{scene}\n{said}");
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
    Usage { input: 25, output: 7, cached: 4, reasoning: 3, cache_write: 0 }
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
    answers.extend(tools());
    answers.extend([text("A dot."), text(r#"{"city":"Rome","degrees":21}"#)]);
    answers.extend([text("It is").ending(Finish::Length), refusal(), refusal()]);
    answers.extend(failures().into_iter().chain(failures()));
    // The wrong key never gets as far as an answer.
    answers.push(hello().with(Fault::Fail(2, 503, "it broke".to_owned())));
    answers
}

/// What a client must have understood of them, by the scenes' names.
fn expected(words: &Words) -> Value {
    let usage = json!({"input": 25, "output": 7, "cached": 4, "reasoning": 3});
    let text = |text: &str, finish: &str| json!({"text": text, "finish": finish, "usage": usage});
    let hello = text("Good morning! It is 21 °C, and 雨 tomorrow.", "stop");
    let call = |id: &str, city: &str| json!({"id": id, "name": "temperature", "arguments": {"city": city}});
    let mut asks = text("Let me look.", "calls");
    asks["reasoning"] = json!("Both cities are needed.");
    asks["calls"] = json!([call("call_rome", "Rome"), call("call_oslo", "Oslo, Norway")]);
    let tools = json!([asks, text("In Oslo.", "stop")]);
    let refusal = json!({"refusal": "I cannot help with that.", "finish": "refusal", "usage": usage});
    let failures = REFUSED.map(|status| {
        let (message, wait) = match status {
            429 => ("slow down".to_owned(), json!("7")),
            status => (format!("it is a {status}"), Value::Null),
        };
        json!({"status": status, "message": message, "retry_after": wait, "request": "req_mock"})
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
        "wrong key": {
            "status": words.wrong_key, "message": "Incorrect API key provided", "retry_after": null, "request": "req_mock",
        },
        "failure within": {"kind": "APIError", "message": "it broke"},
    })
}
