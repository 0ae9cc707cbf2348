//! [`Connection`]: one conversation with a server, from the handshake until one of both ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use adjutant_core::{Code, Error, Result};
use rmcp::RoleClient;
use rmcp::model::{ClientRequest, ErrorData, ProtocolVersion, RequestMetaObject, ServerPeerInfo};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, Peer, PeerRequestOptions, RunningService,
    ServiceError,
};
use rmcp::transport::IntoTransport;
use rmcp::transport::streamable_http_client::StreamableHttpError;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::flight::{Heard, InFlight};
use super::oauth::Fault;
use super::offer::Offer;
use super::progress::Ear;
use super::{clean, listing};
use crate::context::Context;
use crate::http::explained;

/// How old a listing may be before a call is made. A server that says that its tools are others is listed at once.
const FRESH: Duration = Duration::from_secs(300);

/// After how many requests in a row without an answer in time a server is taken for hung.
const HUNG: u32 = 3;

/// What every call carries besides its arguments. The name is our own; servers that do not know it pass it over.
const IDEMPOTENCY_KEY: &str = "adjutant/idempotency-key";

/// One conversation with a server.
pub(super) struct Connection {
    service: RunningService<RoleClient, Ear>,
    ear: Ear,
    began: Instant,
    listed: Mutex<Option<(Instant, Arc<Offer>)>>,
    /// How many requests in a row had no answer in time.
    unheard: Arc<AtomicU32>,
}

/// How a conversation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// As of the revision 2026-07-28 where the server knows it, otherwise the older one.
    Newest,
    /// As of the revisions up to 2025-11-25.
    Older,
}

impl Handshake {
    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Newest => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
            },
            Self::Older => ClientLifecycleMode::Initialize,
        }
    }
}

/// Why there was no handshake.
pub(super) struct Unready {
    /// What went wrong.
    pub(super) error: Error,
    /// Whether the server took the question for the newest revision for something else, as old ones may.
    pub(super) is_confused: bool,
}

impl Unready {
    fn of(error: &ClientInitializeError) -> Self {
        let is_confused = matches!(error, ClientInitializeError::ExpectedInitResult(_));
        let unauthorized = unauthorized(error).cloned();
        let error = unauthorized.unwrap_or_else(|| Error::new(Code::ToolBroken, why(error)));
        Self { error, is_confused }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The server refused it, and says so.
    Refused(ErrorData),
    /// It did not leave this machine.
    Unsent(String),
    /// There is no token for it, or the server took none. It was not carried out.
    Unauthorized(Error),
    /// The connection ended meanwhile, or what came is no answer.
    Lost(String),
    /// The time was over.
    Deadline,
    /// Nobody wants it any more.
    Cancelled,
}

impl Connection {
    /// Makes the handshake.
    pub(super) async fn open<T, E, A>(transport: T, handshake: Handshake) -> Result<Self, Unready>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let ear = Ear::default();
        let service = ear.clone().serve_with_lifecycle(transport, handshake.lifecycle()).await;
        let service = service.map_err(|error| Unready::of(&error))?;
        Ok(Self { service, ear, began: Instant::now(), listed: Mutex::default(), unheard: Arc::default() })
    }

    /// Whether the conversation is over, or leads nowhere.
    pub(super) fn is_over(&self) -> bool {
        self.is_hung() || self.service.is_closed() || self.service.peer().is_transport_closed()
    }

    /// Whether the server answers nothing any more.
    pub(super) fn is_hung(&self) -> bool {
        self.unheard.load(Ordering::Relaxed) >= HUNG
    }

    /// How long it has lasted.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// What the server said of itself in the handshake.
    pub(super) fn server(&self) -> Option<Arc<ServerPeerInfo>> {
        self.service.peer().peer_info()
    }

    /// What the server offers: as it was listed, unless that is too old or the server says that it is.
    pub(super) async fn offer(&self) -> Result<Arc<Offer>> {
        let mut listed = self.listed.lock().await;
        let is_stale = self.ear.take_stale();
        if let Some((when, offer)) = listed.as_ref()
            && !is_stale
            && when.elapsed() < FRESH
        {
            return Ok(Arc::clone(offer));
        }
        // Should it fail, it is asked for again.
        *listed = None;
        let offer = Arc::new(listing::all(self).await?);
        *listed = Some((Instant::now(), Arc::clone(&offer)));
        Ok(offer)
    }

