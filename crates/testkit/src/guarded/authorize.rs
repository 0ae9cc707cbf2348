//! The page of the login, which agrees by itself, and the registration of clients.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::server::{Asked, Shared, json as answered};
use super::state::{Client, Code};
use super::token::{encode, fields};

/// Registers a client (RFC 7591). Only a program on this machine is one.
pub(super) fn register(shared: &Shared, asked: &Asked) -> Response {
    let Ok(document) = serde_json::from_slice::<Value>(&asked.body) else {
        return shared.fault("a registration is no JSON");
    };
    let redirects: Vec<String> = document
        .get("redirect_uris")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let is_local = |redirect: &String| redirect.starts_with("http://127.0.0.1:");
    if redirects.is_empty() || !redirects.iter().all(is_local) {
        return shared.fault("a program is sent to an address of its machine");
    }
    for (key, expected) in [
        ("application_type", json!("native")),
        ("response_types", json!(["code"])),
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("token_endpoint_auth_method", json!("none")),
    ] {
        if document.get(key) != Some(&expected) {
            return shared.fault(format!("a registration has another `{key}` than {expected}"));
        }
    }
    let mut state = shared.state();
    state.seen.registrations += 1;
    let id = format!("client-{}", state.seen.registrations);
    state.clients.insert(id.clone(), Client { secret: None, redirects: redirects.clone() });
    answered(
        201,
        &json!({ "client_id": id, "redirect_uris": redirects, "token_endpoint_auth_method": "none" }),
    )
}

/// The page at which a person logs in. This one agrees at once, or refuses.
pub(super) fn page(shared: &Shared, asked: &Asked) -> Response {
    let given = fields(asked.uri.query().unwrap_or_default().as_bytes());
    shared.state().seen.pages += 1;
    let (code, state, redirect) = match checked(shared, &given) {
        Ok(checked) => checked,
        Err(why) => return shared.fault(why),
    };
    let twist = shared.state().twist.clone();
    let mut answer = vec![("state", if twist.forgets { "another".to_owned() } else { state })];
    match twist.denies {
        Some(error) => answer.extend([("error", error), ("error_description", "not today".to_owned())]),
        None => {
            let mut kept = shared.state();
            let text = kept.fresh("code");
            kept.codes.insert(text.clone(), code);
            answer.push(("code", text));
        }
    }
    match twist.named.as_deref() {
        Some("") => {}
        Some(named) => answer.push(("iss", named.to_owned())),
        None => answer.push(("iss", shared.issuer())),
    }
    let query: Vec<String> = answer.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
    (StatusCode::FOUND, [("location", format!("{redirect}?{}", query.join("&")))]).into_response()
}

fn checked(shared: &Shared, given: &BTreeMap<String, String>) -> Result<(Code, String, String), String> {
    let get = |key: &str| {
        given
            .get(key)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("a page is asked for without `{key}`"))
    };
    for (key, expected) in [
        ("response_type", "code".to_owned()),
        ("code_challenge_method", "S256".to_owned()),
        ("resource", shared.resource()),
    ] {
        if *get(key)? != expected {
            return Err(format!("a page is asked for with another `{key}` than `{expected}`"));
        }
    }
    let (client, redirect, challenge, state) =
        (get("client_id")?, get("redirect_uri")?, get("code_challenge")?, get("state")?);
    if challenge.len() != 43 || state.len() < 22 {
        return Err("a challenge or a state is too short".to_owned());
    }
    let kept = shared.state();
    let known = kept.clients.get(client).ok_or("a page is asked for by nobody who is known")?;
    if !known.redirects.contains(redirect) {
        return Err("a page shall lead on to an address that was not registered".to_owned());
    }
    let scopes = given.get("scope").map(|text| text.split(' ').map(str::to_owned).collect());
    let code = Code {
        client: client.clone(),
        redirect: redirect.clone(),
        challenge: challenge.clone(),
        scopes: scopes.unwrap_or_default(),
    };
    Ok((code, state.clone(), redirect.clone()))
}
