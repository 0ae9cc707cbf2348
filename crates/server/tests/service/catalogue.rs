//! What there is to run, and with what: agents, workflows, tools, triggers, and what people have allowed.

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::Kit;

const SETTINGS: &str = r#"
[project]
agent = "desk"

[tools.notes]
type = "files"
root = "notes"

[tools.search]
type = "mcp"
command = ["search-server"]

[triggers.morning]
cron = "0 7 * * *"
run = "clerk"
input = "It is {{ time }}."

[triggers.letters]
folder = "letters"
pattern = "*.txt"
run = "clerk"
input = "Read {{ name }}."
enabled = false
"#;

const DESK: &str = "---
description: Helps people.
model: main
tools: [notes, calculator]
handoffs: [clerk]
approve: [calculate]
limits: { steps: 7 }
variables: { shop: null, tone: kind }
output: { type: object, properties: { done: { type: boolean } }, required: [done] }
---
You help in {{ shop }}, and are {{ tone }}.
";

const FLOW: &str = "
description: Drafts and checks.
input:
  type: object
  properties: { topic: { type: string } }
  required: [topic]
steps:
  - id: draft
    agent: clerk
    task: 'Write about {{ input.topic }}'
  - id: check
    agent: clerk
    task: 'Check {{ draft }}'
";

