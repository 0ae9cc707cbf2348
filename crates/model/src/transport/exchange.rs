//! One request and its answer, and who carries them.

use std::fmt;

use adjutant_core::Result;
use futures::future::BoxFuture;
use http::header::LOCATION;
use http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::body::Body;
use super::peer::Peer;
use super::refusal::{Complaint, refusal};

/// Carries requests to providers: over the network, or out of a cassette.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Sends a request, and resolves when the other side begins to answer, with whatever status.
    ///
    /// Fails with `model-unreachable`, `model-timeout` or `run-cancelled`.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>>;
}

/// A request to a provider.
#[derive(Debug)]
pub struct Outgoing {
    /// How it is asked.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The other side, for errors.
    pub peer: Peer,
    /// Headers; the values that are secret must be marked so.
    pub headers: HeaderMap,
    /// The JSON text.
    pub body: String,
    /// Whether a model writes all of the answer before any of it comes: silence is then no sign that something is wrong.
    pub whole: bool,
    /// Ends the request early.
    pub cancel: CancellationToken,
}

/// What the provider answers.
#[derive(Debug)]
pub struct Incoming {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Body,
}

impl Incoming {
    /// The same answer where its status is one of success, otherwise the error that the refusal means.
    pub async fn accepted(self, peer: &Peer) -> Result<Self> {
        let Self { status, headers, body } = self;
        if (200..300).contains(&status) {
            return Ok(Self { status, headers, body });
        }
        let mut complaint = Complaint::read(&body.complaint().await);
        if let (300..400, Some(to)) = (status, headers.get(LOCATION)) {
            complaint.message = format!("it redirects to `{}`", String::from_utf8_lossy(to.as_bytes()));
        }
        if complaint.word.is_empty() {
            complaint.word = error_type(&headers).unwrap_or_default();
        }
        Err(refusal(peer, status, &headers, &complaint))
    }
}

/// The word that Amazon puts into a header: `ThrottlingException:http://internal.amazon.com/...`.
fn error_type(headers: &HeaderMap) -> Option<String> {
    let said = headers.get("x-amzn-errortype")?.to_str().ok()?;
    said.split(':').next().map(str::to_owned)
}
