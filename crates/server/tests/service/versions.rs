//! Versions are published, labelled, shared and taken back.

use adjutant::Project;
use adjutant::model::scripted::Turn;
use adjutant_core::role::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Client, Kit};

const DESK: &str = "/api/agents/desk";

async fn publish(client: &Client, label: &str) -> String {
    let (status, published) = client.post(&format!("{DESK}/versions"), &json!({ "label": label })).await;
    assert_eq!(status, StatusCode::OK, "{published}");
    published["version"]["version"].as_str().unwrap().to_owned()
}

/// Changes the file of the desk, and has the service read it.
async fn edit(kit: &Kit, prompt: &str) {
    let text = format!("---\nmodel: main\n---\n{prompt}\n");
    std::fs::write(kit.folder.path().join("agents/desk.md"), text).unwrap();
    kit.adjutant.reload(Project::load(kit.folder.path()).unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_is_published_is_labelled_shared_and_taken_back() {
    let kit = Kit::saying([Turn::text("Yes.")]).await;
    let client = kit.client(Role::Developer).await;
    edit(&kit, "One.").await;
    let one = publish(&client, "stable").await;
    edit(&kit, "Two.").await;
    let two = publish(&client, "canary").await;
    let (_, listed) = client.get(&format!("{DESK}/versions")).await;
    let labelled = |listed: &Value| {
        let versions = listed["versions"].as_array().unwrap().iter();
        versions.map(|version| (version["version"].clone(), version["labels"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(
        labelled(&listed),
        [(json!(two), json!(["canary"])), (json!(one), json!(["stable"]))],
        "{listed}"
    );
    assert_eq!(client.run("Which?").await["version"], json!({ "definition": one, "label": "stable" }));
    let (_, diff) = client.get(&format!("{DESK}/diff?from=stable")).await;
    assert_eq!(diff["differences"], json!([{ "at": "/instructions", "from": "One.", "to": "Two." }]));
    let shares =
        json!({ "shares": [{ "label": "stable", "percent": 90 }, { "label": "canary", "percent": 10 }] });
    let (status, split) = client.put(&format!("{DESK}/split"), &shares).await;
    assert_eq!((status, &split["what"]["split"]["to"]), (StatusCode::OK, &shares["shares"]));
    assert_eq!(client.get(DESK).await.1["split"], shares["shares"]);
    // The split names it.
    assert_eq!(client.delete(&format!("{DESK}/labels/canary")).await.0, StatusCode::CONFLICT);
    assert_eq!(client.put(&format!("{DESK}/split"), &json!({ "shares": [] })).await.0, StatusCode::OK);
    let (status, _) = client.put(&format!("{DESK}/labels/stable"), &json!({ "version": two[..8] })).await;
    assert_eq!(status, StatusCode::OK);
    let (_, back) = client.post(&format!("{DESK}/rollback"), &json!({})).await;
    assert_eq!(back["what"]["label"], json!({ "label": "stable", "from": two, "to": one, "back": true }));
    assert_eq!(client.delete(&format!("{DESK}/labels/canary")).await.0, StatusCode::OK);
    let (_, shown) = client.get(&format!("{DESK}/versions/stable")).await;
    assert_eq!((&shown["version"], &shown["definition"]["instructions"]), (&json!(one), &json!("One.")));
    let (_, changes) = client.get(&format!("{DESK}/changes")).await;
    assert_eq!(changes["changes"].as_array().unwrap().len(), 9, "{changes}");
    assert_eq!(changes["changes"][0]["what"], json!({ "published": one }));
    assert!(changes["changes"][0]["by"].as_str().unwrap().starts_with("the developer (key "));
}

#[tokio::test]
async fn what_there_is_not_is_not_found_and_what_cannot_be_is_refused() {
    let kit = Kit::saying([]).await;
    let client = kit.client(Role::Developer).await;
    publish(&client, "stable").await;
    let label = async |label: &str, version: &str| {
        client.put(&format!("{DESK}/labels/{label}"), &json!({ "version": version })).await.0
    };
    assert_eq!(label("Stable", "stable").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(label("canary", "beta").await, StatusCode::NOT_FOUND);
    for (path, status) in [
        ("/api/agents/dest/versions", StatusCode::NOT_FOUND),
        ("/api/agents/desk@stable/versions", StatusCode::UNPROCESSABLE_ENTITY),
        ("/api/agents/desk/rollback", StatusCode::CONFLICT),
    ] {
        assert_eq!(client.post(path, &json!({})).await.0, status, "{path}");
    }
    let shares = json!({ "shares": [{ "label": "stable", "percent": 90 }] });
    let (status, _) = client.put(&format!("{DESK}/split"), &shares).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, again) = client.post(&format!("{DESK}/versions"), &json!({})).await;
    assert_eq!((status, &again["new"]), (StatusCode::OK, &json!(false)));
}
