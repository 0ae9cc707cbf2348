//! The clients themselves: the vendors' own, and what people build with.
//!
//! `cargo xtask test` installs them. Where they are missing the tests skip themselves, except with `CI=true`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::kit::Kit;

const MORNING: &str = "Good morning! It is 21 °C, and 雨 tomorrow.";

#[tokio::test]
async fn openais_client_for_python_understands_everything() {
    let Some(python) = python() else { return };
    let kit = Kit::new().await;
    let seen = play(&kit, Command::new(python).args([Path::new("-B"), &script("openai_python.py")])).await;
    let calls = json!([["temperature", {"city": "Rome"}], ["temperature", {"city": "Oslo, Norway"}]]);
    let chat = json!({
        "plain": [MORNING, "stop", 32],
        "streamed": [MORNING, 25],
        "calls": calls,
        "answered": "In Oslo.",
        "streamed calls": calls,
        "form": 42,
        "picture": "I see a picture.",
    });
    let responses = json!({
        "chain": "You are Ann.",
        "kept": MORNING,
        "streamed": MORNING,
        "events": ["response.created", "response.completed"],
        "form": 42,
        "conversation": "You are Ann.",
        "items": ["user", "user", "assistant"],
        "resumed": true,
        "gone": 404,
    });
    for model in ["main", "deep", "newer"] {
        assert_eq!(seen[model]["chat"], chat, "{model}");
        assert_eq!(seen[model]["responses"], responses, "{model}");
    }
    assert_eq!(seen["mistake"], json!(["temprature", "unknown_parameter"]));
    assert_eq!((&seen["busy"], &seen["wrong key"]), (&json!("7"), &json!("invalid_api_key")));
    assert_eq!((&seen["vectors"], &seen["models"]), (&json!(2), &json!(true)));
    assert_eq!(seen["agent"], json!(["It is 42.", true]));
    kit.mock.assert_clean();
}

#[tokio::test]
async fn anthropics_client_for_python_understands_everything() {
    let Some(python) = python() else { return };
    let kit = Kit::new().await;
    let seen = play(&kit, Command::new(python).args([Path::new("-B"), &script("anthropic_python.py")])).await;
    let calls = json!([["temperature", {"city": "Rome"}], ["temperature", {"city": "Oslo, Norway"}]]);
    let messages = json!({
        "plain": [MORNING, "end_turn", 21, 4],
        "streamed": MORNING,
        "streamed usage": 7,
        "calls": calls,
        "answered": "In Oslo.",
        "streamed calls": calls,
        "picture": "I see a picture.",
        "counted": true,
    });
    for model in ["main", "deep", "newer"] {
        assert_eq!(seen[model], messages, "{model}");
    }
    assert_eq!((&seen["mistake"], &seen["busy"]), (&json!("messages[0].role"), &json!("7")));
    assert_eq!((&seen["wrong key"], &seen["models"]), (&json!(401), &json!(true)));
    assert_eq!(seen["agent"], "It is 42.");
    kit.mock.assert_clean();
}

#[tokio::test]
async fn langchain_and_openais_agents_work_with_it() {
    let Some(python) = python() else { return };
    let kit = Kit::new().await;
    let seen = play(&kit, Command::new(python).args([Path::new("-B"), &script("frameworks.py")])).await;
    let chain = json!({
        "plain": MORNING,
        "streamed": MORNING,
        "calls": [{"city": "Rome"}, {"city": "Oslo, Norway"}],
        "answered": "In Oslo.",
        "form": 42,
    });
    for name in ["langchain", "langchain responses"] {
        assert_eq!(seen[name], chain, "{name}");
    }
    for name in ["agents chat", "agents responses"] {
        assert_eq!(seen[name], json!(["In Oslo.", "In Oslo."]), "{name}");
    }
    kit.mock.assert_clean();
}

#[tokio::test]
async fn clients_for_node_understand_it() {
    let Some(folder) = node() else { return };
    let kit = Kit::new().await;
    // Packages are looked for beside the script.
    let played = folder.join(format!("node-{}.mjs", std::process::id()));
    std::fs::copy(script("node.mjs"), &played).unwrap();
    let seen = play(&kit, Command::new("node").arg(&played)).await;
    std::fs::remove_file(&played).unwrap();
    assert_eq!(seen["openai"], json!([MORNING, MORNING, "You are Ann."]));
    assert_eq!((&seen["busy"], &seen["anthropic"]), (&json!("7"), &json!([MORNING, MORNING, true])));
    for name in ["vercel chat", "vercel responses", "vercel messages"] {
        let found = &seen[name];
        let texts = (&found["plain"], &found["streamed"], &found["tools"], &found["streamed tools"]);
        assert_eq!(
            texts,
            (&json!(MORNING), &json!(MORNING), &json!("In Oslo."), &json!("In Oslo.")),
            "{name}"
        );
        if name != "vercel messages" {
            assert_eq!(found["form"], 42, "{name}");
        }
    }
    kit.mock.assert_clean();
}

/// What a client says that it understood.
async fn play(kit: &Kit, command: &mut Command) -> Value {
    let command = command
        .args([&kit.base, &kit.key])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let played = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{said}");
    serde_json::from_slice(&played.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors/clients").join(name)
}

/// The Python that has the clients; none where they are missing and need not be there.
fn python() -> Option<PathBuf> {
    let wanted = include_str!("clients/requirements.txt");
    installed("python", "installed.txt", wanted).map(|folder| folder.join("bin/python"))
}

/// The folder that has those for Node.
fn node() -> Option<PathBuf> {
    installed("node", "installed.json", include_str!("clients/package-lock.json"))
}

fn installed(name: &str, note: &str, wanted: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("service").join(name);
    if std::fs::read_to_string(folder.join(note)).is_ok_and(|noted| noted == wanted) {
        return Some(folder);
    }
    let missing = "the clients of the service are not installed: run `cargo xtask test -p server`";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}
