//! The server with the tools. `read` needs the scope of that name, `write` too; anybody who is let in may list them.

use std::time::Instant;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::server::{Asked, Shared, empty, json as answered};

pub(super) fn answer(shared: &Shared, asked: &Asked) -> Response {
    if asked.method != http::Method::POST {
        return empty(405);
    }
    let Ok(message) = serde_json::from_slice::<Value>(&asked.body) else {
        return shared.fault("a message is no JSON");
    };
    let Some(scopes) = scopes(shared, asked) else { return challenge(shared) };
    let Some(id) = message.get("id").cloned() else { return empty(202) };
    let tool = message.pointer("/params/name").and_then(Value::as_str).unwrap_or_default();
    let result = match message.get("method").and_then(Value::as_str) {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "guarded", "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": [tool_named("read", true), tool_named("write", false)] }),
        Some("tools/call") if !scopes.iter().any(|scope| scope == tool) => return too_weak(shared, tool),
        Some("tools/call") => {
            shared.state().seen.calls += 1;
            // It repeats what it must not: the token that it was shown.
            let shown = asked.headers.get("authorization").and_then(|value| value.to_str().ok());
            let text = format!("{tool} done with {}", shown.unwrap_or_default());
            json!({ "content": [{ "type": "text", "text": text }] })
        }
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            return answered(200, &json!({ "jsonrpc": "2.0", "id": id, "error": error }));
        }
    };
    answered(200, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn tool_named(name: &str, only_reads: bool) -> Value {
    json!({
        "name": name, "description": format!("Does a {name}."), "inputSchema": { "type": "object" },
        "annotations": { "readOnlyHint": only_reads },
    })
}

/// What the token of a request allows; none where there is no good one.
fn scopes(shared: &Shared, asked: &Asked) -> Option<Vec<String>> {
    if shared.state().twist.open {
        return Some(vec!["read".to_owned(), "write".to_owned()]);
    }
    let header = asked.headers.get("authorization")?.to_str().ok()?;
    let state = shared.state();
    let token = state.tokens.get(header.strip_prefix("Bearer ")?)?;
    (token.until > Instant::now()).then(|| token.scopes.clone())
}

fn challenge(shared: &Shared) -> Response {
    let twist = shared.state().twist.clone();
    if !twist.points {
        return empty(401);
    }
    let place = format!("{}/.well-known/oauth-protected-resource/mcp", shared.origin());
    let place = twist.points_to.unwrap_or(place);
    let said = format!("Bearer error=\"invalid_token\", resource_metadata=\"{place}\"");
    (StatusCode::UNAUTHORIZED, [("www-authenticate", said)]).into_response()
}

fn too_weak(shared: &Shared, scope: &str) -> Response {
    let place = format!("{}/.well-known/oauth-protected-resource/mcp", shared.origin());
    let said =
        format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{place}\"");
    (StatusCode::FORBIDDEN, [("www-authenticate", said)]).into_response()
}
