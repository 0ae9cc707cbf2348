//! Tokens: given for a code, renewed, given to a client of its own right, and taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::server::{Asked, Shared, empty, error, json as answered};
use super::state::State;

/// The fields of a form.
pub(super) fn fields(form: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(form).into_owned().collect()
}

/// A value within a form.
pub(super) fn encode(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

pub(super) async fn answer(shared: &Shared, asked: &Asked) -> Response {
    let (delay, fails) = {
        let state = shared.state();
        (state.twist.delay, state.twist.fails)
    };
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if let Some(status) = fails {
        return error(status, "server_error", "not today");
    }
    let form = fields(&asked.body);
    if asked.uri.query().is_some() {
        return shared.fault("a token is asked for with a query");
    }
    if form.get("resource") != Some(&shared.resource()) {
        return shared.fault("a token is asked for without the right `resource`");
    }
    let mut state = shared.state();
    let Some(client) = client(&state, asked, &form) else {
        state.faults.push("a token is asked for by nobody who is known".to_owned());
        return error(401, "invalid_client", "who are you");
    };
    let given = match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => by_code(&mut state, &client, &form),
        Some("refresh_token") => renewed(&mut state, &client, &form),
        Some("client_credentials") => by_client(&mut state, &client, &form),
        _ => Err("there is no such grant"),
    };
    match given {
        Ok((access, refresh, scopes)) => {
            let mut body = json!({
                "access_token": access, "token_type": "Bearer", "expires_in": state.twist.lifetime,
                "scope": scopes.join(" "),
            });
            if let (Some(refresh), Some(fields)) = (refresh, body.as_object_mut()) {
                fields.insert("refresh_token".to_owned(), refresh.into());
            }
            answered(200, &body)
        }
        // A token that was used up is no mistake of the program that tries it: it cannot know.
        Err("used") => error(400, "invalid_grant", "it was used before"),
        Err(why) => {
            state.faults.push(why.to_owned());
            error(400, "invalid_grant", why)
        }
    }
}

/// Takes a token back (RFC 7009).
pub(super) fn revoke(shared: &Shared, asked: &Asked) -> Response {
    let form = fields(&asked.body);
    let mut state = shared.state();
    let token = form.get("token").cloned().unwrap_or_default();
    let refresh = state.refreshes.get(&token).map(|refresh| refresh.family);
    let family = refresh.or_else(|| state.tokens.get(&token).map(|token| token.family));
    match family {
        Some(family) => {
            state.end(family);
            state.seen.revocations += 1;
        }
        None => state.faults.push("a token is taken back that was not given".to_owned()),
    }
    empty(200)
}

/// Who asks: by a header, or by the form alone where there is no secret.
fn client(state: &State, asked: &Asked, form: &BTreeMap<String, String>) -> Option<String> {
    let header = asked.headers.get("authorization").and_then(|value| value.to_str().ok());
    let Some(header) = header else {
        let id = form.get("client_id")?;
        return state.clients.get(id)?.secret.is_none().then(|| id.clone());
    };
    let pair = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let known = state.clients.get(id)?.secret.as_deref() == Some(secret);
    (known && !form.contains_key("client_secret")).then(|| id.to_owned())
}

type Given = (String, Option<String>, Vec<String>);

fn by_code(state: &mut State, client: &str, form: &BTreeMap<String, String>) -> Result<Given, &'static str> {
    let code = form.get("code").and_then(|code| state.codes.remove(code));
    let code = code.ok_or("a code was used twice, or was not given")?;
    let verifier = form.get("code_verifier").ok_or("a code is used without its verifier")?;
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != code.challenge {
        return Err("a verifier does not fit its challenge");
    }
    if code.client != client || form.get("redirect_uri") != Some(&code.redirect) {
        return Err("a code is used by another client, or after another redirect");
    }
    let family = state.family();
    state.seen.codes += 1;
    let (access, refresh) = state.issue(client, &code.scopes, family, true);
    Ok((access, refresh, code.scopes))
}

/// Renews a token. What renews one is good once: whoever uses it again may have stolen it, and all tokens of the login
/// are over.
fn renewed(state: &mut State, client: &str, form: &BTreeMap<String, String>) -> Result<Given, &'static str> {
    let text = form.get("refresh_token").ok_or("a token is renewed with nothing")?;
    let Some(refresh) = state.refreshes.get(text).cloned() else { return Err("used") };
    if refresh.used {
        state.end(refresh.family);
        return Err("what renews a token was used twice");
    }
    if refresh.client != client {
        return Err("a token is renewed by another client");
    }
    if let Some(kept) = state.refreshes.get_mut(text) {
        kept.used = true;
    }
    state.seen.refreshes += 1;
    let (access, next) = state.issue(client, &refresh.scopes, refresh.family, true);
    Ok((access, next, refresh.scopes))
}

fn by_client(
    state: &mut State,
    client: &str,
    form: &BTreeMap<String, String>,
) -> Result<Given, &'static str> {
    if state.clients.get(client).is_none_or(|known| known.secret.is_none()) {
        return Err("a client without a secret asks in its own right");
    }
    let scopes: Vec<String> =
        form.get("scope").map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default();
    let family = state.family();
    state.seen.clients += 1;
    let (access, _) = state.issue(client, &scopes, family, false);
    Ok((access, None, scopes))
}
