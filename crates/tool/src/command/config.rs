//! What a person writes about a command tool.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use adjutant_core::tool::{Effect, Flow, ToolSpec};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

use crate::sandbox;

/// A command tool as configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What models call it.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// The program and its arguments. A program with a `/` in it is looked for from the working directory, another one
    /// in `PATH`.
    pub command: Vec<String>,
    /// The command that finds out what came of a call. It reads `{"idempotency_key": .., "arguments": ..}` and prints
    /// `{"happened": true, "result": ..}`, `{"happened": false}` or, if it cannot tell, `{"happened": null}`.
    pub reconcile: Option<Vec<String>>,
    /// The JSON schema of the arguments: an object.
    pub parameters: Value,
    /// What happens if it is called twice.
    pub effect: Effect,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many calls run at a time.
    pub concurrency: Option<u32>,
    /// The environment, besides what every command gets.
    pub environment: BTreeMap<String, Variable>,
    /// Where the command runs; the directory of this process where nothing is said.
    pub working_directory: Option<PathBuf>,
    /// The sandbox that it runs in; none where it is trusted as this process is. In a sandbox it starts in the session's
    /// folder, whatever the working directory is.
    pub sandbox: Option<sandbox::Config>,
    /// What exit codes mean that do not have their usual meaning.
    pub exit_codes: BTreeMap<i32, Exit>,
    /// What standard output holds.
    pub format: Format,
    /// How much of standard output is kept, in bytes.
    pub output_limit: usize,
}

/// Where the value of an environment variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// It stands in the configuration.
    Text(String),
    /// It is the secret of that name.
    Secret(String),
    /// It is passed on from this process, if it is set there.
    Inherit,
}

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command did its work.
    Done,
    /// It did not, and the model hears why.
    Failed,
    /// It did nothing, and the same call may work later: it is made again, unless it may be made only once. The model
    /// hears of the last failure.
    Retry,
    /// The command cannot say whether it did its work.
    Unknown,
    /// It did not, and nothing that the model does can help: the run stops.
    Stop,
}

/// What standard output holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON if it is JSON, otherwise text.
    #[default]
    Either,
    /// JSON; anything else is an error.
    Json,
    /// Text, also if it looks like JSON.
    Text,
}

impl Config {
    /// How much of standard output is kept where nothing else is said: 64 KiB, about 16,000 tokens.
    pub const DEFAULT_OUTPUT_LIMIT: usize = 64 << 10;

    /// A command without arguments, with the default timeout and output limit.
    pub fn new(name: impl Into<String>, command: Vec<String>, effect: Effect) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            command,
            reconcile: None,
            parameters: json!({"type": "object", "properties": {}, "additionalProperties": false}),
            effect,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            environment: BTreeMap::new(),
            working_directory: None,
            sandbox: None,
            exit_codes: BTreeMap::new(),
            format: Format::default(),
            output_limit: Self::DEFAULT_OUTPUT_LIMIT,
        }
    }

    /// Checks what can be checked without running anything. Fails with [`Code::ToolInvalid`].
    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |what: &str, help: &str| {
            Err(Error::new(Code::ToolInvalid, format!("the command tool `{}` {what}", self.name))
                .with_help(help))
        };
        let names_program =
            |command: &[String]| command.first().is_some_and(|program| !program.trim().is_empty());
        if !names_program(&self.command) {
            return invalid("has no command", "write `command = [\"program\", \"argument\"]`");
        }
        if self.description.trim().is_empty() {
            return invalid("has no description", "say what it does: models choose tools by it");
        }
        match (&self.reconcile, self.effect) {
            (None, Effect::Reconcile) => {
                return invalid(
                    "has the effect `reconcile` but no command that finds out",
                    "write `reconcile = [\"program\"]`, or choose the effect `at_most_once`",
                );
            }
            (Some(command), _) if !names_program(command) => {
                return invalid("has an empty `reconcile` command", "name its program");
            }
            (Some(_), effect) if effect != Effect::Reconcile => {
                return invalid(
                    "has a `reconcile` command that is never run",
                    "set `effect = \"reconcile\"`",
                );
            }
            _ => {}
        }
        if self.output_limit == 0 || self.timeout.is_zero() {
            return invalid("can never answer", "set its timeout and its output limit above zero");
        }
        Ok(())
    }

    /// What the tool says of itself.
    pub(crate) fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.clone(),
            effect: self.effect,
            timeout: self.timeout,
            concurrency: self.concurrency,
            flow: self.flow(),
        }
    }

    /// What it does with information. In a sandbox that reaches no host nothing goes out.
    fn flow(&self) -> Flow {
        let is_closed = self.sandbox.as_ref().is_some_and(|sandbox| sandbox.hosts.is_empty());
        Flow {
            source: Some(format!("command:{}", self.name)),
            egress: is_closed.then_some(false),
            ..Flow::default()
        }
    }

    /// What an exit code means.
    pub(super) fn exit(&self, code: i32) -> Exit {
        let usual = if code == 0 { Exit::Done } else { Exit::Failed };
        self.exit_codes.get(&code).copied().unwrap_or(usual)
    }
}
