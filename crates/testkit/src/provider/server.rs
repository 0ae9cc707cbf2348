//! The server of the mock.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures::StreamExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::answer::{Answer, Fault};
use super::check::{at, faults_of};
use super::wire;

type Answers = dyn Fn(&Value) -> Answer + Send + Sync;

/// A server that speaks chat completions, checks every request, and stops when it is dropped.
///
/// A request that is wrong is answered with status 400 and remembered: end a test with
/// [`assert_clean`](MockProvider::assert_clean).
#[derive(Debug)]
pub struct MockProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    answers: Box<Answers>,
    key: Option<String>,
    latency: Duration,
    keep: usize,
    count: AtomicUsize,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    requests: VecDeque<(HeaderMap, Value)>,
    faults: Vec<String>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("faults", &self.log().faults).finish_non_exhaustive()
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a mock is set up.
pub struct Builder {
    answers: Box<Answers>,
    key: Option<String>,
    latency: Duration,
    port: u16,
    keep: usize,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("port", &self.port)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Wants this key with every request.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Waits before each answer.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Listens on this port; 0, the default, takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Remembers only the last so many requests; 1,000 where nothing is said.
    #[must_use]
    pub fn keep(mut self, requests: usize) -> Self {
        self.keep = requests;
        self
    }

    /// Starts the server. Fails where the port is taken.
    pub async fn start(self) -> std::io::Result<MockProvider> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answers: self.answers,
            key: self.key,
            latency: self.latency,
            keep: self.keep,
            count: AtomicUsize::new(0),
            log: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .layer(DefaultBodyLimit::max(256 << 20))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // It ends with the test; a failure to serve shows in the test's own requests.
            let _ = axum::serve(listener, router).await;
        });
        Ok(MockProvider { address, shared, server })
    }
}

impl MockProvider {
    /// A mock that answers each request with the next of these, and with status 500 when they are over.
    pub fn answering(answers: impl IntoIterator<Item = Answer>) -> Builder {
        let left = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
        Self::with(move |_| {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            next.unwrap_or_else(|| Answer::status(500, "the mock has no more answers"))
        })
    }

    /// A mock whose answers a function makes from the request's body.
    pub fn with(answers: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Builder {
        Builder { answers: Box::new(answers), key: None, latency: Duration::ZERO, port: 0, keep: 1_000 }
    }

    /// A mock that calls the first tool of each request so many times in a turn, each time with these arguments and a
    /// number `step` that counts, and then answers.
    pub fn stepping(steps: usize, arguments: Value) -> Builder {
        Self::with(move |request| stepping(request, steps, &arguments))
    }

    /// An address of this machine where nobody listens.
    pub async fn nowhere() -> std::io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(format!("http://{}/v1", listener.local_addr()?))
    }

    /// The address to configure.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.log().requests.iter().map(|(_, body)| body.clone()).collect()
    }

    /// The headers of the requests so far.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.shared.log().requests.iter().map(|(headers, _)| headers.clone()).collect()
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// What was wrong with the requests so far.
    pub fn faults(&self) -> Vec<String> {
        self.shared.log().faults.clone()
    }

    /// Fails the test where any request was wrong.
    #[track_caller]
    pub fn assert_clean(&self) {
        let faults = self.faults();
        assert!(faults.is_empty(), "the provider was sent wrong requests: {faults:#?}");
    }

    /// Serves until the process ends.
    pub async fn serve(mut self) {
        let _ = (&mut self.server).await;
    }
}

