//! One GET, with its redirects.

use std::net::SocketAddr;
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use url::{Host, Url};

use super::address::is_allowed;
use super::config::{Config, shown};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What a server answered.
pub(super) struct Answer {
    pub(super) url: Url,
    /// The media type in lower case, without parameters; empty where the server said nothing.
    pub(super) media_type: String,
    /// The character set in lower case, if the server named one.
    pub(super) charset: Option<String>,
    pub(super) bytes: Vec<u8>,
    /// Whether there was more than the limit.
    pub(super) cut: bool,
}

/// Asks for a page and follows redirects, each under the same rules.
pub(super) async fn get(config: &Config, url: &str) -> Result<Answer> {
    let mut url = Url::parse(url).map_err(|error| {
        Error::new(Code::ToolFailed, "this is no address")
            .caused_by(&error)
            .with_help("write https://example.org/page")
    })?;
    for _ in 0..=config.redirects {
        config.check(&url)?;
        let response = ask(config, &url).await?;
        if !response.status().is_redirection() {
            return read(config, url, response).await;
        }
        let next = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next = next.and_then(|next| url.join(next).ok());
        url = next.ok_or_else(|| {
            Error::new(
                Code::ToolFailed,
                format!("`{}` answered {} without a place to go", shown(&url), response.status()),
            )
        })?;
    }
    Err(Error::new(Code::ToolFailed, format!("there are more than {} redirects", config.redirects)))
}

/// The addresses of a host, if all of them may be asked: a name with one private address is not to be trusted.
async fn addresses(config: &Config, url: &Url) -> Result<Vec<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .map_err(|error| {
                Error::new(Code::ToolFailed, format!("there is no host `{name}`")).caused_by(&error)
            })?
            .collect(),
        None => Vec::new(),
    };
    if found.is_empty() {
        return Err(Error::new(Code::ToolFailed, format!("`{}` has no address", shown(url))));
    }
    match found.iter().find(|address| !is_allowed(address.ip(), config.loopback)) {
        Some(address) => Err(Error::new(
            Code::ToolFailed,
            format!(
                "`{}` is refused: its address {} is not on the public internet",
                shown(url),
                address.ip()
            ),
        )),
        None => Ok(found),
    }
}

async fn ask(config: &Config, url: &Url) -> Result<reqwest::Response> {
    let addresses = addresses(config, url).await?;
    let fault = |error: &reqwest::Error| {
        Error::new(Code::ToolFailed, format!("`{}` cannot be read", shown(url))).caused_by(error)
    };
    // reqwest panics without a provider; a second one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .user_agent(concat!("adjutant/", env!("CARGO_PKG_VERSION")));
    if let Some(Host::Domain(name)) = url.host() {
        client = client.resolve_to_addrs(name, &addresses);
    }
    let client = client.build().map_err(|error| fault(&error))?;
    client.get(url.clone()).send().await.map_err(|error| fault(&error.without_url()))
}

async fn read(config: &Config, url: Url, mut response: reqwest::Response) -> Result<Answer> {
    let status = response.status();
    if !status.is_success() {
        return Err(Error::new(Code::ToolFailed, format!("`{}` answered {status}", shown(&url))));
    }
    let header =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let header = header.to_ascii_lowercase();
    let mut parts = header.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_owned();
    let charset =
        parts.find_map(|part| part.strip_prefix("charset=")).map(|name| name.trim_matches('"').to_owned());
    let (mut bytes, mut cut) = (Vec::new(), false);
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            Error::new(Code::ToolFailed, format!("`{}` broke off", shown(&url)))
                .caused_by(&error.without_url())
        })?;
        let Some(chunk) = chunk else { break };
        let room = config.bytes.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if chunk.len() > room {
            cut = true;
            break;
        }
    }
    Ok(Answer { url, media_type, charset, bytes, cut })
}
