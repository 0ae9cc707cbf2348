//! Runs are started, looked at and steered.

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{Kit, answer};

#[tokio::test]
async fn a_run_is_on_record_when_it_is_accepted_and_over_when_it_was_waited_for() {
    let kit = Kit::saying([Turn::text("All is well.")]).await;
    let client = kit.client(Role::Operator).await;
    let (status, started) =
        client.post("/api/runs", &json!({ "agent": "desk", "input": "How are you?" })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{started}");
    let id = started["id"].as_str().unwrap();
    assert_eq!(kit.adjutant.find(id).await.unwrap().reply().await.unwrap().text, "All is well.");
    let (status, shown) = client.get(&format!("/api/runs/{id}")).await;
    assert_eq!(
        (status, &shown["state"], &shown["reply"]["text"]),
        (StatusCode::OK, &json!("ended"), &json!("All is well."))
    );
    assert_eq!(client.run("And now?").await["reply"]["stop"], "answered");
}

#[tokio::test]
async fn the_same_key_is_the_same_run_and_another_task_under_it_is_refused() {
    let kit = Kit::saying([Turn::text("Once.")]).await;
    let client = kit.client(Role::Operator).await;
    let start = async |input: &str| {
        let request = client.request(Method::POST, "/api/runs?wait=30").header("Idempotency-Key", "order-7");
        answer(request.json(&json!({ "input": input }))).await
    };
    let (first, second) = tokio::join!(start("Do it."), start("Do it."));
    assert_eq!((first.0, &first.1["id"]), (StatusCode::OK, &second.1["id"]), "{first:?}");
    let sent = client.request(Method::POST, "/api/runs").header("Idempotency-Key", "order-7");
    let third = sent.json(&json!({ "input": "Do it." })).send().await.unwrap();
    assert_eq!(third.headers()["idempotency-replayed"], "true");
    assert_eq!(third.headers()["x-adjutant-run"].to_str().unwrap(), first.1["id"]);
    let sent = client.request(Method::POST, "/api/runs").header("Idempotency-Key", "order-8");
    let new = sent.json(&json!({ "input": "" , "agent": "none" })).send().await.unwrap();
    assert!(new.headers().get("idempotency-replayed").is_none());
    let (status, refused) = start("Do something else.").await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert_eq!(kit.adjutant.runs(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_several_each_is_started_or_refused_by_itself() {
    let kit = Kit::saying([Turn::text("Yes.")]).await;
    let client = kit.client(Role::Operator).await;
    let batch = json!({ "runs": [{ "input": "a" }, { "agent": "dest", "input": "b" }, { "input": "c" }] });
    let (status, answered) = client.post("/api/runs/batch", &batch).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(answered["runs"][0]["run"]["id"].is_string(), "{answered}");
    assert_eq!(answered["runs"][1]["error"]["code"], "not-found");
    assert!(answered["runs"][2]["run"]["id"].is_string());
    let (status, refused) = client.post("/api/runs/batch", &json!({ "runs": [] })).await;
    assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!("input-invalid")));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_with_its_place() {
    let kit = Kit::saying([]).await;
    let client = kit.client(Role::Operator).await;
    for (body, detail) in [
        (json!({}), "missing field `input`"),
        (json!({ "input": "x", "agnet": "desk" }), "unknown field `agnet`"),
        (json!({ "input": [{ "type": "text" }] }), "the body is wrong at `input`"),
        (json!({ "input": [{ "type": "file", "media_type": "a/b", "data": "?" }] }), "is not base 64"),
        (json!({ "input": "x", "agent": "dest" }), "there is no agent `dest`"),
        (json!({ "input": " " }), "`input` has no words"),
    ] {
        let (status, refused) = client.post("/api/runs", &body).await;
        assert!(status.is_client_error(), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(detail), "{refused}");
    }
    let raw = |body: &'static str, kind: &'static str| {
        answer(client.request(Method::POST, "/api/runs").header("Content-Type", kind).body(body))
    };
    let (status, refused) = raw("{\"input\": ", "application/json").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["detail"].as_str().unwrap().contains("line 1 column 10"), "{refused}");
    assert_eq!(
        raw("input=x", "application/x-www-form-urlencoded").await.0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let packed = client.request(Method::POST, "/api/runs").header("Content-Encoding", "gzip").body("{}");
    let (status, refused) = answer(packed).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(refused["detail"], "the body is compressed (`gzip`)");
    let (status, _) = client.get("/api/runs/0000000000000000").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        client.request(Method::PATCH, "/api/runs").send().await.unwrap().status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(client.get("/api/nowhere").await.0, StatusCode::NOT_FOUND);
    assert!(kit.adjutant.runs(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_is_paused_resumed_and_cancelled() {
    let kit = Kit::saying([Turn::calls([("now", json!({}))]), Turn::text("Late.")]).await;
    let client = kit.client(Role::Operator).await;
    let (_, started) = client.post("/api/runs", &json!({ "input": "What time is it?" })).await;
    let run = format!("/api/runs/{}", started["id"].as_str().unwrap());
    let state = async |expected: &str| loop {
        let (_, shown) = client.get(&run).await;
        if shown["state"] == expected {
            return shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    state("waiting").await;
    let (_, waits) = client.get(&format!("{run}/waits")).await;
    assert!(waits["runs"][0]["waits"][0]["signal"]["name"].is_string(), "{waits}");
    let done = async |what: &str| client.post(&format!("{run}/{what}"), &json!({})).await.0;
    assert_eq!(done("pause").await, StatusCode::NO_CONTENT);
    state("paused").await;
    assert_eq!(done("resume").await, StatusCode::NO_CONTENT);
    state("waiting").await;
    assert_eq!(done("cancel").await, StatusCode::NO_CONTENT);
    assert_eq!(state("ended").await["error"]["code"], "run-cancelled");
    assert_eq!(done("cancel").await, StatusCode::CONFLICT);
    let (_, steps) = client.get(&format!("{run}/steps")).await;
    assert!(steps["steps"].as_array().unwrap().iter().any(|step| step["kind"] == "signal"), "{steps}");
}

#[tokio::test]
async fn a_session_is_seen_with_its_turns() {
    let kit = Kit::saying([Turn::text("One."), Turn::text("Two.")]).await;
    let client = kit.client(Role::Operator).await;
    for input in ["First.", "Second."] {
        let (status, _) = client.post("/api/runs?wait=30", &json!({ "input": input, "session": "s" })).await;
        assert_eq!(status, StatusCode::OK);
    }
    let (_, session) = client.get("/api/sessions/s").await;
    assert_eq!(session["turns"].as_array().unwrap().len(), 2, "{session}");
    let (_, messages) = client.get("/api/sessions/s/messages").await;
    assert_eq!(messages["messages"].as_array().unwrap().len(), 4, "{messages}");
    assert_eq!(client.get("/api/sessions/t").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_conversation_at_work_is_told_what_becomes_of_another_word() {
    let kit = Kit::saying([Turn::calls([("now", json!({}))]), Turn::text("Late.")]).await;
    let client = kit.client(Role::Operator).await;
    let say = async |input: &str, when_busy: Option<&str>| {
        client.post("/api/runs", &json!({ "input": input, "session": "s", "when_busy": when_busy })).await
    };
    let (_, first) = say("What time is it?", None).await;
    let run = kit.adjutant.find(first["id"].as_str().unwrap()).await.unwrap();
    while run.waits().await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let (status, refused) = say("And now?", Some("reject")).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert_eq!(say("Then wait.", None).await.0, StatusCode::ACCEPTED);
    assert_eq!(say("Never mind.", Some("interrupt")).await.0, StatusCode::ACCEPTED);
    assert_eq!(run.reply().await.unwrap_err().code(), adjutant_core::Code::RunCancelled);
    assert_eq!(say("What?", Some("later")).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn where_as_many_wait_as_may_nothing_more_is_taken_and_when_to_come_again_is_told() {
    let settings = Settings { most_queued: 0, ..Settings::default() };
    let kit = Kit::with(Scripted::new([]), settings).await;
    let client = kit.client(Role::Operator).await;
    let asked = json!({ "agent": "desk", "input": "Hello!" });
    let response = client.request(Method::POST, "/api/runs").json(&asked).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let (_, runs) = client.get("/api/runs").await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 0, "{runs}");
}
