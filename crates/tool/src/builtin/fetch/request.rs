//! One GET, with its redirects.

use std::net::{IpAddr, SocketAddr};

use adjutant_core::{Code, Error, Result, tls};
use reqwest::header::LOCATION;
use url::{Host, Url};

use super::config::{Config, shown};
use crate::http::{self, Body, Kind, Reach, Unreachable};

/// What a server answered.
pub(super) struct Answer {
    pub(super) url: Url,
    pub(super) kind: Kind,
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
    let reach = if config.loopback { Reach::Loopback } else { Reach::Public };
    let literal = |address: IpAddr| match http::is_allowed(address, reach) {
        true => Ok(vec![(address, port).into()]),
        false => Err(Unreachable::Refused(address)),
    };
    let found = match url.host() {
        Some(Host::Ipv4(address)) => literal(address.into()),
        Some(Host::Ipv6(address)) => literal(address.into()),
        Some(Host::Domain(name)) => http::addresses(name, port, reach).await,
        None => Err(Unreachable::Empty),
    };
    found.map_err(|why| {
        let host = url.host_str().unwrap_or_default();
        match &why {
            Unreachable::Unknown(error) => {
                Error::new(Code::ToolFailed, format!("there is no host `{host}`")).caused_by(error)
            }
            Unreachable::Empty => Error::new(Code::ToolFailed, format!("`{}` has no address", shown(url))),
            Unreachable::Refused(_) => {
                Error::new(Code::ToolFailed, format!("`{}` is refused: {why}", shown(url)))
            }
        }
    })
}

async fn ask(config: &Config, url: &Url) -> Result<reqwest::Response> {
    let addresses = addresses(config, url).await?;
    let fault = |error: &reqwest::Error| {
        let why = tls::fault(error).map(|why| format!(": {why}")).unwrap_or_default();
        Error::new(Code::ToolFailed, format!("`{}` cannot be read{why}", shown(url))).caused_by(error)
    };
    let mut client = http::builder();
    if let Some(Host::Domain(name)) = url.host() {
        client = client.resolve_to_addrs(name, &addresses);
    }
    let client = client.build().map_err(|error| fault(&error))?;
    client.get(url.clone()).send().await.map_err(|error| fault(&error.without_url()))
}

async fn read(config: &Config, url: Url, response: reqwest::Response) -> Result<Answer> {
    let status = response.status();
    if !status.is_success() {
        return Err(Error::new(Code::ToolFailed, format!("`{}` answered {status}", shown(&url))));
    }
    let kind = Kind::of(response.headers());
    match http::read(response, config.bytes).await {
        Ok(Body { bytes, cut }) => Ok(Answer { url, kind, bytes, cut }),
        Err(error) => {
            Err(Error::new(Code::ToolFailed, format!("`{}` broke off", shown(&url))).caused_by(&error))
        }
    }
}
