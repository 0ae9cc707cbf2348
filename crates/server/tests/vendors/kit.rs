//! A project whose models are a mock, as a service.

use std::time::Duration;

use adjutant::{Adjutant, NewKey, Project};
use adjutant_core::role::Role;
use adjutant_core::usage::Usage;
use adjutant_server::{Server, Settings};
use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider, Received};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What the mock signs its thoughts with.
pub(crate) const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBtb2Nr";

/// A service that runs.
pub(crate) struct Kit {
    client: Client,
    pub(crate) adjutant: Adjutant,
    pub(crate) mock: MockProvider,
    stop: CancellationToken,
    _folder: TempDir,
}

impl Kit {
    pub(crate) async fn new() -> Self {
        Self::with("", Settings::default()).await
    }

    /// One with more in its `adjutant.toml`, within these bounds.
    pub(crate) async fn with(more: &str, settings: Settings) -> Self {
        Self::holding(&[], more, settings).await
    }

    /// One with these files as well.
    pub(crate) async fn holding(files: &[(&str, &str)], more: &str, settings: Settings) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mock = MockProvider::responding(answer).start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = |interface| mock.base_url_of(interface);
        let model = |role: &str, provider: &str, model: &str, interface| {
            format!(
                "[models.{role}]\nprovider = \"{provider}\"\nmodel = \"{model}\"\nbase_url = \"{}\"\n\
                 prices = {{ input = 1, output = 2 }}\nretry = {{ attempts = 1 }}\nbreaker = {{ failures = 0 }}\n\
                 abilities = {{ files = true, audio = true, reasoning = true }}\n",
                address(interface)
            )
        };
        let toml = format!(
            "{}{}{}[models.embed]\nprovider = \"openai\"\nmodel = \"text-embedding-3-small\"\nbase_url = \"{}\"\n\
             prices = {{ input = 1, output = 0 }}\n[tools.now]\ntype = \"time\"\n{more}",
            model("main", "openai", "m", Interface::Chat),
            model("deep", "anthropic", "claude-opus-4-6", Interface::Messages),
            model("newer", "openai-responses", "n", Interface::Responses),
            address(Interface::Chat),
        );
        std::fs::write(folder.path().join("adjutant.toml"), toml).unwrap();
        std::fs::create_dir(folder.path().join("agents")).unwrap();
        let desk = "---\nmodel: main\ntools: [calculator]\n---\nHelp.\n";
        std::fs::write(folder.path().join("agents/desk.md"), desk).unwrap();
        let careful = "---\nmodel: main\ntools: [calculator]\napprove: [calculate]\n---\nHelp.\n";
        std::fs::write(folder.path().join("agents/careful.md"), careful).unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let project = Project::load(folder.path()).unwrap();
        let adjutant = Adjutant::of(project).unwrap();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), adjutant.clone(), settings).await.unwrap();
        let (base, stop) = (format!("http://{}", server.address().unwrap()), CancellationToken::new());
        tokio::spawn(server.run(stop.clone()));
        let new = NewKey::new("tests", Role::Operator);
        let key = adjutant.keys().create(new, "tests").await.unwrap().token.expose().to_owned();
        Self { client: Client { base, key }, adjutant, mock, stop, _folder: folder }
    }

    /// A client with a key that reaches this alone.
    pub(crate) async fn confined(&self, scopes: &[&str]) -> Client {
        let name = format!("confined to {}", scopes.join(", "));
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let new = NewKey { scopes, ..NewKey::new(name, Role::Operator) };
        let key = self.adjutant.keys().create(new, "tests").await.unwrap().token.expose().to_owned();
        Client { base: self.base.clone(), key }
    }
}

impl std::ops::Deref for Kit {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Somebody who asks.
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) key: String,
}

impl Client {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    pub(crate) async fn send(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    /// The status and the body of an answer.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.send(path, body).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.request(Method::GET, path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The data of the events of a stream.
    pub(crate) async fn events(&self, path: &str, body: &Value) -> Vec<Value> {
        data(&self.send(path, body).await.text().await.unwrap())
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The data of events, but for the word that ends some streams.
pub(crate) fn data(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    lines.map(|data| serde_json::from_str(data).unwrap()).collect()
}

pub(crate) fn used() -> Usage {
    Usage { input: 25, output: 7, cached: 4, reasoning: 3, ..Usage::default() }
}

/// What the mock says to what it is asked: by the words in it.
fn answer(received: &Received) -> Answer {
    let asked = received.asked();
    let body = received.body.to_string();
    let says = |word: &str| body.contains(word);
    let text = |text: &str| Answer::text(text).using(used());
    if asked.steps == 0 && asked.tools.iter().any(|tool| tool == "temperature") {
        let call = |id, city| (id, "temperature", json!({"city": city}));
        let calls = Answer::calls([call("call_rome", "Rome"), call("call_oslo", "Oslo, Norway")])
            .saying("Let me look.")
            .reasoning("Both cities are needed.")
            .signed(SIGNATURE)
            .using(used());
        return match says("byte by byte") {
            true => calls.with(Fault::Trickle),
            false => calls,
        };
    }
    if asked.steps == 0 && asked.tools.iter().any(|tool| tool == "calculate") && says("6 * 7") {
        return Answer::calls([("call_1", "calculate", json!({"expression": "6 * 7"}))])
            .saying("Let me see.")
            .using(used());
    }
    match () {
        () if says("busy now") => Answer::status(429, "slow down").header("retry-after", "7"),
        () if says("break off") => text("Good morning, and more of it.").with(Fault::Cut(3)),
        () if says("say nothing") => text("").with(Fault::Never),
        () if says("never end") => text("").with(Fault::Endless),
        () if says("think first") => text("Done.").reasoning("Let me think.").signed(SIGNATURE),
        () if asked.steps > 0 && says("temperature") => text("In Oslo."),
        () if asked.steps > 0 && says("6 * 7") => text("It is 42."),
        () if says("json_schema") => text("{\"answer\": 42}"),
        () if says("image_url") || says("input_image") || says("\"image\"") => text("I see a picture."),
        () if says("What was my name?") && says("I am Ann") => text("You are Ann."),
        () => text("Good morning! It is 21 °C, and 雨 tomorrow."),
    }
}
