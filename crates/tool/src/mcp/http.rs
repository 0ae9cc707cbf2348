//! A server that is reached over HTTP.

use std::collections::HashMap;
use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use http::{HeaderName, HeaderValue};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use super::config::Http;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The transport to a server, with the headers that every request carries.
pub(super) fn transport(
    http: &Http,
    headers: Vec<(String, Secret)>,
    bearer: Option<&Secret>,
) -> Result<StreamableHttpClientTransport<reqwest::Client>> {
    let mut given = HashMap::new();
    for (name, value) in headers {
        let header = HeaderName::try_from(name.as_str())
            .map_err(|_| Error::new(Code::ToolInvalid, format!("`{name}` is not the name of a header")))?;
        given.insert(header, sensitive(&name, value.expose())?);
    }
    if let Some(token) = bearer {
        let value = sensitive("authorization", &format!("Bearer {}", token.expose()))?;
        given.insert(http::header::AUTHORIZATION, value);
    }
    let config = StreamableHttpClientTransportConfig::with_uri(http.url.as_str()).custom_headers(given);
    Ok(StreamableHttpClientTransport::with_client(client()?, config))
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
