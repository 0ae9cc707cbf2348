//! What the tests of servers share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::id::StepKey;
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error};
use adjutant_tool::mcp::{Config, Pin, Process, Server, Transport};
use adjutant_tool::{Context, Failure, Output, Tool};
use serde_json::Value;

/// What every server of the tests may know.
pub(crate) const TOKEN: &str = "a-token-of-thirty-characters-00";

/// The one secret there is.
pub(crate) struct OneSecret;

impl Secrets for OneSecret {
    fn get(&self, name: &str) -> Result<Secret, Error> {
        match name {
            "token" => Ok(Secret::new(TOKEN)),
            _ => Err(Error::new(Code::NotFound, "no such secret")),
        }
    }
}

/// A server that is a process.
pub(crate) fn process(name: &str, command: &[String]) -> Config {
    let process =
        Process { command: command.to_vec(), environment: [].into(), working_directory: None, sandbox: None };
    let mut config = Config::new(name, Transport::Process(process));
    config.timeout = Duration::from_secs(30);
    config
}

/// A server and what of it was accepted.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) pin: Pin,
    progress: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    /// Accepts what a server offers.
    pub(crate) async fn accepting(config: Config) -> Self {
        let server = Server::new(config).unwrap();
        let pin = match server.offer(&OneSecret).await {
            Ok(offer) => Pin::from(offer),
            Err(error) => panic!("{error}: {:?}\n{}", error.help(), server.said().join("\n")),
        };
        Self { server, pin, progress: Arc::default() }
    }

    /// The tool of that name.
    pub(crate) fn tool(&self, name: &str) -> Arc<dyn Tool> {
        let tools = self.server.tools(&self.pin);
        let names: Vec<_> = tools.iter().map(|tool| tool.spec().name.clone()).collect();
        tools
            .into_iter()
            .find(|tool| tool.spec().name == name)
            .unwrap_or_else(|| panic!("{name} in {names:?}"))
    }

    /// The context of a call.
    pub(crate) fn context(&self) -> Context {
        let progress = Arc::clone(&self.progress);
        Context::new("run".into(), StepKey::root().join("call", 0), "call".into())
            .with_secrets(Arc::new(OneSecret))
            .with_progress(Arc::new(move |text| progress.lock().unwrap().push(text)))
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, name: &str, arguments: Value) -> Result<Output, Failure> {
        self.tool(name).call(arguments, self.context()).await
    }

    /// The progress that was shown.
    pub(crate) fn progress(&self) -> Vec<String> {
        self.progress.lock().unwrap().clone()
    }
}

/// Where `cargo xtask test` installs the servers. Without it their tests skip themselves, except with `CI=true`.
pub(crate) fn installed(what: &str) -> Option<PathBuf> {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
    let folder = target.join("servers").join(what);
    if folder.exists() {
        return Some(folder);
    }
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "{} is missing: `cargo xtask test` installs it",
        folder.display()
    );
    eprintln!("skipped: {} is missing, `cargo xtask test` installs it", folder.display());
    None
}

/// A file of the tests.
pub(crate) fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp").join(name).to_string_lossy().into_owned()
}
