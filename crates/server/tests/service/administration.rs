//! Keys are made and taken back, and what is kept is erased.

use adjutant::model::scripted::Turn;
use adjutant_core::role::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Client, Kit};

fn with(client: &Client, token: &Value) -> Client {
    Client { token: Some(token.as_str().unwrap().to_owned()), ..client.clone() }
}

#[tokio::test]
async fn a_key_is_made_replaced_and_taken_back() {
    let kit = Kit::saying([]).await;
    let admin = kit.client(Role::Admin).await;
    let new = json!({ "name": "the front", "role": "viewer", "scopes": ["agent:desk"], "seconds": 3600 });
    let (status, made) = admin.post("/api/keys", &new).await;
    assert_eq!((status, &made["key"]["role"]), (StatusCode::OK, &json!("viewer")), "{made}");
    let by = json!(Kit::known("the admin", &admin));
    assert_eq!(made["key"]["by"], by);
    let first = with(&admin, &made["token"]);
    assert_eq!(first.get("/api/agents").await.0, StatusCode::OK);
    assert_eq!(first.get("/api/keys").await.0, StatusCode::FORBIDDEN);
    let key = format!("/api/keys/{}", made["key"]["id"].as_str().unwrap());
    let (status, next) = admin.post(&format!("{key}/rotate"), &json!({ "overlap": 0 })).await;
    assert_eq!((status, &next["key"]["scopes"]), (StatusCode::OK, &json!(["agent:desk"])), "{next}");
    assert_eq!(first.get("/api/agents").await.0, StatusCode::UNAUTHORIZED);
    let second = with(&admin, &next["token"]);
    assert_eq!(second.get("/api/agents").await.0, StatusCode::OK);
    let revoke = format!("/api/keys/{}/revoke", next["key"]["id"].as_str().unwrap());
    let (status, gone) = admin.post(&revoke, &json!({ "reason": "it leaked" })).await;
    assert_eq!((status, &gone["holds"]), (StatusCode::OK, &json!(false)));
    assert_eq!(second.get("/api/agents").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(admin.post(&revoke, &json!({})).await.0, StatusCode::CONFLICT);
    assert_eq!(admin.post("/api/keys/none/revoke", &json!({})).await.0, StatusCode::NOT_FOUND);
    let (_, listed) = admin.get("/api/keys").await;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 3);
    let (_, audit) = admin.get("/api/audit?what=key.&limit=1").await;
    assert_eq!(
        (&audit["events"][0]["by"], &audit["events"][0]["subject"]),
        (&by, &next["key"]["id"]),
        "{audit}"
    );
    let after = format!("/api/audit?what=key.&after={}", audit["next"].as_str().unwrap());
    assert!(admin.get(&after).await.1["events"].as_array().unwrap().len() > 2, "{audit}");
    assert!(!listed.to_string().contains("adj_"), "tokens are told once: {listed}");
    // Records go by names, so of keys that hold each has one of its own.
    let again = json!({ "name": "the admin", "role": "viewer" });
    assert_eq!(admin.post("/api/keys", &again).await.0, StatusCode::CONFLICT);
    let wrong = [
        ("", json!([]), 400),
        (" ", json!([]), 422),
        ("x", json!(["desk"]), 422),
        ("x", json!(["agnet:desk"]), 422),
    ];
    for (name, scopes, status) in wrong {
        let wrong = json!({ "name": name, "role": "viewer", "scopes": scopes });
        assert_eq!(admin.post("/api/keys", &wrong).await.0.as_u16(), status, "{wrong}");
    }
}

