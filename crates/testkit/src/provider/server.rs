//! The server of the mock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::serve::ListenerExt;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::format::Refusal;
use super::interface::Interface;
use super::listing::listed;
use super::received::Received;
use super::respond::{answered, nothing_here, refused};

/// The most bytes of a body that are read at all.
const MOST_BYTES: usize = 256 << 20;

type Answers = dyn Fn(&Received) -> Answer + Send + Sync;

/// A server that speaks every [`Interface`], checks every request, and stops when it is dropped.
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
    any_key: bool,
    latency: Duration,
    keep: usize,
    models: Vec<String>,
    count: AtomicUsize,
    connections: AtomicUsize,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    requests: VecDeque<Arc<Received>>,
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

    /// Remembers a request and what is wrong with it.
    fn note(&self, request: &Arc<Received>, faults: &[String]) {
        let mut log = self.log();
        log.faults.extend(faults.iter().cloned());
        if self.keep > 0 {
            log.requests.push_back(Arc::clone(request));
        }
        if log.requests.len() > self.keep {
            log.requests.pop_front();
        }
    }
}

/// How a mock is set up.
pub struct Builder {
    answers: Box<Answers>,
    key: Option<String>,
    any_key: bool,
    latency: Duration,
    port: u16,
    keep: usize,
    models: Vec<String>,
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

    /// Takes any key, and also none.
    #[must_use]
    pub fn any_key(mut self) -> Self {
        self.any_key = true;
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

    /// Lists these models; `mock` where nothing is said.
    #[must_use]
    pub fn models(mut self, models: &[&str]) -> Self {
        self.models = models.iter().map(|model| (*model).to_owned()).collect();
        self
    }

    /// Starts the server. Fails where the port is taken.
    pub async fn start(self) -> std::io::Result<MockProvider> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answers: self.answers,
            key: self.key,
            any_key: self.any_key,
            latency: self.latency,
            keep: self.keep,
            models: self.models,
            count: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            log: Mutex::default(),
        });
        let router = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(Arc::clone(&shared));
        let counted = Arc::clone(&shared);
        let listener = listener.tap_io(move |_| {
            counted.connections.fetch_add(1, Ordering::Relaxed);
        });
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
        Self::responding(move |_| {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            next.unwrap_or_else(|| Answer::status(500, "the mock has no more answers"))
        })
    }

    /// A mock whose answers a function makes from the request's body.
    pub fn with(answers: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Builder {
        Self::responding(move |request| answers(&request.body))
    }

    /// A mock whose answers a function makes from the request, of whichever interface.
    pub fn responding(answers: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Builder {
        Builder {
            answers: Box::new(answers),
            key: None,
            any_key: false,
            latency: Duration::ZERO,
            port: 0,
            keep: 1_000,
            models: vec!["mock".to_owned()],
        }
    }

    /// A mock that calls the first tool of each request so many times in a turn, each time with these arguments and a
    /// number `step` that counts, and then answers.
    pub fn stepping(steps: usize, arguments: Value) -> Builder {
        Self::responding(move |request| stepping(request, steps, &arguments))
    }

    /// An address of this machine where nobody listens.
    pub async fn nowhere() -> std::io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(format!("http://{}/v1", listener.local_addr()?))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to configure for chat completions.
    pub fn base_url(&self) -> String {
        self.base_url_of(Interface::Chat)
    }

    /// The address to configure for an interface.
    pub fn base_url_of(&self, interface: Interface) -> String {
        format!("http://{}{}", self.address, interface.base())
    }

    /// The requests so far, of those that are remembered.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.log().requests.iter().cloned().collect()
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.log().requests.iter().map(|request| request.body.clone()).collect()
    }

    /// The headers of the requests so far.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.shared.log().requests.iter().map(|request| request.headers.clone()).collect()
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
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

fn stepping(request: &Received, steps: usize, arguments: &Value) -> Answer {
    let asked = request.asked();
    match asked.tools.first() {
        Some(tool) if asked.steps < steps => {
            let mut arguments = arguments.clone();
            if let Some(arguments) = arguments.as_object_mut()
                && arguments.contains_key("step")
            {
                arguments.insert("step".into(), asked.steps.into());
            }
            Answer::calls([(format!("call_{}", asked.calls).as_str(), tool.as_str(), arguments)])
        }
        _ => Answer::text(format!("done after {} steps", asked.steps)),
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    if let Some(list) = listed(&method, uri.path(), &headers, shared.key.as_deref(), &shared.models) {
        return list;
    }
    shared.count.fetch_add(1, Ordering::Relaxed);
    let serving = Interface::serving(uri.path()).filter(|_| method == Method::POST);
    let Some(interface) = serving else {
        let what = format!("nothing is served at `{method} {}`", uri.path());
        shared.log().faults.push(what.clone());
        return nothing_here(&what);
    };
    let parsed = serde_json::from_slice(&bytes);
    let broken = parsed.as_ref().err().map(|error| format!("the body is not JSON: {error}"));
    let request = Arc::new(Received {
        interface,
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body: interface.format().read(parsed.unwrap_or_default()),
        bytes,
    });
    let mut faults = broken.map_or_else(|| request.faults(), |broken| vec![broken]);
    if request.headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        faults.push("the content type is not `application/json`".into());
    }
    shared.note(&request, &faults);
    if let Err(refusal) = admitted(&request, &shared, &faults) {
        return refused(interface, &refusal);
    }
    let answer = (shared.answers)(&request);
    tokio::time::sleep(shared.latency + answer.delay).await;
    answered(&answer, &request).await
}

/// Refuses a request that must not come in, is too large, or is wrong.
fn admitted(request: &Received, shared: &Shared, faults: &[String]) -> Result<(), Refusal> {
    let format = request.interface.format();
    if !shared.any_key {
        format.authorize(request, shared.key.as_deref())?;
    }
    if request.bytes.len() > format.most_bytes() {
        return Err(Refusal::new(413, format!("the body has more than {} bytes", format.most_bytes())));
    }
    match faults {
        [] => Ok(()),
        faults => Err(Refusal::new(400, faults.join("; "))),
    }
}
