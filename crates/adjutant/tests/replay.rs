//! Cassettes are played back where nobody knows any more what only those knew who recorded them.

#![cfg(test)]

use std::path::Path;
use std::sync::Arc;

use adjutant::model::cassette::{Pace, Player};
use adjutant::model::{Call, Request, collect};
use adjutant::project::{Carriage, Environment, Project};
use adjutant_core::message::Message;
use serde_json::{Value, json};

const KNOWN: [(&str, &str); 8] = [
    ("GOOGLE_CLOUD_PROJECT", "my-project"),
    ("GOOGLE_CLOUD_LOCATION", "europe-west1"),
    ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.token-of-the-test"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_BEARER_TOKEN_BEDROCK", "ABSK-token-of-the-test"),
    ("AZURE_RESOURCE_NAME", "my-resource"),
    ("AZURE_OPENAI_API_KEY", "azure-key-of-the-test"),
    ("ANTHROPIC_API_KEY", "sk-ant-key-of-the-test"),
];

fn project(folder: &Path, variables: &[(&str, &str)]) -> Project {
    let environment: Environment = variables.iter().copied().collect();
    Project::load_with(folder, environment).unwrap()
}

fn play(project: &Project, cassette: &Path) {
    let player = Player::open(cassette, Pace::AtOnce).unwrap();
    project.models().carry(Carriage { player: Some(Arc::new(player)), ..Carriage::default() });
}

fn question() -> Request {
    // A phrase that once stood for the key must stay in the conversation.
    Request::new([Message::system("Be brief."), Message::user("Is this played back, or played-back?")])
}

fn cassette(path: &Path, url: &str, body: &Value, answer: &str) {
    let lines = [
        json!({"cassette": 1}),
        json!({"exchange": 1, "request": {"method": "POST", "url": url, "body": body}}),
        json!({"exchange": 1, "after_ms": 1, "response": {"status": 200, "headers": {"content-type": "application/json"}}}),
        json!({"exchange": 1, "after_ms": 1, "text": answer}),
        json!({"exchange": 1, "after_ms": 1, "end": true}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(path, lines.join("\n")).unwrap();
}

/// Records nothing but a request as it is made where everything is known, and plays an answer to it back where nothing is.
async fn check(model: &str, url: &str, answer: Value) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(folder.path().join("agents/desk.md"), "---\nmodel: main\n---\nHelp.\n").unwrap();
    let (provider, name) = model.split_once('/').unwrap();
    let toml = format!("[models.main]\nprovider = \"{provider}\"\nmodel = \"{name}\"\n");
    std::fs::write(folder.path().join("adjutant.toml"), toml).unwrap();
    let live = project(folder.path(), &KNOWN);
    let body = live.models().get("main").unwrap().preview(&question()).unwrap();
    let path = folder.path().join("a.jsonl");
    cassette(&path, url, &body.value(), &answer.to_string());
    let blank = project(folder.path(), &[]);
    play(&blank, &path);
    let played = blank.models().get("main").unwrap();
    let deltas =
        played.stream(question(), Call::default()).await.unwrap_or_else(|error| panic!("{model}: {error}"));
    assert_eq!(collect(deltas, |_| {}).await.unwrap().message.text(), "Yes.", "{model}");
}

#[tokio::test]
async fn what_was_recorded_with_settings_is_played_without_them() {
    let google = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]});
    let place = "projects/my-project/locations/europe-west1/publishers/google/models";
    let vertex = format!(
        "https://europe-west1-aiplatform.googleapis.com/v1beta1/{place}/gemini-2.5-flash:streamGenerateContent?alt=sse"
    );
    check("vertex/gemini-2.5-flash", &vertex, google).await;
    let claude = json!({"type": "message", "role": "assistant", "model": "m", "id": "i", "content": [{"type": "text", "text": "Yes."}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
    // Models of different generations are asked differently, whatever stands for what is not known.
    for name in ["claude-3-5-haiku-20241022", "claude-opus-4-6"] {
        check(&format!("anthropic/{name}"), "https://api.anthropic.com/v1/messages", claude.clone()).await;
    }
    let amazon = json!({"output": {"message": {"role": "assistant", "content": [{"text": "Yes."}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1}});
    let name = "us.anthropic.claude-3-haiku-20240307-v1:0";
    let path = format!(
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/{}/converse-stream",
        name.replace(':', "%3A")
    );
    check(&format!("bedrock/{name}"), &path, amazon).await;
    let openai = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]});
    check("azure/my-deployment", "https://my-resource.openai.azure.com/openai/v1/chat/completions", openai)
        .await;
}
