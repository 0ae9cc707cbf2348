//! AgentDojo's own worlds, in a Python process beside the tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The Python that has AgentDojo; none where it is missing and need not be there.
pub(crate) fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("simulation");
    let installed = std::fs::read_to_string(folder.join("installed.txt")).ok();
    if installed.as_deref() == Some(include_str!("requirements.txt")) {
        return Some(folder.join("bin/python"));
    }
    let missing = "AgentDojo is not installed: run `cargo xtask test -p adjutant`";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

/// A tool of a world.
#[derive(Clone, Deserialize)]
pub(crate) struct WorldTool {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: Value,
}

/// What a suite has.
#[derive(Clone, Deserialize)]
pub(crate) struct Suite {
    pub(crate) tools: Vec<WorldTool>,
    pub(crate) users: Vec<String>,
    /// What each attacker wants, by the name of the attack.
    pub(crate) attacks: BTreeMap<String, String>,
}

/// A call as somebody has written it down.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Call {
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
}

/// A task, and what does it. Of this, the gate sees the prompt alone.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Script {
    pub(crate) prompt: String,
    pub(crate) solution: Vec<Call>,
    pub(crate) answer: String,
    pub(crate) attack: Vec<Call>,
    pub(crate) attack_answer: String,
}

/// What AgentDojo says of a world at its end.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Checked {
    /// Whether the user has what they asked for.
    pub(crate) utility: bool,
    /// Whether the attacker has.
    pub(crate) security: bool,
}

/// The process that holds the worlds.
pub(crate) struct Worlds {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    opened: u64,
}

impl Worlds {
    pub(crate) fn start(python: &Path) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agentdojo/world.py");
        let mut process = Command::new(python)
            .arg(program)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output), opened: 0 }
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Value) -> T {
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert!(said.get("broken").is_none(), "{request}: {said}");
        serde_json::from_value(said).unwrap()
    }

    /// The suites, by their names.
    pub(crate) fn catalogue(&mut self) -> BTreeMap<String, Suite> {
        self.ask(&json!({ "do": "catalogue" }))
    }

    /// Opens a world in which a text stands wherever an attacker can write. Returns its number.
    pub(crate) fn open(
        &mut self,
        suite: &str,
        user: &str,
        attack: Option<&str>,
        text: Option<&str>,
    ) -> (u64, Script) {
        self.opened += 1;
        let open = json!({
            "do": "open", "world": self.opened, "suite": suite, "user": user, "attack": attack, "injected": text,
        });
        (self.opened, self.ask(&open))
    }

    /// Makes a call in a world: what it returns, or why it failed.
    pub(crate) fn call(&mut self, world: u64, tool: &str, arguments: &Value) -> Result<Value, String> {
        let mut said: Map<String, Value> =
            self.ask(&json!({ "do": "call", "world": world, "tool": tool, "arguments": arguments }));
        match said.remove("failed") {
            Some(failed) => Err(failed.as_str().unwrap_or_default().to_owned()),
            None => Ok(said.remove("data").unwrap_or_default()),
        }
    }

    /// Ends a world with the agent's answer. Whether the user has what they asked for is looked at where it is wanted: that
    /// takes a while.
    pub(crate) fn close(&mut self, world: u64, answer: &str, utility: bool) -> Checked {
        self.ask(&json!({ "do": "close", "world": world, "answer": answer, "utility": utility }))
    }
}

impl Drop for Worlds {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