#[tokio::test]
async fn the_last_admin_stays_unless_it_is_meant() {
    let kit = Kit::saying([]).await;
    let admin = kit.client(Role::Admin).await;
    let wrong = json!({ "name": "x", "role": "viewer", "scopes": ["agnet:desk"] });
    let (status, refused) = admin.post("/api/keys", &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert!(refused.to_string().contains("`agent:desk`"), "{refused}");
    let own = admin.token.as_deref().unwrap().split('_').nth(1).unwrap();
    let revoke = format!("/api/keys/{own}/revoke");
    let (status, refused) = admin.post(&revoke, &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    assert_eq!(admin.get("/api/keys").await.0, StatusCode::OK);
    assert_eq!(admin.post(&revoke, &json!({ "force": true })).await.0, StatusCode::OK);
    assert_eq!(admin.get("/api/keys").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_gets_another_key_in_the_place_of_theirs_stays_who_they_are() {
    let kit = Kit::saying([Turn::text("Yes.")]).await;
    let (admin, desk) = (kit.client(Role::Admin).await, kit.client(Role::Operator).await);
    let by = Kit::known("the operator", &desk);
    let first = desk.token.as_deref().unwrap().split('_').nth(1).unwrap().to_owned();
    let (status, next) = admin.post(&format!("/api/keys/{first}/rotate"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{next}");
    with(&desk, &next["token"]).run("Hello.").await;
    // The name, the id, and both together mean the same.
    for wanted in [first.as_str(), "the%20operator", &by.replace(' ', "%20")] {
        let (_, page) = admin.get(&format!("/api/audit?what=run.started&by={wanted}")).await;
        assert_eq!(page["events"][0]["by"], by, "{wanted}: {page}");
    }
    assert!(admin.get("/api/audit?by=operator").await.1["events"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_gets_further_by_a_key_that_they_make() {
    let kit = Kit::saying([]).await;
    let wide = kit.client(Role::Admin).await;
    let (_, made) = wide.post("/api/keys", &json!({ "name": "wide", "role": "admin" })).await;
    let rotate = format!("/api/keys/{}/rotate", made["key"]["id"].as_str().unwrap());
    let confined = kit.client_within(Role::Admin, &["agent:desk*"]).await;
    let create = async |scopes: Value| {
        confined.post("/api/keys", &json!({ "name": "x", "role": "admin", "scopes": scopes })).await.0
    };
    for further in [json!([]), json!(["agent:*"]), json!(["agent:desk", "model:*"])] {
        assert_eq!(create(further.clone()).await, StatusCode::FORBIDDEN, "{further}");
    }
    assert_eq!(create(json!(["agent:desk"])).await, StatusCode::OK);
    assert_eq!(confined.post(&rotate, &json!({})).await.0, StatusCode::FORBIDDEN);
    let revoke = rotate.replace("rotate", "revoke");
    assert_eq!(confined.post(&revoke, &json!({ "force": true })).await.0, StatusCode::FORBIDDEN);
    let (_, listed) = confined.get("/api/keys").await;
    let names: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert!(names.contains(&json!("x")) && !names.contains(&json!("wide")), "{listed}");
    for path in ["/api/prune", "/api/users/ann/data"] {
        let (status, _) = match path {
            "/api/prune" => confined.post(path, &json!({ "days": 0 })).await,
            _ => confined.delete(path).await,
        };
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn what_is_kept_of_a_person_is_erased_and_what_is_over_forgotten() {
    let kit = Kit::saying([Turn::text("Yes."), Turn::text("Yes."), Turn::text("Yes.")]).await;
    let admin = kit.client(Role::Admin).await;
    for user in ["ann", "ann", "bob"] {
        let start = json!({ "input": "x", "user": user });
        assert_eq!(admin.post("/api/runs?wait=30", &start).await.0, StatusCode::OK);
    }
    assert_eq!(admin.delete("/api/users/ann/data").await.1, json!({ "runs": 2 }));
    assert_eq!(admin.delete("/api/users/ann/data").await.1, json!({ "runs": 0 }));
    assert_eq!(admin.get("/api/runs").await.1["runs"].as_array().unwrap().len(), 1);
    assert_eq!(admin.post("/api/prune", &json!({ "days": 1 })).await.1, json!({ "runs": 0 }));
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(admin.post("/api/prune", &json!({ "days": 0 })).await.1, json!({ "runs": 1 }));
    assert_eq!(admin.post("/api/prune", &json!({})).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_audit_log_names_the_key_and_not_whom_it_claims_to_work_for() {
    let kit = Kit::saying([Turn::text("Hello."), Turn::text("Hello again.")]).await;
    let (admin, operator) = (kit.client(Role::Admin).await, kit.client(Role::Operator).await);
    let asked = json!({ "agent": "desk", "input": "Hello!", "user": "carl" });
    let (_, run) = operator.post("/api/runs?wait=20", &asked).await;
    let id = run["id"].as_str().unwrap();
    let (_, audit) = admin.get(&format!("/api/audit?run={id}")).await;
    let event = &audit["events"][0];
    assert_eq!(
        (&event["what"], &event["by"]),
        (&json!("run.started"), &json!(Kit::known("the operator", &operator))),
        "{audit}"
    );
    assert_eq!(event["details"]["user"], "carl");
    // What is over takes nothing, and nothing is recorded of it.
    assert_eq!(
        operator.post(&format!("/api/runs/{id}/steer"), &json!({ "text": "hi" })).await.0,
        StatusCode::CONFLICT
    );
    let (_, after) = admin.get(&format!("/api/audit?run={id}")).await;
    assert_eq!(after, audit);
}
