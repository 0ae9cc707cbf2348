//! [`Carrier`]: carries requests to a server, each with the token of the moment.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error};
use futures::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::Sse;
use tokio::sync::watch;

use super::challenge::Challenge;
use super::keeper::Keeper;

/// Why a request was not carried out.
#[derive(Debug)]
pub(in crate::mcp) enum Fault {
    /// The network.
    Network(reqwest::Error),
    /// There is no token for it, or the server took none.
    Unauthorized(Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => error.fmt(f),
            Self::Unauthorized(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Network(error) => Some(error),
            Self::Unauthorized(error) => Some(error),
        }
    }
}

type Failed = StreamableHttpError<Fault>;
type Headers = HashMap<HeaderName, HeaderValue>;

/// Carries requests to a server, each with the token of the moment, and once more with another token where the server
/// refuses one. A request that was refused has done nothing.
#[derive(Clone)]
pub(in crate::mcp) struct Carrier {
    client: reqwest::Client,
    /// None where nothing is known of a login.
    keeper: Option<Keeper>,
    /// What the server is called here.
    name: Arc<str>,
    /// Whether the stream of a session is open, by which a server asks something, or it was waited for.
    open: watch::Sender<bool>,
}

/// How long a session's stream is waited for. A server may have none, and say nothing until it has something to say.
const STREAM: Duration = Duration::from_secs(2);

fn is_call(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, JsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::CallToolRequest(_)))
}

/// Why a server refused a request.
enum Refusal {
    /// It wants a token, or another one.
    Token,
    /// The token does not allow this.
    Scopes(Challenge),
    /// Nothing that a token could change.
    Forbidden,
}

impl Carrier {
    pub(in crate::mcp) fn new(client: reqwest::Client, keeper: Option<Keeper>, name: &str) -> Self {
        Self { client, keeper, name: name.into(), open: watch::Sender::new(false) }
    }

    /// Makes a request; `ask` makes it with a token.
    async fn ask<T, F>(&self, ask: impl Fn(Option<String>) -> F + Send + Sync) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, StreamableHttpError<reqwest::Error>>> + Send,
    {
        let Some(keeper) = &self.keeper else {
            return ask(None).await.map_err(|error| match refusal(&error) {
                Some(_) => unauthorized(self.stranger()),
                None => carried(error),
            });
        };
        let mut token = keeper.token().await.map_err(unauthorized)?;
        let (mut renewed, mut widened) = (false, false);
        loop {
            let error = match ask(Some(token.expose().to_owned())).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let next: Result<Secret, Error> = match refusal(&error) {
                None => return Err(carried(error)),
                Some(Refusal::Token) if !std::mem::replace(&mut renewed, true) => {
                    keeper.another(&token).await
                }
                Some(Refusal::Token) => Err(keeper.refused()),
                Some(Refusal::Scopes(challenge)) if !std::mem::replace(&mut widened, true) => {
                    keeper.stronger(&token, &challenge).await
                }
                Some(_) => Err(Error::new(
                    Code::ToolFailed,
                    format!("the MCP server `{}` forbids this (403)", self.name),
                )),
            };
            token = next.map_err(unauthorized)?;
        }
    }

    /// Waits until a session's stream is open, before the first call is made in it: what a server asks where there is no
    /// stream is lost.
    async fn stream(&self) {
        let mut open = self.open.subscribe();
        if tokio::time::timeout(STREAM, open.wait_for(|open| *open)).await.is_err() {
            self.open.send_replace(true);
        }
    }

    /// The error of a server that wants to know who asks, where nothing says that.
    fn stranger(&self) -> Error {
        let why = format!("the MCP server `{}` wants to know who asks", self.name);
        Error::new(Code::ToolUnauthorized, why).with_help(format!(
            "write `auth = \"oauth\"` into its table, then `adjutant tools login {}`; or name a token with `bearer`, if you have one",
            self.name
        ))
    }
}

impl StreamableHttpClient for Carrier {
    type Error = Fault;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        if session_id.is_some() && is_call(&message) {
            self.stream().await;
        }
        self.ask(|token| {
            let (uri, message) = (Arc::clone(&uri), message.clone());
            let (session_id, headers) = (session_id.clone(), headers.clone());
            self.client.post_message_with_response_limits(uri, message, session_id, token, headers, limits)
        })
        .await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        _auth: Option<String>,
        headers: Headers,
    ) -> Result<(), Failed> {
        self.ask(|token| {
            self.client.delete_session(Arc::clone(&uri), Arc::clone(&session_id), token, headers.clone())
        })
        .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        let most = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(uri, session_id, last_event_id, auth, headers, most).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth: Option<String>,
        headers: Headers,
        most: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        let stream = self
            .ask(|token| {
                let (uri, session_id) = (Arc::clone(&uri), session_id.clone());
                let (last, headers) = (last_event_id.clone(), headers.clone());
                self.client.get_stream_with_max_sse_event_size(uri, session_id, last, token, headers, most)
            })
            .await;
        self.open.send_replace(true);
        stream
    }
}

/// The refusal that an error is, if it is one.
fn refusal(error: &StreamableHttpError<reqwest::Error>) -> Option<Refusal> {
    match error {
        StreamableHttpError::AuthRequired(_) => Some(Refusal::Token),
        StreamableHttpError::InsufficientScope(refused) => {
            let challenge = Challenge::read(&refused.www_authenticate_header);
            Some(match challenge.is_about_scopes() || !challenge.scopes.is_empty() {
                true => Refusal::Scopes(challenge),
                false => Refusal::Forbidden,
            })
        }
        // Not every server says in a header what it wants.
        StreamableHttpError::UnexpectedServerResponse(said) if said.starts_with("HTTP 401") => {
            Some(Refusal::Token)
        }
        StreamableHttpError::Client(error) if error.status() == Some(reqwest::StatusCode::UNAUTHORIZED) => {
            Some(Refusal::Token)
        }
        _ => None,
    }
}

fn unauthorized(error: Error) -> Failed {
    StreamableHttpError::Client(Fault::Unauthorized(error))
}

/// The error of the client below as one of this.
fn carried(error: StreamableHttpError<reqwest::Error>) -> Failed {
    use StreamableHttpError as E;
    match error {
        E::Client(error) => E::Client(Fault::Network(error)),
        E::Sse(error) => E::Sse(error),
        E::Io(error) => E::Io(error),
        E::HttpStatus(error) => E::HttpStatus(error),
        E::UnexpectedEndOfStream => E::UnexpectedEndOfStream,
        E::UnexpectedServerResponse(said) => E::UnexpectedServerResponse(said),
        E::ResponseBodyTooLarge { max_size } => E::ResponseBodyTooLarge { max_size },
        E::UnexpectedContentType(kind) => E::UnexpectedContentType(kind),
        E::ServerDoesNotSupportSse => E::ServerDoesNotSupportSse,
        E::ServerDoesNotSupportDeleteSession => E::ServerDoesNotSupportDeleteSession,
        E::Deserialize(error) => E::Deserialize(error),
        E::MissingSessionIdInResponse => E::MissingSessionIdInResponse,
        E::ReservedHeaderConflict(name) => E::ReservedHeaderConflict(name),
        // The worker looks for this one: it begins a new session.
        E::SessionExpired => E::SessionExpired,
        other => E::UnexpectedServerResponse(Cow::Owned(other.to_string())),
    }
}
