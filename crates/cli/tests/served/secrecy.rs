//! What secrets are stands nowhere: in no file that the service writes, and in nothing that it answers.

use adjutant_testkit::provider::{Answer, MockProvider};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::place::{Place, read};

const PROVIDER: &str = "planted-provider-5f0c7e21";
const TILL: &str = "planted-till-8a31bb90";
const HOOK: &str = "planted-hook-c2d4417f";

/// A tool that shows its secret in its result and complains of it, and a webhook that nobody hears.
const SETTINGS: &str = r#"
[models.main.key]
env = "PROVIDER_KEY"

[secrets]
till = { env = "TILL_SECRET" }
hook = { env = "HOOK_SECRET" }

[tools.open_till]
type = "command"
description = "Opens the till."
command = ["sh", "-c", "echo opened with $TILL; echo $TILL >&2"]
env = { TILL = { secret = "till" } }
effect = "at_most_once"

[tools.break_till]
type = "command"
description = "Breaks the till."
command = ["sh", "-c", "echo $TILL; echo it does not fit: $TILL >&2; exit 3"]
env = { TILL = { secret = "till" } }
effect = "at_most_once"

[[server.webhook]]
url = "http://127.0.0.1:9/hook"
secret = "hook"
private = true
"#;

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stand_in_no_file_and_in_no_answer() {
    let mock = MockProvider::with(|request: &Value| {
        let messages = request["messages"].as_array().cloned().unwrap_or_default();
        match messages.iter().filter(|message| message["role"] == "tool").count() {
            0 => Answer::calls([("call_0", "open_till", json!({})), ("call_1", "break_till", json!({}))]),
            // A provider that shows whom it refuses.
            _ => Answer::status(400, &format!("the key {PROVIDER} has no such model")),
        }
    });
    let mock = mock.key(PROVIDER).start().await.unwrap();
    let place = Place::new(&mock.base_url(), SETTINGS);
    place.write("agents/desk.md", "---\nmodel: main\ntools: [open_till, break_till]\n---\nYou open tills.\n");
    let environment = [("PROVIDER_KEY", PROVIDER), ("TILL_SECRET", TILL), ("HOOK_SECRET", HOOK)];
    let mut served = place.serve_with("first", &[], &environment).await;
    let start = served.request(Method::POST, "/api/runs?wait=30").json(&json!({ "input": "Open it." }));
    let (_, run) = read(start.send().await.unwrap()).await;
    let id = run["id"].as_str().unwrap();
    let direct =
        json!({ "model": "main", "messages": [{ "role": "tool", "tool_call_id": "x", "content": "y" }] });
    let refused = served.request(Method::POST, "/v1/chat/completions").json(&direct).send().await.unwrap();
    let mut answers = vec![run.to_string(), refused.text().await.unwrap()];
    let of_run = ["", "/steps", "/waits", "/messages"].map(|part| format!("/api/runs/{id}{part}"));
    let others = ["tools", "webhooks", "keys", "audit", "usage", "approvals", "policies", "agents/desk"];
    for path in of_run.into_iter().chain(others.map(|part| format!("/api/{part}"))) {
        let (status, answer) = served.get(&path).await;
        assert!(status.is_success(), "{path}: {answer}");
        answers.push(answer.to_string());
    }
    let stream = served.request(Method::GET, &format!("/api/runs/{id}/events")).send().await.unwrap();
    answers.push(stream.text().await.unwrap());
    let metrics = served.request(Method::GET, "/metrics").send().await.unwrap();
    answers.push(metrics.text().await.unwrap());
    served.signal(Signal::TERM);
    served.ended().await;

    let all = answers.concat();
    for told in ["opened with [secret]", "it does not fit: [secret]", "the key [secret] has no such model"] {
        assert!(all.contains(told), "{told}: {all}");
    }
    let planted = [PROVIDER, TILL, HOOK, place.key.as_str()];
    for secret in planted {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let mut folders = vec![place.path("")];
    let mut is_kept = false;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            is_kept |= holds("opened with [secret]");
            for secret in planted {
                assert!(!holds(secret), "`{secret}` stands in {}", path.display());
            }
        }
    }
    assert!(is_kept, "the store is one of the files");
}
