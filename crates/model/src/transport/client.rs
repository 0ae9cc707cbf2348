//! HTTP as it is spoken to providers.

use std::sync::OnceLock;

use adjutant_core::{Code, Error, Result, tls};
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use reqwest::redirect;
use tokio::time::Instant;

use super::blanked::blanked;
use super::body::{Reading, cancelled, late};
use super::exchange::{Incoming, Outgoing, Transport};
use super::peer::Peer;
use super::timeouts::Timeouts;

/// An HTTP client with the connections that it keeps. It is built at the first use.
///
/// A proxy is taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`).
#[derive(Debug)]
pub struct Client {
    http: OnceLock<Result<reqwest::Client>>,
    timeouts: Timeouts,
}

impl Transport for Client {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        Box::pin(self.request(outgoing))
    }
}

impl Client {
    /// A client with these time limits.
    pub fn new(timeouts: Timeouts) -> Self {
        Self { http: OnceLock::new(), timeouts }
    }

    async fn request(&self, outgoing: Outgoing) -> Result<Incoming> {
        let Outgoing { method, url, peer, headers, body, whole, cancel } = outgoing;
        let timeouts = self.timeouts.of(whole);
        let deadline = Instant::now() + timeouts.whole;
        let request = self.http()?.request(method, url).headers(headers).body(body);
        let wake = deadline.min(Instant::now() + timeouts.first_byte);
        let sent = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled()),
            sent = tokio::time::timeout_at(wake, request.send()) => sent,
        };
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.unreachable(&peer, error)),
            Err(_) => return Err(late(&peer, "did not answer", timeouts.first_byte)),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = Reading::new(response, peer.clone(), timeouts, deadline, cancel).into_body();
        Ok(blanked(Incoming { status, headers, body }, &peer))
    }

    fn http(&self) -> Result<&reqwest::Client> {
        self.http.get_or_init(|| build(self.timeouts)).as_ref().map_err(Clone::clone)
    }

    fn unreachable(&self, peer: &Peer, error: reqwest::Error) -> Error {
        let name = peer.name();
        if let Some(fault) = tls::fault(&error) {
            let message = format!("the provider at `{name}` cannot be reached by {fault}");
            let unreachable = Error::new(Code::ModelUnreachable, message).caused_by(&error.without_url());
            return if fault.help.is_empty() { unreachable } else { unreachable.with_help(fault.help) };
        }
        let (code, message) = match (error.is_connect(), error.is_timeout()) {
            (_, true) => {
                return late(peer, "could not be connected to", self.timeouts.connect);
            }
            (true, false) => (Code::ModelUnreachable, format!("the provider at `{name}` cannot be reached")),
            (false, false) => {
                (Code::ModelUnreachable, format!("the connection to the provider at `{name}` broke"))
            }
        };
        let help = match peer.is_local() {
            true => format!("start the server at `{name}`, or set another `base_url`"),
            false => "check `base_url`, the network, and `HTTPS_PROXY` where a proxy is needed".to_owned(),
        };
        Error::new(code, message).caused_by(&error.without_url()).with_help(help)
    }
}

fn build(timeouts: Timeouts) -> Result<reqwest::Client> {
    // Whoever comes first decides for the process; either choice serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(timeouts.connect)
        .tcp_nodelay(true)
        .redirect(redirect::Policy::custom(follow))
        .user_agent(concat!("adjutant/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::new(Code::ModelUnreachable, "no HTTPS client can be made").caused_by(&error))
}

/// Follows a redirect only where the request stays the same and stays with the same server: headers hold the key.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    let whole = matches!(attempt.status().as_u16(), 307 | 308);
    if same && whole && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
}

/// A header that errors and logs do not show. Fails with `input-invalid` where it cannot be a header.
pub(crate) fn secret_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let invalid = |what: &str| {
        Error::new(
            Code::InputInvalid,
            format!("the {what} of the header `{name}` has characters that no header can have"),
        )
    };
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("name"))?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| invalid("value"))?;
    value.set_sensitive(true);
    Ok((header, value))
}
