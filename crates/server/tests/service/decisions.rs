//! The decision point by itself.

use std::time::Instant;

use adjutant::model::scripted::Scripted;
use adjutant_core::role::Role;
use adjutant_server::Settings;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::Kit;

const SETTINGS: &str = r#"
[policy.claims]
role = "string"

[tools.refund]
type = "command"
description = "Refunds an order."
command = ["true"]
effect = "at_most_once"

[tools.refund.parameters]
number = { type = "integer", description = "The order." }

[tools.page]
type = "fetch"
hosts = ["example.org"]
"#;

const POLICIES: &str = r#"
@id("agents") permit (principal, action == Action::"refund", resource)
when { context.arguments.number.trusted };

@id("clerks-ask") @ask("a manager decides")
forbid (principal, action == Action::"refund", resource)
when { context.arguments.number.value > 100 };

@id("no-mail") @redact("email")
forbid (principal, action == Action::"refund", resource);
"#;

async fn kit() -> Kit {
    let files = [
        ("adjutant.toml", SETTINGS),
        ("agents/desk.md", "---\nmodel: main\ntools: [refund, page]\n---\nHelp.\n"),
        ("policies/desk.cedar", POLICIES),
    ];
    Kit::of(&files, Scripted::new([]), Settings::default()).await
}

fn refund(number: i64, request: &str) -> Value {
    json!({ "agent": "desk", "tool": "refund", "arguments": { "number": number }, "request": request })
}

#[tokio::test]
async fn another_loop_is_told_what_it_may_do_and_on_what_terms() {
    let kit = kit().await;
    let client = kit.client(Role::Operator).await;
    let decide = async |asked: &Value| client.post("/api/policy/decide", asked).await;
    let (status, decided) = decide(&refund(42, "Refund order 42")).await;
    assert_eq!((status, &decided["decision"]), (StatusCode::OK, &json!("redact")), "{decided}");
    assert_eq!(decided["redact"], json!(["email"]));
    let (_, policies) = client.get("/api/policies").await;
    assert_eq!(decided["version"], policies["version"]);
    assert_eq!(policies["files"][0]["text"], POLICIES);
    assert_eq!(
        policies["policies"][1],
        json!({ "name": "clerks-ask", "file": "policies/desk.cedar", "line": 5 })
    );
    let (_, asks) = decide(&refund(420, "Refund order 420")).await;
    assert_eq!((&asks["decision"], &asks["policies"]), (&json!("ask"), &json!(["clerks-ask"])));
    let mut read = refund(7, "Refund what the page says");
    read["results"] = json!([{ "tool": "page", "text": "order 7", "label": { "integrity": "untrusted" } }]);
    read["id"] = json!({ "mine": 1 });
    let (_, denied) = decide(&read).await;
    assert_eq!((&denied["decision"], &denied["id"]), (&json!("deny"), &json!({ "mine": 1 })), "{denied}");
    assert!(denied["tell"].is_string());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_nobody_asks_for_others() {
    let kit = kit().await;
    let client = kit.client(Role::Operator).await;
    let with = |key: &str, value: Value| {
        let mut asked = refund(1, "");
        asked[key] = value;
        asked
    };
    for (asked, status, detail) in [
        (json!({}), 400, "oneOf"),
        (with("agent", json!("dest")), 422, "there is no agent `dest`"),
        (with("principal", json!({ "user": { "id": "a", "claims": { "rule": "x" } } })), 422, "`rule`"),
        (with("principal", json!({ "user": { "id": "a", "claims": { "role": 7 } } })), 422, "`role`"),
        (with("principal", json!({ "tenant": "bell" })), 403, "does not decide for `bell`"),
        (with("arguments", json!({ "number": "x" })), 422, "number"),
        (with("results", json!([{ "tool": "page", "lable": {} }])), 400, "unknown field `lable`"),
        (with("action", json!("answer")), 400, "oneOf"),
    ] {
        let (answered, refused) = client.post("/api/policy/decide", &asked).await;
        assert_eq!(answered.as_u16(), status, "{asked}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains(detail), "{refused}");
    }
    let own = with("principal", json!({ "tenant": "local" }));
    assert_eq!(client.post("/api/policy/decide", &own).await.0, StatusCode::OK);
    let confined = kit.client_within(Role::Operator, &["agent:clerk"]).await;
    for asked in [refund(1, ""), json!({ "tool": "refund", "arguments": { "number": 1 } })] {
        assert_eq!(confined.post("/api/policy/decide", &asked).await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn what_is_forbidden_since_is_forbidden_here_too() {
    let kit = kit().await;
    let client = kit.client(Role::Operator).await;
    let asked = refund(42, "Refund order 42");
    assert_eq!(client.post("/api/policy/decide", &asked).await.1["decision"], "redact");
    let switch = "@id(\"kill-refund\") forbid (principal, action == Action::\"refund\", resource);";
    std::fs::write(kit.folder.path().join("policies/kill-refund.cedar"), switch).unwrap();
    let (_, denied) = client.post("/api/policy/decide", &asked).await;
    assert_eq!((&denied["decision"], &denied["policies"]), (&json!("deny"), &json!(["kill-refund"])));
}

#[tokio::test]
async fn several_are_decided_at_once_each_by_itself_and_soon() {
    let kit = kit().await;
    let client = kit.client(Role::Operator).await;
    let mut requests = vec![refund(1, "Refund 1"); 998];
    requests.extend([json!({ "tool": "refund" }), refund(420, "Refund 420")]);
    let began = Instant::now();
    let (status, decided) = client.post("/api/policy/decide/batch", &json!({ "requests": requests })).await;
    assert_eq!(status, StatusCode::OK, "{decided}");
    // Far more than it takes; a list that is worked off one slow step at a time takes longer.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    let decisions = decided["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 1000);
    assert!(decisions[..998].iter().all(|one| one["decision"]["decision"] == "redact"), "{}", decisions[0]);
    assert_eq!(decisions[998]["error"]["code"], "tool-arguments");
    assert_eq!(decisions[999]["decision"]["decision"], "ask");
    for requests in [json!([]), json!([{}]), json!(vec![refund(1, ""); 1001])] {
        let (status, _) = client.post("/api/policy/decide/batch", &json!({ "requests": requests })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn without_policies_there_is_nothing_to_decide_by() {
    let kit = Kit::saying([]).await;
    let client = kit.client(Role::Operator).await;
    let (status, refused) = client.post("/api/policy/decide", &json!({ "tool": "now" })).await;
    assert_eq!((status, &refused["code"]), (StatusCode::NOT_FOUND, &json!("not-found")));
    let (_, policies) = client.get("/api/policies").await;
    assert_eq!((&policies["version"], &policies["files"]), (&Value::Null, &json!([])));
}
