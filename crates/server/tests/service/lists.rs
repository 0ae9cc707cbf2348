//! Runs and conversations are listed a page at a time.

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::{Client, Kit};

async fn kit() -> Kit {
    let agent = "---\nmodel: main\n---\nHelp.\n";
    let files = [("agents/desk.md", agent), ("agents/clerk.md", agent)];
    let model = Scripted::from_fn(|_, _| Some(Turn::text("Yes.")));
    Kit::of(&files, model, Settings::default()).await
}

async fn start(client: &Client, agent: &str, user: &str, session: &str) -> Value {
    let start = json!({ "agent": agent, "input": "x", "user": user, "session": session });
    let (status, run) = client.post("/api/runs?wait=30", &start).await;
    assert_eq!(status, StatusCode::OK, "{run}");
    run["id"].clone()
}

/// The ids on all pages, and how many pages there are.
async fn pages(client: &Client, path: &str, what: &str) -> (Vec<Value>, usize) {
    let (mut found, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (status, page) = client.get(&format!("{path}{after}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        found.extend(page[what].as_array().unwrap().iter().map(|item| item["id"].clone()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return (found, pages),
        }
    }
}

#[tokio::test]
async fn each_run_stands_on_one_page() {
    let kit = kit().await;
    let client = kit.client(Role::Operator).await;
    // Two people in one conversation: only an admin has that.
    let admin = kit.client(Role::Admin).await;
    let mut runs = Vec::new();
    for number in 0..5 {
        let (agent, user) = if number < 3 { ("desk", "ann") } else { ("clerk", "bob") };
        runs.insert(0, start(&admin, agent, user, &format!("s{}", number % 2)).await);
    }
    assert_eq!(pages(&client, "/api/runs?limit=2", "runs").await, (runs.clone(), 3));
    let only = async |filter: &str| pages(&client, &format!("/api/runs?{filter}"), "runs").await.0;
    assert_eq!(only("agent=clerk").await, runs[..2]);
    assert_eq!(only("user=ann").await, runs[2..]);
    assert_eq!(only("user=ann&session=s1").await, runs[3..4]);
    assert_eq!(only("state=ended&roots=true").await, runs);
    assert!(only("state=open").await.is_empty() && only("since=9000000000000000").await.is_empty());
    let (ids, _) = pages(&client, "/api/sessions?limit=1", "sessions").await;
    assert_eq!(ids, ["s0", "s1"]);
    assert_eq!(pages(&client, "/api/sessions?user=ann", "sessions").await.0, Vec::<Value>::new());
    let confined = kit.client_within(Role::Viewer, &["agent:desk"]).await;
    assert_eq!(pages(&confined, "/api/runs?limit=1", "runs").await.0, runs[2..]);
    assert!(pages(&confined, "/api/sessions?limit=1", "sessions").await.0.is_empty());
    for (wrong, status) in [
        ("limit=0", 422),
        ("limit=201", 422),
        ("after=x", 422),
        ("limit=x", 400),
        ("state=done", 400),
        ("stat=ended", 400),
    ] {
        assert_eq!(client.get(&format!("/api/runs?{wrong}")).await.0.as_u16(), status, "{wrong}");
    }
}

#[tokio::test]
async fn what_clients_have_used_is_told_by_day_asker_and_model() {
    let kit = Kit::saying([Turn::text("Yes.")]).await;
    let (operator, confined) =
        (kit.client(Role::Operator).await, kit.client_within(Role::Viewer, &["model:other"]).await);
    let ask = json!({ "model": "main", "messages": [{ "role": "user", "content": "Well?" }] });
    for _ in 0..2 {
        assert_eq!(operator.post("/v1/chat/completions", &ask).await.0, StatusCode::OK);
    }
    kit.adjutant.gateway().settle().await.unwrap();
    let (_, told) = operator.get("/api/usage").await;
    let used = &told["usage"][0];
    assert_eq!(
        (&used["who"], &used["model"], &used["calls"]),
        (&json!("the operator"), &json!("scripted"), &json!(2))
    );
    assert!(used["tokens"]["input"].as_u64().unwrap() > 0, "{told}");
    let day = used["day"].as_str().unwrap();
    assert_eq!(operator.get(&format!("/api/usage?from={day}&until={day}")).await.1, told);
    assert_eq!(operator.get("/api/usage?until=2020-01-01").await.1["usage"], json!([]));
    assert_eq!(confined.get("/api/usage").await.1["usage"], json!([]));
    let (status, refused) = operator.get("/api/usage?from=yesterday").await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("input-invalid")));
}

#[tokio::test]
async fn what_agents_have_used_is_told_by_day_name_and_person() {
    let kit = Kit::saying([Turn::text("Yes."), Turn::text("No."), Turn::text("Maybe.")]).await;
    let client = kit.client(Role::Admin).await;
    for user in [Some("ann"), Some("ann"), None] {
        let (status, run) =
            client.post("/api/runs?wait=30", &json!({ "input": "Well?", "user": user })).await;
        assert_eq!(status, StatusCode::OK, "{run}");
    }
    let used = async |client: &Client| {
        let (_, told) = client.get("/api/usage").await;
        let of = |used: &Value| (used["agent"].clone(), used["user"].clone(), used["calls"].clone());
        told["agents"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let of = |user: Option<&str>, calls: u64| (json!("desk"), json!(user), json!(calls));
    assert_eq!(used(&client).await, [of(None, 1), of(Some("ann"), 2)]);
    let elsewhere = kit.client_within(Role::Viewer, &["agent:other"]).await;
    assert_eq!(used(&elsewhere).await, []);
    let erased = client.request(Method::DELETE, "/api/users/ann/data").send().await.unwrap();
    assert!(erased.status().is_success());
    assert_eq!(used(&client).await, [of(None, 3)]);
}
