//! A service of one project, and clients of it.

use std::net::SocketAddr;
use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant::{Adjutant, NewKey, Project};
use adjutant_core::Result;
use adjutant_core::role::Role;
use adjutant_server::{Server, Settings};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A desk that may call a tool which asks a person first.
const DESK: &str = "---\nmodel: main\ntools: [calculator, now]\napprove: [now]\n---\nHelp.\n";

/// A service that runs.
pub(crate) struct Kit {
    pub(crate) address: SocketAddr,
    /// Where what is counted is told to everybody.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) adjutant: Adjutant,
    stop: CancellationToken,
    running: Option<JoinHandle<Result<()>>>,
    pub(crate) folder: TempDir,
}

impl Kit {
    /// One whose model says this.
    pub(crate) async fn saying(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with(Scripted::new(turns), Settings::default()).await
    }

    /// One with this model, within these bounds.
    pub(crate) async fn with(model: Scripted, settings: Settings) -> Self {
        let files = [("agents/desk.md", DESK), ("adjutant.toml", "[tools.now]\ntype = \"time\"\n")];
        Self::of(&files, model, settings).await
    }

    /// One of a project that has these files.
    pub(crate) async fn of(files: &[(&str, &str)], model: Scripted, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self::serving(folder, model, settings).await
    }

    /// Stops, and begins again in the same folder.
    pub(crate) async fn restart(mut self, model: Scripted, settings: Settings) -> Self {
        self.stop.cancel();
        self.running.take().unwrap().await.unwrap().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        drop(self);
        Self::serving(folder, model, settings).await
    }

    async fn serving(folder: TempDir, model: Scripted, settings: Settings) -> Self {
        let project = Project::load(folder.path()).unwrap();
        let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), adjutant.clone(), settings).await.unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let metrics = server.metrics_address().unwrap();
        let running = tokio::spawn(server.run(stop.clone()));
        Self { address, metrics, adjutant, stop, running: Some(running), folder }
    }

    /// A client with a new key.
    pub(crate) async fn client(&self, role: Role) -> Client {
        self.client_within(role, &[]).await
    }

    /// A client with a new key that is confined.
    pub(crate) async fn client_within(&self, role: Role, scopes: &[&str]) -> Client {
        // The first one is `the viewer`, those after it have a number.
        let keys = self.adjutant.keys().list().await.unwrap();
        let name = match keys.iter().filter(|key| key.name.starts_with(&format!("the {role}"))).count() {
            0 => format!("the {role}"),
            others => format!("the {role} {}", others + 1),
        };
        let new = NewKey {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..NewKey::new(name, role)
        };
        let made = self.adjutant.keys().create(new, "tests").await.unwrap();
        Client { base: format!("http://{}", self.address), token: Some(made.token.expose().to_owned()) }
    }

    /// What records call whoever has a key of this name first.
    pub(crate) fn known(name: &str, client: &Client) -> String {
        format!("{name} (key {})", client.token.as_deref().unwrap().split('_').nth(1).unwrap())
    }

    /// A client without a key.
    pub(crate) fn stranger(&self) -> Client {
        Client { base: format!("http://{}", self.address), token: None }
    }

    /// Tells the service to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        self.running.take().unwrap().await.unwrap()
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: Option<String>,
}

impl Client {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let request = client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// Starts a run and waits for its end.
    pub(crate) async fn run(&self, input: &str) -> Value {
        let (status, run) = self.post("/api/runs?wait=30", &serde_json::json!({ "input": input })).await;
        assert_eq!(status, StatusCode::OK, "{run}");
        run
    }
}

/// What is answered to a request.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (status, body)
}
