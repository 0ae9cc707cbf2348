//! What each role may ask.

use adjutant_core::role::{Right, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::{Kit, answer};

/// What needs more than to look, by the names of the operations.
const MORE: &[(&str, Right)] = &[
    ("startRun", Right::Run),
    ("startRuns", Right::Run),
    ("steerRun", Right::Run),
    ("pauseRun", Right::Run),
    ("resumeRun", Right::Run),
    ("cancelRun", Right::Run),
    ("signalRun", Right::Run),
    ("answerRun", Right::Run),
    ("resolveRun", Right::Approve),
    ("forkRun", Right::Run),
    ("takeRun", Right::Run),
    ("actInRun", Right::Run),
    ("decide", Right::Approve),
    ("revokeGrant", Right::Approve),
    ("decidePolicy", Right::Run),
    ("decidePolicies", Right::Run),
    ("publishVersion", Right::Change),
    ("setLabel", Right::Change),
    ("removeLabel", Right::Change),
    ("rollBack", Right::Change),
    ("splitRuns", Right::Change),
    ("fireTrigger", Right::Run),
    ("listKeys", Right::Administer),
    ("createKey", Right::Administer),
    ("revokeKey", Right::Administer),
    ("rotateKey", Right::Administer),
    ("eraseUser", Right::Administer),
    ("prune", Right::Administer),
    ("listAudit", Right::Administer),
    ("listWebhooks", Right::Administer),
];

#[tokio::test]
async fn every_operation_is_for_the_roles_that_it_is_meant_for() {
    let kit = Kit::saying([]).await;
    let document = adjutant_server::openapi();
    let mut unknown: Vec<&str> = MORE.iter().map(|(id, _)| *id).collect();
    for role in Role::ALL {
        let client = kit.client(role).await;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (verb, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                let right = MORE.iter().find(|(known, _)| *known == id).map(|(_, right)| *right);
                unknown.retain(|unknown| *unknown != id);
                assert!(verb == "get" || right.is_some(), "it is not said here who may `{id}`");
                let is_open = operation["security"] == json!([]);
                let may = is_open || role.may(right.unwrap_or(Right::View));
                let method: Method = verb.to_uppercase().parse().unwrap();
                let (status, answered) = answer(client.request(method, &plain(path)).json(&json!({}))).await;
                assert_eq!(status != StatusCode::FORBIDDEN, may, "{role} {id}: {answered}");
                assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{id}: {answered}");
                assert_eq!(is_open || told(operation).contains(&format!("`{role}`")), may, "{id}");
            }
        }
    }
    assert_eq!(unknown, Vec::<&str>::new(), "there are no such operations");
}

/// A path with something in the place of what it names.
fn plain(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "nothing" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// What the document says of who may.
fn told(operation: &Value) -> &str {
    operation["description"].as_str().unwrap().rsplit("Roles: ").next().unwrap()
}
