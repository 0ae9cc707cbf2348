//! [`Guarded`]: both servers at one port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::state::{Client, Seen, State};
use super::twist::Twist;
use super::{authorize, description, resource, token};

/// The longest request, in bytes.
const LONGEST: usize = 1 << 20;

/// A server with tools behind a login, and the login server. Both stop when this is dropped.
#[derive(Debug)]
pub struct Guarded {
    shared: Shared,
    server: JoinHandle<()>,
}

/// What every request is answered with.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// A request.
pub(super) struct Asked {
    pub(super) method: http::Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Guarded {
    /// A client of its own right, with its secret.
    pub const CLIENT: (&'static str, &'static str) = ("machine", "the-secret-of-the-machine");

    /// Starts both servers at a free port of this machine.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut state = State::default();
        let (id, secret) = Self::CLIENT;
        let client = Client { secret: Some(secret.to_owned()), redirects: Vec::new() };
        state.clients.insert(id.to_owned(), client);
        let shared = Shared { address: listener.local_addr()?, state: Arc::new(Mutex::new(state)) };
        let answering = shared.clone();
        let router = Router::new().fallback(move |request: Request| {
            let shared = answering.clone();
            async move { answer(&shared, request).await }
        });
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, server })
    }

    /// The address of the server with the tools.
    pub fn url(&self) -> String {
        self.shared.resource()
    }

    /// The name of the login server.
    pub fn issuer(&self) -> String {
        self.shared.issuer()
    }

    /// Changes how both behave.
    pub fn twist(&self, change: impl FnOnce(&mut Twist)) {
        change(&mut self.shared.state().twist);
    }

    /// What was asked so far.
    pub fn seen(&self) -> Seen {
        self.shared.state().seen
    }

    /// Every code, token and secret that was given so far. None of them may stand anywhere in the clear.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.state().secrets.clone()
    }

    /// Takes all tokens back, but not what renews them.
    pub fn forget_tokens(&self) {
        self.shared.state().tokens.clear();
    }

    /// What was wrong with requests, since it was last asked.
    pub fn faults(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().faults)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn resource(&self) -> String {
        format!("{}/mcp", self.origin())
    }

    /// It has a path: the places at which it describes itself are then harder to find.
    pub(super) fn issuer(&self) -> String {
        format!("{}/login", self.origin())
    }

    /// Refuses a request that nobody should have made.
    pub(super) fn fault(&self, what: impl Into<String>) -> Response {
        let what = what.into();
        self.state().faults.push(what.clone());
        error(400, "invalid_request", &what)
    }
}

async fn answer(shared: &Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else { return shared.fault("the body is too long") };
    let asked = Asked { method: parts.method, uri: parts.uri, headers: parts.headers, body: body.to_vec() };
    match asked.uri.path() {
        "/mcp" => resource::answer(shared, &asked),
        "/login/authorize" => authorize::page(shared, &asked),
        "/login/register" => authorize::register(shared, &asked),
        "/login/token" => token::answer(shared, &asked).await,
        "/login/revoke" => token::revoke(shared, &asked),
        _ => description::answer(shared, &asked),
    }
}

/// An answer of JSON.
pub(super) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
    (status, headers, body.to_string()).into_response()
}

/// An answer that says what is wrong (RFC 6749, 5.2).
pub(super) fn error(status: u16, code: &str, why: &str) -> Response {
    json(status, &serde_json::json!({ "error": code, "error_description": why }))
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
