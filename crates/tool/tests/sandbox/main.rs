//! Sandboxed scripts: what they can do, and every way out that they try.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, also outside of `#[test]`"
)]

mod command;
mod egress;
mod escape;
mod exhaust;
mod run;
mod second;
mod unprivileged;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_tool::builtin::script::{Config, Language, script};
use adjutant_tool::sandbox::{self, Folder, Owner};
use adjutant_tool::{Context, Failure, Output, Tool};
use serde_json::json;

/// A place for the folders of sessions, and the tools of one project.
struct Place {
    work: tempfile::TempDir,
    config: sandbox::Config,
    timeout: Duration,
}

impl Place {
    /// A place; none where this machine cannot make a sandbox, which is an error in CI.
    fn new() -> Option<Self> {
        let work = tempfile::tempdir().unwrap();
        let mut config = sandbox::Config::new(work.path().join("work"));
        config.limits.memory = 256 << 20;
        config.limits.folder_bytes = 32 << 20;
        config.limits.folder_files = 500;
        config.limits.processes = 32;
        config.inside = Some(inside());
        match sandbox::examine(&config) {
            Ok(_) => Some(Self { work, config, timeout: Duration::from_secs(20) }),
            Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
            Err(error) => {
                eprintln!("not tested: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.work.path()
    }

    fn tool(&self, language: Language) -> Arc<dyn Tool> {
        let mut config = Config::new(language, self.config.clone());
        config.timeout = self.timeout;
        script(config).unwrap()
    }

    async fn shell(&self, text: &str) -> Result<String, Failure> {
        self.run(Language::Shell, "one", text).await
    }

    async fn python(&self, text: &str) -> Result<String, Failure> {
        self.run(Language::Python, "one", text).await
    }

    async fn run(&self, language: Language, session: &str, text: &str) -> Result<String, Failure> {
        let output = self.tool(language).call(json!({ "script": text }), context(session)).await?;
        Ok(read(&output))
    }

    fn folder(&self, session: &str) -> Folder {
        let owner = Owner::Session(SessionId::new(session));
        Folder::of(&self.config.work, context(session).scope(), &owner)
    }
}

/// The program that takes part in making sandboxes.
fn inside() -> PathBuf {
    std::env::var_os(unprivileged::INSIDE)
        .map_or(env!("CARGO_BIN_EXE_adjutant-interpreter").into(), PathBuf::from)
}

/// What a script has printed, and what the sandbox has to say.
fn read(output: &Output) -> String {
    let note = output.note.iter().map(|note| format!("\n[{note}]")).collect::<String>();
    output.as_text() + &note
}

fn context(session: &str) -> Context {
    Context::new(RunId::from_bytes([7; 10]), StepKey::root().join("shell", 0), "call".into())
        .with_session(Some(SessionId::new(session)))
}

/// What the model hears of a script that did not end well.
fn heard(outcome: Result<String, Failure>) -> String {
    match outcome {
        Err(Failure::Model(error)) => error.message().to_owned(),
        other => panic!("no failure that the model hears: {other:?}"),
    }
}
