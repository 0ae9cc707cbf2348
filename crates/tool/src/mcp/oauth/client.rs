//! Who asks for a token: the choice of a client, and its registration. Pure.

use adjutant_core::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::config::Config;
use super::login::plain_option;
use super::metadata::Issuer;
use super::web::Answer;
use crate::mcp::clean;

/// What a login server calls whoever asks it.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    pub(super) id: String,
    #[serde(default, with = "plain_option", skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<Secret>,
    pub(super) method: Method,
}

/// How a client shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    /// By its id alone.
    None,
    /// By a header.
    Basic,
    /// In the form.
    Post,
}

/// How a client is come by.
pub(super) enum Choice {
    /// It is known.
    Known(Client),
    /// It must be registered.
    Register(Url),
}

/// Chooses a client, in the order of the protocol: one that was registered by hand, the address of a document, a
/// registration. Gives what is missing where there is none.
pub(super) fn choose(
    config: &Config,
    secret: Option<&Secret>,
    issuer: &Issuer,
) -> Result<Choice, &'static str> {
    if let Some(id) = &config.client_id {
        let method = match secret {
            Some(_) => with_secret(issuer).ok_or("it takes no client with a secret that can be sent")?,
            None => Method::None,
        };
        return Ok(Choice::Known(Client { id: id.clone(), secret: secret.cloned(), method }));
    }
    if let Some(document) = config.client_metadata.as_ref().filter(|_| issuer.takes_documents) {
        return Ok(Choice::Known(Client { id: document.to_string(), secret: None, method: Method::None }));
    }
    match &issuer.registration {
        Some(url) => Ok(Choice::Register(url.clone())),
        None => Err("it registers no clients by itself"),
    }
}

/// How a client with a secret shows itself to a login server.
fn with_secret(issuer: &Issuer) -> Option<Method> {
    let Some(methods) = &issuer.methods else { return Some(Method::Basic) };
    let takes = |method: &str| methods.iter().any(|known| known == method);
    match (takes("client_secret_basic"), takes("client_secret_post")) {
        (true, _) => Some(Method::Basic),
        (false, true) => Some(Method::Post),
        (false, false) => None,
    }
}

/// What is sent to be registered (RFC 7591).
pub(super) fn registration(issuer: &Issuer, redirect: &Url, scopes: &[String]) -> Value {
    let takes_none = issuer.methods.as_ref().is_none_or(|methods| methods.iter().any(|m| m == "none"));
    let method = match (takes_none, with_secret(issuer)) {
        (false, Some(Method::Basic)) => "client_secret_basic",
        (false, Some(Method::Post)) => "client_secret_post",
        _ => "none",
    };
    let mut document = json!({
        "client_name": "Adjutant",
        "application_type": "native",
        "redirect_uris": [redirect.as_str()],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    });
    if let Value::Object(fields) = &mut document
        && !scopes.is_empty()
    {
        fields.insert("scope".to_owned(), scopes.join(" ").into());
    }
    document
}

/// Reads what came of it.
pub(super) fn registered(answer: &Answer, issuer: &Issuer) -> Result<Client, String> {
    let text = |key: &str| answer.body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if !(200..300).contains(&answer.status) {
        let said =
            [text("error"), text("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        return Err(format!("it registers no client: {} ({})", clean::line(&said, 300), answer.status));
    }
    let id = text("client_id").ok_or("its registration has no `client_id`")?;
    let secret = text("client_secret").map(Secret::new);
    let method = match (text("token_endpoint_auth_method"), &secret) {
        (Some("none"), _) | (None, None) => Method::None,
        (Some("client_secret_basic"), Some(_)) => Method::Basic,
        (Some("client_secret_post"), Some(_)) => Method::Post,
        // A login server that takes no secrets means none, whatever it gives.
        (None, Some(_)) => with_secret(issuer).unwrap_or(Method::None),
        (Some(other), _) => {
            return Err(format!(
                "its client shows itself by `{}`, which is not known here",
                clean::line(other, 100)
            ));
        }
    };
    Ok(Client { id: id.to_owned(), secret, method })
}