async fn kit(turns: impl IntoIterator<Item = Turn>) -> Kit {
    let files = [
        ("adjutant.toml", SETTINGS),
        ("agents/desk.md", DESK),
        ("agents/clerk.md", "---\ndescription: Writes.\nmodel: main\n---\nWrite.\n"),
        ("workflows/letter.yaml", FLOW),
        ("notes/a.txt", "A note."),
        ("letters/one.txt", "Dear desk."),
    ];
    Kit::of(&files, Scripted::new(turns), Settings::default()).await
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_agent_says_what_it_takes_and_what_it_gives() {
    let kit = kit([]).await;
    let client = kit.client(Role::Viewer).await;
    let (status, listed) = client.get("/api/agents").await;
    assert_eq!((status, names(&listed["agents"])), (StatusCode::OK, vec!["clerk", "desk", "letter"]));
    assert_eq!(listed["agents"][1]["default"], true);
    assert_eq!(listed["agents"][2]["kind"], "workflow");
    let (_, desk) = client.get("/api/agents/desk").await;
    assert_eq!((&desk["kind"], &desk["description"]), (&json!("agent"), &json!("Helps people.")));
    assert_eq!(desk["variables"]["required"], json!(["shop"]));
    assert_eq!(desk["variables"]["properties"]["tone"], json!({ "default": "kind" }));
    assert_eq!((&desk["limits"]["steps"], &desk["approve"]), (&json!(7), &json!(["calculate"])));
    assert_eq!(desk["output"]["required"], json!(["done"]));
    assert_eq!(desk["handoffs"], json!(["clerk"]));
    assert!(desk["tools"].as_array().unwrap().contains(&json!("read_file")), "{desk}");
    let (_, letter) = client.get("/api/agents/letter").await;
    assert_eq!((&letter["input"]["required"], letter.get("model")), (&json!(["topic"]), None));
    let (status, missing) = client.get("/api/agents/dest").await;
    assert_eq!((status, &missing["code"]), (StatusCode::NOT_FOUND, &json!("not-found")));
    assert!(missing["help"].as_str().unwrap().contains("`desk`"), "{missing}");
    let confined = kit.client_within(Role::Viewer, &["agent:clerk"]).await;
    assert_eq!(names(&confined.get("/api/agents").await.1["agents"]), ["clerk"]);
    for path in ["/api/agents/desk", "/api/workflows/letter", "/api/agents/desk/versions"] {
        assert_eq!(confined.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_workflow_is_told_and_drawn() {
    let kit = kit([]).await;
    let client = kit.client(Role::Viewer).await;
    let (_, letter) = client.get("/api/workflows/letter").await;
    assert_eq!(letter["outline"][0]["depth"], 0);
    assert!(letter["outline"][0]["text"].as_str().unwrap().contains("draft"), "{letter}");
    assert_eq!(letter["plan"]["steps"][1]["id"], "check");
    let drawn = async |path: &str| client.request(Method::GET, path).send().await.unwrap();
    let mermaid = drawn("/api/workflows/letter/drawing").await;
    assert_eq!(mermaid.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(mermaid.text().await.unwrap().starts_with("flowchart"));
    let svg = drawn("/api/workflows/letter/drawing?format=svg").await;
    assert_eq!(svg.headers()["content-type"], "image/svg+xml");
    assert!(svg.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert!(svg.text().await.unwrap().starts_with("<svg"));
    assert!(drawn("/api/workflows/desk/drawing").await.text().await.unwrap().contains("clerk"));
    assert_eq!(drawn("/api/workflows/letter/drawing?format=png").await.status(), StatusCode::BAD_REQUEST);
    for path in ["/api/workflows/clerk", "/api/workflows/clerk/drawing"] {
        assert_eq!(client.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn tools_say_where_they_come_from_and_what_was_accepted() {
    let kit = kit([]).await;
    let client = kit.client(Role::Viewer).await;
    let (_, listed) = client.get("/api/tools").await;
    assert_eq!(listed["servers"], json!([{ "name": "search", "accepted": false, "tools": [] }]));
    let (_, read) = client.get("/api/tools/read_file").await;
    assert_eq!((&read["from"], &read["effect"]), (&json!("notes"), &json!("pure")));
    assert_eq!(read["parameters"]["type"], "object");
    assert!(listed["tools"].as_array().unwrap().contains(&read));
    let (status, missing) = client.get("/api/tools/reed_file").await;
    assert_eq!((status, &missing["help"]), (StatusCode::NOT_FOUND, &json!("did you mean `read_file`?")));
}

#[tokio::test]
async fn triggers_are_told_and_fired_by_hand() {
    let kit = kit([Turn::text("Read.")]).await;
    let client = kit.client(Role::Operator).await;
    let (_, listed) = client.get("/api/triggers").await;
    assert_eq!(names(&listed["triggers"]), ["letters", "morning"]);
    assert_eq!(listed["triggers"][0]["on"], json!({ "folder": "letters/*.txt" }));
    assert!(listed["triggers"][1]["next"].is_i64() && listed["triggers"][0].get("next").is_none());
    let fire = |name: &str, body: Value| {
        let (client, path) = (client.clone(), format!("/api/triggers/{name}/fire"));
        async move { client.post(&path, &body).await }
    };
    let (status, run) = fire("letters", json!({ "file": "one.txt" })).await;
    assert_eq!((status, &run["agent"]), (StatusCode::ACCEPTED, &json!("clerk")), "{run}");
    let (_, came) = client.get("/api/triggers/letters/occurrences").await;
    assert_eq!(came["occurrences"][0]["run"], run["id"]);
    for (name, body, status) in [
        ("letters", json!({}), StatusCode::UNPROCESSABLE_ENTITY),
        ("letters", json!({ "file": "two.txt" }), StatusCode::NOT_FOUND),
        ("letters", json!({ "file": "../adjutant.toml" }), StatusCode::UNPROCESSABLE_ENTITY),
        ("evening", json!({}), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(fire(name, body).await.0, status, "{name}");
    }
    let confined = kit.client_within(Role::Operator, &["agent:desk"]).await;
    assert_eq!(confined.get("/api/triggers").await.1["triggers"], json!([]));
    assert_eq!(confined.get("/api/triggers/letters/occurrences").await.0, StatusCode::NOT_FOUND);
    let path = "/api/triggers/letters/occurrences?limit=0";
    assert_eq!(client.get(path).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_was_allowed_beforehand_is_told_and_taken_back_once() {
    let kit = kit([Turn::calls([("calculate", json!({ "expression": "1+1" }))]), Turn::text("2")]).await;
    let (operator, approver) = (kit.client(Role::Operator).await, kit.client(Role::Approver).await);
    let start = json!({ "agent": "desk", "input": "Add.", "variables": { "shop": "x" } });
    assert_eq!(operator.post("/api/runs", &start).await.0, StatusCode::ACCEPTED);
    let id = loop {
        let (_, waiting) = approver.get("/api/approvals").await;
        if let Some(id) = waiting["approvals"][0]["id"].as_str() {
            break id.to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let decision =
        json!({ "decision": "approve", "holds": { "everywhere": true, "pinned": ["expression"] } });
    let (status, answered) = approver.post(&format!("/api/approvals/{id}/decide"), &decision).await;
    assert_eq!(status, StatusCode::OK, "{answered}");
    let grants = loop {
        let (_, grants) = operator.get("/api/grants").await;
        if grants["grants"][0].is_object() {
            break grants;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let grant = &grants["grants"][0];
    assert_eq!((&grant["within"], &grant["holds"]), (&json!("project"), &json!(true)), "{grant}");
    assert_eq!(grant["pinned"], json!({ "/expression": "1+1" }));
    let revoke = format!("/api/grants/{}/revoke", grant["id"].as_str().unwrap());
    let confined = kit.client_within(Role::Approver, &["agent:clerk"]).await;
    assert_eq!(confined.post(&revoke, &json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(confined.get("/api/grants?all=true").await.1["grants"], json!([]));
    let (status, taken) = approver.post(&revoke, &json!({ "reason": "over" })).await;
    assert_eq!((status, &taken["revoked"]["reason"]), (StatusCode::OK, &json!("over")));
    assert_eq!(approver.post(&revoke, &json!({})).await.0, StatusCode::CONFLICT);
    assert_eq!(operator.get("/api/grants").await.1["grants"], json!([]));
    assert_eq!(operator.get("/api/grants?all=true").await.1["grants"][0]["holds"], false);
}