impl Drop for MockProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn stepping(request: &Value, steps: usize, arguments: &Value) -> Answer {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let turn = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
    let done = messages.iter().skip(turn).filter(|message| message["role"] == "assistant").count();
    let tool = at(request, "/tools/0/function/name").as_str();
    match tool {
        Some(tool) if done < steps => {
            let mut arguments = arguments.clone();
            if let Some(arguments) = arguments.as_object_mut()
                && arguments.contains_key("step")
            {
                arguments.insert("step".into(), done.into());
            }
            Answer::calls([(format!("call_{}", messages.len()).as_str(), tool, arguments)])
        }
        _ => Answer::text(format!("done after {done} steps")),
    }
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.count.fetch_add(1, Ordering::Relaxed);
    let mut faults = Vec::new();
    let request: Value = serde_json::from_slice(&body).unwrap_or_else(|error| {
        faults.push(format!("the body is not JSON: {error}"));
        Value::Null
    });
    if faults.is_empty() {
        faults = faults_of(&request);
    }
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        faults.push("the content type is not `application/json`".into());
    }
    let expected = shared.key.as_ref().map(|key| format!("Bearer {key}"));
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_known = given == expected.as_deref();
    {
        let mut log = shared.log();
        log.faults.extend(faults.iter().cloned());
        if shared.keep > 0 {
            log.requests.push_back((headers, request.clone()));
        }
        if log.requests.len() > shared.keep {
            log.requests.pop_front();
        }
    }
    if !is_known {
        let body = json!({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}});
        return respond(401, "application/json", Body::from(body.to_string()));
    }
    if !faults.is_empty() {
        let body = json!({"error": {"message": faults.join("; "), "type": "invalid_request_error"}});
        return respond(400, "application/json", Body::from(body.to_string()));
    }
    let answer = (shared.answers)(&request);
    tokio::time::sleep(shared.latency + answer.delay).await;
    send(&answer, &request)
}

fn send(answer: &Answer, request: &Value) -> Response {
    let model = request["model"].as_str().unwrap_or_default();
    if let Some(Fault::Status(status, headers, body)) = &answer.fault {
        let mut response = respond(*status, "application/json", Body::from(body.clone()));
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
                response.headers_mut().insert(name, value);
            }
        }
        return response;
    }
    if let Some(Fault::Body(kind, body)) = &answer.fault {
        return respond(200, kind, Body::from(body.clone()));
    }
    if request["stream"] != true || matches!(answer.fault, Some(Fault::Whole)) {
        return respond(200, "application/json", Body::from(wire::whole(answer, model).to_string()));
    }
    let include_usage = at(request, "/stream_options/include_usage") == true;
    let mut events: Vec<String> =
        wire::chunks(answer, model, include_usage).iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events.push("data: [DONE]\n\n".to_owned());
    let kind = match &answer.fault {
        Some(Fault::ContentType(kind)) => kind.as_str(),
        _ => "text/event-stream",
    };
    respond(200, kind, misbehave(events, answer.fault.as_ref()))
}

/// The body of a stream, with what is wrong with it.
fn misbehave(mut events: Vec<String>, fault: Option<&Fault>) -> Body {
    let whole = |events: Vec<String>| Body::from(events.concat());
    let sent = |events: Vec<String>| futures::stream::iter(events.into_iter().map(Ok::<_, std::io::Error>));
    match fault {
        Some(Fault::SlowFirstByte(delay)) => {
            let delay = *delay;
            Body::from_stream(futures::stream::once(async move {
                tokio::time::sleep(delay).await;
                Ok::<_, Infallible>(events.concat())
            }))
        }
        Some(Fault::Stall(after)) => {
            events.truncate(*after);
            Body::from_stream(sent(events).chain(futures::stream::pending()))
        }
        Some(Fault::Cut(after)) => {
            events.truncate(*after);
            // A moment later, so that what was sent is not lost with the connection.
            let cut = futures::stream::once(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("cut"))
            });
            Body::from_stream(sent(events).chain(cut))
        }
        Some(Fault::Unfinished(after)) => {
            events.truncate(*after);
            whole(events)
        }
        Some(Fault::HalfJson) => {
            let half =
                events.get(1).map(|event| event.chars().take(event.chars().count() / 2).collect::<String>());
            events.truncate(1);
            events.extend(half);
            whole(events)
        }
        Some(Fault::Garbage) => whole(vec!["data: <html>oops</html>\n\n".to_owned()]),
        Some(Fault::Endless) => {
            let delta = json!({"choices": [{"index": 0, "delta": {"content": "and on ".repeat(10_000)}}]});
            let again = format!("data: {delta}\n\n");
            Body::from_stream(futures::stream::repeat_with(move || Ok::<_, Infallible>(again.clone())))
        }
        Some(Fault::ErrorEvent(after, error)) => {
            events.truncate(*after);
            events.push(format!("data: {error}\n\n"));
            whole(events)
        }
        _ => whole(events),
    }
}

fn respond(status: u16, kind: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response.headers_mut().insert("x-request-id", http::HeaderValue::from_static("req_mock"));
    response
}
