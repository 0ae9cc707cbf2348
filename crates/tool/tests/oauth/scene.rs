//! What the tests of logins share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adjutant_core::id::{CallId, RunId, Scope, StepKey};
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error};
use adjutant_testkit::guarded::Guarded;
use adjutant_tool::mcp::oauth::{self, Account, Listener, Status};
use adjutant_tool::mcp::{Config, Http, Pin, Server, Transport};
use adjutant_tool::vault::{KeyPlace, Vault};
use adjutant_tool::{Context, Failure, Output};
use serde_json::json;
use url::Url;

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn forward(&self, duration: Duration) {
        self.0.fetch_add(duration.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.0.load(Ordering::SeqCst))
    }
}

/// The secrets of the project.
pub(crate) struct Known;

impl Secrets for Known {
    fn get(&self, name: &str) -> Result<Secret, Error> {
        match name {
            "machine" => Ok(Secret::new(Guarded::CLIENT.1)),
            _ => Err(Error::new(Code::NotFound, "no such secret")),
        }
    }
}

/// A server behind a login, and a project that wants to use it.
pub(crate) struct Scene {
    pub(crate) guarded: Guarded,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<Hand>,
    pub(crate) config: oauth::Config,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand::default());
        let key = KeyPlace::File(folder.path().join("config/vault.key"));
        let vault =
            Vault::new(folder.path().join("vault"), key, Arc::<Hand>::clone(&clock) as Arc<dyn Clock>);
        let guarded = Guarded::start().await.unwrap();
        Self { guarded, folder, clock, config: oauth::Config::new(vault) }
    }

    /// The server, as one process sees it.
    pub(crate) fn server(&self) -> Server {
        self.server_at(&self.guarded.url())
    }

    pub(crate) fn server_at(&self, url: &str) -> Server {
        let http = Http {
            url: Url::parse(url).unwrap(),
            headers: [].into(),
            bearer: None,
            auth: Some(Box::new(self.config.clone())),
        };
        Server::new(Config::new("tracker", Transport::Http(http))).unwrap()
    }

    pub(crate) fn account(&self) -> Account {
        self.server().account().unwrap()
    }

    /// Logs in as a person does: the browser opens the page, which agrees, and comes back.
    pub(crate) async fn login(&self) -> Result<Status, Error> {
        let listener = Listener::bind(None).await?;
        let attempt = self.account().begin(&Known, listener.redirect()).await?;
        let browser = tokio::spawn(browse(attempt.address().clone()));
        let heard = listener.answer(|answer| attempt.knows(answer));
        let answer = tokio::time::timeout(Duration::from_secs(5), heard).await;
        assert!(browser.await.unwrap().contains("close this window"));
        attempt.finish(&answer.expect("an answer in time")?).await
    }

    /// Calls a tool, as a run does.
    pub(crate) async fn call(&self, server: &Server, tool: &str) -> Result<Output, Failure> {
        let offer = server.offer(&Known).await?;
        let tools = server.tools(&Pin::from(offer));
        let name = format!("tracker__{tool}");
        let tool = tools.into_iter().find(|tool| tool.spec().name == name).expect("the tool");
        tool.call(json!({}), context()).await
    }

    /// Everything that was written, as far as it stands anywhere under the folder.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut all = Vec::new();
        gather(self.folder.path(), &mut all);
        all
    }
}

fn gather(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => gather(&path, all),
            false => all.extend(std::fs::read(&path).unwrap()),
        }
    }
}

pub(crate) fn context() -> Context {
    let step = StepKey::parse("/call#0");
    Context::new(RunId::from_bytes([1; 10]), step, CallId::new("c1"))
        .with_scope(Scope::default())
        .with_secrets(Arc::new(Known))
}

/// Opens an address like a browser, and gives the page that it ends at.
pub(crate) async fn browse(address: Url) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(address).send().await.unwrap().text().await.unwrap()
}

/// Where a browser is sent to by a page, without going there.
pub(crate) async fn sent_to(address: &Url) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let none = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(none).build().unwrap();
    let answer = client.get(address.clone()).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}
