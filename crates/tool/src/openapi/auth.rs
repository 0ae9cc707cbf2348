//! What shows a service who asks: put into a request just before it is sent.

use std::time::{Duration, Instant};

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::config::{Auth, KeyPlace};
use super::request::Request;
use super::schema::words;
use crate::context::Context;
use crate::failure::Failure;
use crate::http;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is used whose end is not said.
const LIFETIME: Duration = Duration::from_secs(300);
/// The longest answer with a token, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// Who asks, and the token that shows it.
#[derive(Debug)]
pub(super) struct Credentials {
    auth: Auth,
    token: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    secret: Secret,
    until: Instant,
}

impl Credentials {
    pub(super) fn new(auth: Auth) -> Self {
        Self { auth, token: Mutex::new(None) }
    }

    /// Whether another token can be had in place of one that was refused.
    pub(super) fn can_renew(&self) -> bool {
        matches!(self.auth, Auth::ClientCredentials { .. })
    }

    /// Forgets the token, which was refused.
    pub(super) async fn forget(&self) {
        *self.token.lock().await = None;
    }

    /// Puts what shows who asks into a request. Gives what is secret in it.
    pub(super) async fn apply(
        &self,
        request: &mut Request,
        client: &reqwest::Client,
        context: &Context,
    ) -> Result<Vec<Secret>, Failure> {
        match &self.auth {
            Auth::None => Ok(Vec::new()),
            Auth::Bearer { secret } => {
                let secret = context.secret(secret)?;
                set(&mut request.headers, AUTHORIZATION, &format!("Bearer {}", secret.expose()))?;
                Ok(vec![secret])
            }
            Auth::Basic { user, secret } => {
                let secret = context.secret(secret)?;
                let pair = Secret::new(STANDARD.encode(format!("{user}:{}", secret.expose())));
                set(&mut request.headers, AUTHORIZATION, &format!("Basic {}", pair.expose()))?;
                Ok(vec![secret, pair])
            }
            Auth::Key { place, name, secret } => {
                let secret = context.secret(secret)?;
                put(request, *place, name, secret.expose())?;
                Ok(vec![secret])
            }
            Auth::ClientCredentials { token_url, client_id, secret, scopes, in_body } => {
                let mut token = self.token.lock().await;
                let kept = token.clone().filter(|token| token.until > Instant::now());
                let fresh = match kept {
                    Some(kept) => kept,
                    None => {
                        let secret = context.secret(secret)?;
                        let asked =
                            Asked { token_url, client_id, secret: &secret, scopes, in_body: *in_body };
                        asked.fetch(client).await?
                    }
                };
                *token = Some(fresh.clone());
                drop(token);
                set(&mut request.headers, AUTHORIZATION, &format!("Bearer {}", fresh.secret.expose()))?;
                Ok(vec![fresh.secret])
            }
        }
    }
}

/// Sets a header that nobody shall see.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::new(
            Code::ToolInvalid,
            format!("the secret for the header `{name}` holds characters that no header may hold"),
        )
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn put(request: &mut Request, place: KeyPlace, name: &str, key: &str) -> Result<()> {
    match place {
        KeyPlace::Header => {
            let name = HeaderName::try_from(name).map_err(|_| {
                Error::new(Code::ToolInvalid, format!("`{name}` cannot be the name of a header"))
            })?;
            set(&mut request.headers, name, key)
        }
        KeyPlace::Query => {
            request.url.query_pairs_mut().append_pair(name, key);
            Ok(())
        }
        KeyPlace::Cookie => {
            let before = request
                .headers
                .get(COOKIE)
                .and_then(|value| value.to_str().ok())
                .map(|text| format!("{text}; "));
            set(&mut request.headers, COOKIE, &format!("{}{name}={key}", before.unwrap_or_default()))
        }
    }
}

/// A token as it is asked for (RFC 6749, 4.4.2).
struct Asked<'a> {
    token_url: &'a Url,
    client_id: &'a str,
    secret: &'a Secret,
    scopes: &'a [String],
    in_body: bool,
}

impl Asked<'_> {
    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !self.scopes.is_empty() {
            form.append_pair("scope", &self.scopes.join(" "));
        }
        if self.in_body {
            form.append_pair("client_id", self.client_id).append_pair("client_secret", self.secret.expose());
        }
        form.finish()
    }

    async fn fetch(&self, client: &reqwest::Client) -> Result<Token, Failure> {
        let mut request = client
            .post(self.token_url.clone())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        if !self.in_body {
            // Each is encoded as in a form before they are joined (RFC 6749, 2.3.1).
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(self.client_id), Some(encoded(self.secret.expose())));
        }
        let host = self.token_url.host_str().unwrap_or_default();
        let busy = |error: reqwest::Error| {
            let why = format!("the token for the service cannot be had from `{host}`");
            Failure::Model(Error::new(Code::ToolBusy, why).caused_by(&error.without_url()))
        };
        let asked = Instant::now();
        let response = request.body(self.form()).send().await.map_err(busy)?;
        let status = response.status();
        let body = http::read(response, LONGEST_ANSWER).await.map_err(busy)?;
        let answer: Value = serde_json::from_slice(&body.bytes).unwrap_or_default();
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        if status.is_server_error() {
            return Err(Failure::Model(Error::new(
                Code::ToolBusy,
                format!("`{host}` gave no token: {status}"),
            )));
        }
        let token = text("access_token");
        if !status.is_success() || token.is_empty() {
            let said = words(&format!("{} {}", text("error"), text("error_description")), 300);
            let why = format!("`{host}` gave no token to the client `{}`: {status} {said}", self.client_id);
            return Err(Failure::Run(Error::new(Code::ToolInvalid, why.trim().to_owned()).with_help(
                "check `auth` of the tool's table: `token_url`, `client_id`, `secret` and `scopes`",
            )));
        }
        let seconds = answer.get("expires_in").and_then(|value| {
            value
                .as_u64()
                .or_else(|| value.as_f64().map(|s| s.max(0.0) as u64))
                .or_else(|| value.as_str()?.parse().ok())
        });
        // A year is as good as for ever, and no clock is overrun by it.
        let lifetime = seconds.map_or(LIFETIME, |seconds| Duration::from_secs(seconds.min(31_536_000)));
        let until = asked + lifetime.saturating_sub(MARGIN.min(lifetime / 2));
        Ok(Token { secret: Secret::new(token), until })
    }
}
