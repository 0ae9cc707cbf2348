//! A server that is reached over HTTP.

use std::collections::HashMap;
use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rmcp::model::ProtocolVersion;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;

use super::config::Http;
use super::oauth::{Carrier, Challenge, Keeper};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The header by which some servers know a conversation.
const SESSION: &str = "mcp-session-id";

/// The longest refusal that is read, in bytes.
const LONGEST: usize = 8 << 10;

/// How long a server may take to refuse a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// The transport to a server, with the headers that every request carries, and with whoever has the token for each.
pub(super) fn transport(
    name: &str,
    http: &Http,
    headers: Vec<(String, Secret)>,
    bearer: Option<&Secret>,
    keeper: Option<Keeper>,
) -> Result<StreamableHttpClientTransport<Carrier>> {
    let mut given = named(headers)?;
    if let Some(token) = bearer {
        let value = sensitive("authorization", &format!("Bearer {}", token.expose()))?;
        given.insert(header::AUTHORIZATION, value);
    }
    let config = StreamableHttpClientTransportConfig::with_uri(http.url.as_str()).custom_headers(given);
    let carrier = Carrier::new(client()?, keeper, name);
    Ok(StreamableHttpClientTransport::with_client(carrier, config))
}

/// What a server says when it is asked by nobody: where it describes itself, and what a token must allow. Some greet
/// everybody, and refuse only what comes after it.
pub(super) async fn challenge(http: &Http, headers: Vec<(String, Secret)>) -> Result<Challenge> {
    let hello = json!({
        "protocolVersion": ProtocolVersion::LATEST_WITH_INITIALIZE.as_str(),
        "capabilities": {},
        "clientInfo": { "name": "adjutant", "version": env!("CARGO_PKG_VERSION") },
    });
    let mut given: HeaderMap = named(headers)?.into_iter().collect();
    given.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    for (method, params) in [("initialize", hello), ("tools/list", json!({}))] {
        let message = json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params });
        let request = client()?.post(http.url.clone()).headers(given.clone()).json(&message).send();
        let busy = |why: String| Error::new(Code::ToolBusy, format!("the server cannot be asked: {why}"));
        let answer = tokio::time::timeout(PATIENCE, request).await;
        let answer = answer.map_err(|_| busy(format!("no answer within {} s", PATIENCE.as_secs())))?;
        let answer = answer.map_err(|error| busy(crate::http::explained(&error.without_url())))?;
        if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let said = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
            let said = said.filter_map(|value| value.to_str().ok()).filter(|said| said.len() <= LONGEST);
            return Ok(Challenge::read(&said.collect::<Vec<_>>().join(", ")));
        }
        if let Some(session) = answer.headers().get(SESSION) {
            given.insert(SESSION, session.clone());
        }
    }
    Ok(Challenge::default())
}

fn named(headers: Vec<(String, Secret)>) -> Result<HashMap<HeaderName, HeaderValue>> {
    let mut given = HashMap::new();
    for (name, value) in headers {
        let header = HeaderName::try_from(name.as_str())
            .map_err(|_| Error::new(Code::ToolInvalid, format!("`{name}` is not the name of a header")))?;
        given.insert(header, sensitive(&name, value.expose())?);
    }
    Ok(given)
}

fn sensitive(name: &str, value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Error::new(Code::ToolInvalid, format!("the header `{name}` has a value that cannot be sent"))
            .with_help("a header holds no line breaks and no control characters")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// It follows no redirects: they would carry the headers to somebody else.
fn client() -> Result<reqwest::Client> {
    // reqwest panics without a provider; a second one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .user_agent(concat!("adjutant/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::new(Code::Internal, "no HTTP client can be made").caused_by(&error))
}
