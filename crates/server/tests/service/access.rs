//! Who may what.

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{Client, Kit, answer};

#[tokio::test]
async fn nobody_is_answered_who_does_not_say_who_they_are() {
    let kit = Kit::saying([]).await;
    let stranger = kit.stranger();
    let (status, refused) = stranger.get("/api/approvals").await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")));
    let response = stranger.request(Method::GET, "/api/approvals").send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let known = kit.client(Role::Viewer).await;
    let token = known.token.clone().unwrap();
    let mistyped = format!("{token}x");
    for shown in ["adj_a_b", &mistyped, "Bearer", "\u{e9}"] {
        let client = Client { token: Some(shown.to_owned()), ..known.clone() };
        assert_eq!(client.get("/api/approvals").await.0, StatusCode::UNAUTHORIZED, "{shown}");
    }
    let as_anthropic = stranger.request(Method::GET, "/api/approvals").header("x-api-key", token);
    assert_eq!(answer(as_anthropic).await.0, StatusCode::OK);
    for open in ["/api/health/live", "/api/health/ready", "/api/openapi.json"] {
        assert_eq!(stranger.get(open).await.0, StatusCode::OK, "{open}");
    }
}

#[tokio::test]
async fn a_role_may_what_it_says_and_no_more() {
    let kit = Kit::saying([Turn::text("Yes.")]).await;
    let start = json!({ "input": "x" });
    for role in Role::ALL {
        let (status, answered) = kit.client(role).await.post("/api/runs", &start).await;
        let may = matches!(role, Role::Operator | Role::Developer | Role::Admin);
        assert_eq!(status == StatusCode::ACCEPTED, may, "{role}: {answered}");
        if !may {
            assert_eq!((status, &answered["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
        }
    }
}

#[tokio::test]
async fn who_is_confined_sees_nothing_else() {
    let kit = Kit::saying([Turn::text("Yes.")]).await;
    let (all, confined) =
        (kit.client(Role::Operator).await, kit.client_within(Role::Operator, &["agent:clerk"]).await);
    let run = all.run("x").await["id"].as_str().unwrap().to_owned();
    for path in ["", "/steps", "/waits", "/messages", "/events", "/files"] {
        assert_eq!(confined.get(&format!("/api/runs/{run}{path}")).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let of_desk = kit.client_within(Role::Viewer, &["agent:desk", "service:policies"]).await;
    assert!(of_desk.get("/api/tools").await.1.to_string().contains(r#""name":"now""#));
    assert_eq!(confined.get("/api/tools").await.1["tools"], json!([]));
    for (path, status) in [("tools/now", StatusCode::NOT_FOUND), ("policies", StatusCode::FORBIDDEN)] {
        assert_eq!(of_desk.get(&format!("/api/{path}")).await.0, StatusCode::OK, "{path}");
        assert_eq!(confined.get(&format!("/api/{path}")).await.0, status, "{path}");
    }
    assert_eq!(confined.post("/api/runs", &json!({ "input": "x" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(confined.post(&format!("/api/runs/{run}/cancel"), &json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_at_once() {
    let kit = Kit::saying([]).await;
    let client = kit.client(Role::Viewer).await;
    assert_eq!(client.get("/api/approvals").await.0, StatusCode::OK);
    let keys = kit.adjutant.keys();
    let id = keys.list().await.unwrap().remove(0).id;
    keys.revoke(&id, "tests", None).await.unwrap();
    assert_eq!(client.get("/api/approvals").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_conversation_with_somebody_out_of_reach_is_not_there_for_who_is_confined() {
    let agent = "---\nmodel: main\n---\nHelp.\n";
    let files = [("agents/desk.md", agent), ("agents/clerk.md", agent)];
    let model = Scripted::from_fn(|_, _| Some(Turn::text("Yes.")));
    let kit = Kit::of(&files, model, Settings::default()).await;
    let (all, clerk) =
        (kit.client(Role::Operator).await, kit.client_within(Role::Operator, &["agent:clerk"]).await);
    let say = async |client: &Client, agent: &str, session: &str| {
        client.post("/api/runs?wait=30", &json!({ "agent": agent, "input": "x", "session": session })).await
    };
    let (_, first) = say(&all, "clerk", "mixed").await;
    assert_eq!(clerk.get("/api/sessions/mixed").await.0, StatusCode::OK);
    say(&all, "desk", "mixed").await;
    let run = first["id"].as_str().unwrap();
    for path in ["/api/sessions/mixed", "/api/sessions/mixed/messages", &format!("/api/runs/{run}/messages")]
    {
        assert_eq!(clerk.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(all.get(path).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(say(&clerk, "clerk", "mixed").await.0, StatusCode::NOT_FOUND);
    assert_eq!(say(&clerk, "clerk", "own").await.0, StatusCode::OK);
}

#[tokio::test]
async fn nobody_goes_on_with_a_conversation_in_the_name_of_somebody_else() {
    let kit = Kit::with(Scripted::from_fn(|_, _| Some(Turn::text("Yes."))), Settings::default()).await;
    let (desk, admin) = (kit.client(Role::Operator).await, kit.client(Role::Admin).await);
    let confined = kit.client_within(Role::Operator, &["agent:desk"]).await;
    let say = async |client: &Client, user: Option<&str>, session: &str| {
        let start = json!({ "input": "x", "session": session, "user": user });
        client.post("/api/runs?wait=30", &start).await.0
    };
    assert_eq!(say(&desk, Some("ann"), "s").await, StatusCode::OK);
    for (client, user, status) in [
        (&desk, Some("ann"), StatusCode::OK),
        (&desk, Some("bob"), StatusCode::NOT_FOUND),
        (&confined, Some("bob"), StatusCode::NOT_FOUND),
        (&confined, None, StatusCode::NOT_FOUND),
        (&confined, Some("ann"), StatusCode::OK),
        (&desk, None, StatusCode::OK),
        (&admin, Some("bob"), StatusCode::OK),
    ] {
        assert_eq!(say(client, user, "s").await, status, "{user:?}");
    }
    assert_eq!(say(&desk, Some("bob"), "another").await, StatusCode::OK, "one that is nobody's yet");
    let (_, warned) =
        admin.post("/api/keys", &json!({ "name": "x", "role": "viewer", "scopes": ["agent:dsek"] })).await;
    assert!(warned["warnings"][0].as_str().unwrap().contains("`agent:desk`"), "{warned}");
}
