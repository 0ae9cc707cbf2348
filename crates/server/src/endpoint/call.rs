//! [`Call`]: one request, read and checked.

use adjutant_core::{Code, Error, Result};
use axum::RequestPartsExt;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::access::Caller;
use crate::service::Service;

/// One request, read and checked: who asks, and what stands in its path, its query and its body.
pub(crate) struct Call<P = Nothing, Q = Nothing, B = Nothing> {
    /// Who asks.
    pub(crate) caller: Caller,
    /// The service.
    pub(crate) service: Service,
    /// What its path names.
    pub(crate) path: P,
    /// What its query says.
    pub(crate) query: Q,
    /// What was sent.
    pub(crate) body: B,
    /// The rest of it.
    pub(super) parts: Parts,
}

impl<P, Q, B> Call<P, Q, B> {
    /// A header, where it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&str>> {
        let read = |value: &http::HeaderValue| value.to_str().is_ok();
        match self.parts.headers.get(name) {
            Some(value) if !read(value) => {
                Err(Error::new(Code::InputInvalid, format!("the header `{name}` is not text")))
            }
            value => Ok(value.and_then(|value| value.to_str().ok())),
        }
    }

    /// The connection as a WebSocket. Fails where the client does not ask for one.
    pub(crate) async fn upgrade(self) -> Result<WebSocketUpgrade> {
        let mut parts = self.parts;
        WebSocketUpgrade::from_request_parts(&mut parts, &()).await.map_err(|error| {
            let message = format!("the request does not ask for a WebSocket: {}", error.body_text());
            Error::new(Code::InputInvalid, message).with_help("connect with a client of WebSockets")
        })
    }
}

/// What has no parts: the path, query or body of a request that takes none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Reads what a path names.
pub(super) async fn path<P: DeserializeOwned>(parts: &mut Parts) -> Result<P> {
    let raw = parts.extract::<RawPathParams>().await.map_err(|error| {
        Error::new(Code::InputInvalid, format!("the path cannot be read: {}", error.body_text()))
    })?;
    let read = raw.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>();
    serde_json::from_value(Value::Object(read))
        .map_err(|error| Error::new(Code::InputInvalid, format!("the path cannot be read: {error}")))
}

/// Reads what a query says.
pub(super) fn query<Q: DeserializeOwned>(parts: &Parts) -> Result<Q> {
    let read = Query::<Q>::try_from_uri(&parts.uri);
    read.map(|Query(query)| query).map_err(|error| {
        let text = error.body_text();
        let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Error::new(Code::InputInvalid, format!("the query cannot be read: {text}"))
    })
}
