//! A project, and processes that serve it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use adjutant_testkit::provider::{Answer, Builder, MockProvider};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A tool that must not be called twice, and says in a file of its own that it was.
const PAY: &str = "#!/bin/sh\nIFS= read -r arguments || exit 1\nprintf '%s\\n' \"$ADJUTANT_RUN\" >> paid\nsleep 0.02\nprintf '{}\\n'\n";

/// How long anything may take here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A project with an agent that pays once and says so.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) key: String,
}

impl Place {
    /// One whose provider is at an address, with more settings.
    pub(crate) fn new(base_url: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Self { folder, key: String::new() };
        place.write("agents/desk.md", "---\nmodel: main\ntools: [pay]\n---\nYou pay.\n");
        place.write("pay", PAY);
        std::fs::set_permissions(place.path("pay"), std::fs::Permissions::from_mode(0o755)).unwrap();
        place.write(
            "adjutant.toml",
            &format!(
                "[project]\ntitles = false\n\n[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{base_url}\"\n\
                 context_window = 100000\n\n[tools.pay]\ntype = \"command\"\ndescription = \"Pays.\"\ncommand = [\"./pay\"]\n\
                 effect = \"at_most_once\"\n\n{settings}"
            ),
        );
        let made = place.command(&["keys", "create", "tests", "--role", "admin"]).output().unwrap();
        place.key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(place.key.starts_with("adj_"), "{}", String::from_utf8_lossy(&made.stderr));
        place
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_adjutant")), arguments)
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command
    }

    /// Starts a process, and waits until it listens.
    pub(crate) async fn serve(&self, name: &str, more: &[&str]) -> Served {
        self.serve_with(name, more, &[]).await
    }

    /// The same, with more in its environment.
    pub(crate) async fn serve_with(&self, name: &str, more: &[&str], environment: &[(&str, &str)]) -> Served {
        let arguments = [&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"], more].concat();
        let mut command = self.command(&arguments);
        command.envs(environment.iter().copied());
        self.started(name, command).await
    }

    /// The same where no file can become larger than so many blocks of the shell, as on a disk that is full.
    pub(crate) async fn serve_within(&self, name: &str, blocks: u32) -> Served {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec '{}' serve --listen 127.0.0.1:0",
            env!("CARGO_BIN_EXE_adjutant")
        );
        self.started(name, self.prepared(Command::new("sh"), &["-c", &script])).await
    }

    async fn started(&self, name: &str, mut command: Command) -> Served {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let log = self.path(&format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let began = Instant::now();
        let base = loop {
            let text = std::fs::read_to_string(&log).unwrap();
            let at = text.lines().find_map(|line| line.split_once("listening at "));
            if let Some((address, _)) = at.map(|(_, rest)| rest.split_once('"').unwrap_or((rest, ""))) {
                break address.to_owned();
            }
            assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "{text}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Served { child, base, log, key: self.key.clone(), client }
    }

    /// How often was paid for each run.
    pub(crate) fn paid(&self) -> BTreeMap<String, usize> {
        let text = std::fs::read_to_string(self.path("paid")).unwrap_or_default();
        text.lines().fold(BTreeMap::new(), |mut paid, run| {
            *paid.entry(run.to_owned()).or_default() += 1;
            paid
        })
    }
}

/// A process that serves.
pub(crate) struct Served {
    child: Child,
    pub(crate) base: String,
    log: PathBuf,
    key: String,
    client: Client,
}

impl Served {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn status(&self, path: &str) -> Option<u16> {
        Some(self.request(Method::GET, path).send().await.ok()?.status().as_u16())
    }

    /// Starts a run; gives its id.
    pub(crate) async fn start(&self) -> String {
        let (status, run) = read(
            self.request(Method::POST, "/api/runs").json(&json!({ "input": "Pay." })).send().await.unwrap(),
        )
        .await;
        assert_eq!(status, StatusCode::ACCEPTED, "{run}");
        run["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a run stands in one of these ways.
    pub(crate) async fn until(&self, run: &str, states: &[&str]) -> Value {
        let began = Instant::now();
        loop {
            let (status, shown) = self.get(&format!("/api/runs/{run}")).await;
            assert_eq!(status, StatusCode::OK, "{shown}");
            if states.contains(&shown["state"].as_str().unwrap()) {
                return shown;
            }
            assert!(began.elapsed() < PATIENCE, "{shown}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it said to standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A provider whose model pays once and then says so, each answer after a while.
pub(crate) fn cashier(after: Duration) -> Builder {
    MockProvider::with(move |request: &Value| {
        let messages = request["messages"].as_array().cloned().unwrap_or_default();
        match messages.iter().any(|message| message["role"] == "tool") {
            true => Answer::text("It is paid.").after(after),
            false => Answer::calls([("call_0", "pay", json!({}))]).after(after),
        }
    })
}