    pub(super) fn peer(&self) -> &Peer<RoleClient> {
        self.service.peer()
    }

    /// Sends a request and waits for what is heard of it until the deadline, or until the call is cancelled.
    pub(super) async fn ask(
        &self,
        request: ClientRequest,
        context: &Context,
        deadline: Instant,
    ) -> Result<Heard, Unanswered> {
        let meta = Map::from_iter([(IDEMPOTENCY_KEY.to_owned(), Value::from(context.idempotency_key()))]);
        let options = PeerRequestOptions::no_options().with_meta(RequestMetaObject::from(meta));
        // Before anything is sent, for the server may ask at once.
        let floor = self.ear.floor();
        let handle = self.service.peer().send_cancellable_request(request, options).await;
        let handle = handle.map_err(|error| Unanswered::Unsent(service_error(&error)))?;
        let listening = self.ear.listen(handle.progress_token.clone(), context);
        InFlight::new(handle, floor, listening, Arc::clone(&self.unheard)).wait(context, deadline).await
    }
}

impl From<ServiceError> for Unanswered {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(refusal) => Self::Refused(refusal),
            ServiceError::TransportSend(error) if login(error.error.as_ref()).is_some() => {
                login(error.error.as_ref()).cloned().map_or(Self::Lost(String::new()), Self::Unauthorized)
            }
            error if is_unsent(&error) => Self::Unsent(service_error(&error)),
            error => Self::Lost(service_error(&error)),
        }
    }
}

/// Whether the request surely did not reach the server: there was no connection to it.
fn is_unsent(error: &ServiceError) -> bool {
    let ServiceError::TransportSend(error) = error else { return false };
    causes(error.error.as_ref()).find_map(carrier).is_some_and(reqwest::Error::is_connect)
}

/// An error and what lies behind it, to the innermost.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The fault of what carries requests, within that of the transport.
fn carrier<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a reqwest::Error> {
    match error.downcast_ref::<StreamableHttpError<Fault>>() {
        Some(StreamableHttpError::Client(Fault::Network(error))) => Some(error),
        _ => error.downcast_ref(),
    }
}

/// The lack of a token, within the fault of a transport.
fn login<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    causes(error).find_map(|error| match error.downcast_ref::<StreamableHttpError<Fault>>() {
        Some(StreamableHttpError::Client(Fault::Unauthorized(error))) => Some(error),
        _ => None,
    })
}

/// The lack of a token, where there was no handshake for it.
fn unauthorized(error: &ClientInitializeError) -> Option<&Error> {
    match error {
        ClientInitializeError::TransportError { error, .. } => login(error.error.as_ref()),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => unauthorized(fallback),
        _ => None,
    }
}

/// What went wrong, in words for people.
fn service_error(error: &ServiceError) -> String {
    match error {
        ServiceError::TransportClosed => "the connection is closed".to_owned(),
        ServiceError::UnexpectedResponse => "the answer is none to what was asked".to_owned(),
        ServiceError::Cancelled { .. } => "the request was cancelled".to_owned(),
        ServiceError::TransportSend(error) => innermost(error.error.as_ref()),
        other => clean::line(&other.to_string(), clean::LONGEST_REASON),
    }
}

/// Why there was no handshake.
fn why(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::ConnectionClosed(_) => "it ended before it was ready".to_owned(),
        ClientInitializeError::JsonRpcError(refusal) => {
            format!("it refuses to talk: {}", clean::line(&refusal.message, clean::LONGEST_REASON))
        }
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            let versions: Vec<_> = server_supported.iter().map(ToString::to_string).take(10).collect();
            format!("it speaks no revision of the protocol that we do, only {}", versions.join(", "))
        }
        ClientInitializeError::TransportError { error, .. } => innermost(error.error.as_ref()),
        ClientInitializeError::ExpectedInitResult(_) => "what it answers is no handshake".to_owned(),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => why(fallback),
        other => clean::line(&other.to_string(), 300),
    }
}

/// The cause of all causes. What lies around it repeats addresses, which may hold secrets.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let inner = causes(error).last().unwrap_or(error);
    let text = match carrier(inner) {
        Some(fault) => causes(fault).nth(1).map_or("it cannot be reached".to_owned(), explained),
        None => inner.to_string(),
    };
    clean::line(&text, clean::LONGEST_REASON)
}
