//! What both servers say of themselves.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::server::{Asked, Shared, empty, json as answered};

pub(super) fn answer(shared: &Shared, asked: &Asked) -> Response {
    let twist = shared.state().twist.clone();
    match asked.uri.path() {
        "/.well-known/oauth-protected-resource/mcp" if twist.describes => {
            answered(200, &changed(resource(shared), twist.resource))
        }
        "/.well-known/oauth-authorization-server/login" if !twist.openid => issuer(shared, &twist),
        "/login/.well-known/openid-configuration" if twist.openid => issuer(shared, &twist),
        "/endless" => (StatusCode::FOUND, [("location", "/endless")]).into_response(),
        _ => empty(404),
    }
}

fn resource(shared: &Shared) -> Value {
    json!({
        "resource": shared.resource(),
        "authorization_servers": [shared.issuer()],
        "scopes_supported": ["read"],
        "bearer_methods_supported": ["header"],
    })
}

fn issuer(shared: &Shared, twist: &super::Twist) -> Response {
    if let Some(to) = &twist.redirect {
        return (StatusCode::FOUND, [("location", to.clone())]).into_response();
    }
    let at = |path: &str| format!("{}/{path}", shared.issuer());
    let description = json!({
        "issuer": shared.issuer(),
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "registration_endpoint": at("register"),
        "revocation_endpoint": at("revoke"),
        "scopes_supported": ["read", "write", "offline_access"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": true,
        "padding": "x".repeat(twist.padding),
    });
    answered(200, &changed(description, twist.issuer.clone()))
}

/// A description with other fields; those that are null are left out.
fn changed(mut description: Value, fields: Map<String, Value>) -> Value {
    if let Value::Object(description) = &mut description {
        description.extend(fields);
        description.retain(|_, value| !value.is_null());
    }
    description
}
