//! A service on this machine that notes what it is asked, and the tools that ask it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error};
use adjutant_tool::openapi::{self, Config, Source};
use adjutant_tool::{Context, Failure, Output, Registry};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// Method, path and query.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A service that answers with a function.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Service {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, noted) = (Arc::new(answer), Arc::clone(&seen));
        let router = Router::new().fallback(move |request: Request| {
            let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
                let seen = Seen { method: parts.method, uri: parts.uri, headers: parts.headers, body };
                noted.lock().unwrap().push(seen.clone());
                answer(&seen)
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, seen }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    /// What came since this was last asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// The one request that came.
    pub(crate) fn one(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

pub(crate) fn respond(status: u16, headers: &[(&str, &str)], body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

pub(crate) fn json(status: u16, body: &Value) -> Response {
    respond(status, &[("content-type", "application/json")], body.to_string())
}

/// A document of these tests, for a service.
pub(crate) fn config(name: &str, service: &Service) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/documents").join(name);
    Config { base_url: Some(service.url("/v1")), ..Config::new(Source::file(path)) }
}

pub(crate) fn registry(config: Config) -> Result<Registry, Error> {
    let mut registry = Registry::new();
    for tool in openapi::tools(config)? {
        registry.add(tool)?;
    }
    Ok(registry)
}

struct Kept;

impl Secrets for Kept {
    fn get(&self, name: &str) -> Result<Secret, Error> {
        match name {
            "key" => Ok(Secret::new("s3cret-key")),
            _ => Err(Error::new(Code::NotFound, format!("there is no secret called `{name}`"))),
        }
    }
}

pub(crate) fn context() -> Context {
    Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into())
        .with_secrets(Arc::new(Kept))
        .with_idempotency_key("key-of-this-call")
}

/// Calls a tool as a run does.
pub(crate) async fn call(registry: &Registry, name: &str, arguments: &Value) -> Result<Output, Failure> {
    let arguments = registry.arguments(name, &arguments.to_string()).map_err(Failure::from)?;
    registry.get(name).unwrap().call(arguments, context()).await
}

pub(crate) async fn text(registry: &Registry, name: &str, arguments: &Value) -> String {
    match call(registry, name, arguments).await {
        Ok(output) => output.as_text(),
        Err(Failure::Model(error)) => format!("model hears {}: {error}", error.code()),
        Err(Failure::Run(error)) => format!("run stops {}: {error}", error.code()),
        Err(Failure::Unknown(why)) => format!("unknown: {why}"),
        Err(Failure::Pending(pending)) => format!("pending: {pending:?}"),
    }
}
