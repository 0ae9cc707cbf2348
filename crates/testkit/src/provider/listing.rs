//! The list of models that a provider has.

use axum::response::Response;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::respond::json_response;

/// The answer to a request for the list of models; none for another request. OpenAI's and Anthropic's interfaces have it
/// at `/v1/models`, Google's at `/v1beta/models`.
pub(super) fn listed(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    key: Option<&str>,
    models: &[String],
) -> Option<Response> {
    let list = match (method, path) {
        (&Method::GET, "/v1/models") => json!({"object": "list", "data": rows(models, "id", "")}),
        (&Method::GET, "/v1beta/models") => json!({"models": rows(models, "name", "models/")}),
        _ => return None,
    };
    let brought = ["authorization", "x-api-key", "x-goog-api-key"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok());
    let brought = brought.map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
    Some(match brought == key {
        true => json_response(200, &list),
        false => json_response(401, &json!({"error": {"message": "Incorrect API key provided"}})),
    })
}

fn rows(models: &[String], name: &str, prefix: &str) -> Vec<Value> {
    models.iter().map(|model| json!({name: format!("{prefix}{model}")})).collect()
}
