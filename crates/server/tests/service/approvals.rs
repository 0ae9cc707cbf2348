//! People decide.

use adjutant::model::scripted::Turn;
use adjutant_core::role::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Client, Kit};

async fn waiting(client: &Client) -> Value {
    loop {
        let (_, waiting) = client.get("/api/approvals").await;
        if let Some(approval) = waiting["approvals"].get(0) {
            return approval.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn of_many_decisions_at_once_one_counts_and_the_others_are_told_which() {
    let kit = Kit::saying([Turn::calls([("now", json!({}))]), Turn::text("Noon.")]).await;
    let (operator, approver) = (kit.client(Role::Operator).await, kit.client(Role::Approver).await);
    let (_, started) = operator.post("/api/runs", &json!({ "input": "What time is it?" })).await;
    let approval = waiting(&approver).await;
    assert_eq!((&approval["run"], &approval["request"]["tool"]), (&started["id"], &json!("now")));
    let path = format!("/api/approvals/{}/decide", approval["id"].as_str().unwrap());
    assert_eq!(operator.post(&path, &json!({ "decision": "approve" })).await.0, StatusCode::FORBIDDEN);
    let decisions = (0..20).map(async |number| {
        let decision = if number % 2 == 0 { json!("approve") } else { json!({ "deny": "no" }) };
        let body = json!({ "decision": decision, "digest": approval["request"]["digest"] });
        approver.post(&path, &body).await
    });
    let answers = futures::future::join_all(decisions).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(status, _)| *status == StatusCode::OK);
    assert_eq!(won.len(), 1, "{won:?}");
    assert!(won[0].1["answer"]["by"].as_str().unwrap().starts_with("the approver (key "));
    for (status, refused) in lost {
        assert_eq!(status, StatusCode::CONFLICT, "{refused}");
        assert!(refused["detail"].as_str().unwrap().starts_with("too late: the approver (key "), "{refused}");
    }
    let run = kit.adjutant.find(started["id"].as_str().unwrap()).await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Noon.");
}

#[tokio::test]
async fn a_decision_about_another_call_than_was_seen_is_refused() {
    let kit = Kit::saying([Turn::calls([("now", json!({}))]), Turn::text("Noon.")]).await;
    let admin = kit.client(Role::Admin).await;
    admin.post("/api/runs", &json!({ "input": "What time is it?" })).await;
    let approval = waiting(&admin).await;
    let id = approval["id"].as_str().unwrap();
    let other = "0".repeat(64);
    let body = json!({ "decision": "approve", "digest": other });
    assert_eq!(admin.post(&format!("/api/approvals/{id}/decide"), &body).await.0, StatusCode::CONFLICT);
    let beginning = id.split(':').next().unwrap();
    let path = format!("/api/approvals/{beginning}/decide");
    assert_eq!(admin.post(&path, &json!({ "decision": "approve" })).await.0, StatusCode::NOT_FOUND);
}
