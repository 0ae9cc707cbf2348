//! `shell` and `python`: scripts that the model writes, in a sandbox.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::tool::{Effect, Flow, ToolSpec};
use futures::future::{BoxFuture, FutureExt};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::command;
use crate::sandbox::{self, Isolation, Sandbox};
use crate::{Context, Failure, Output, Tool, ToolError};

/// A tool that runs scripts, as configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What models call it.
    pub name: String,
    /// What the scripts are written in.
    pub language: Language,
    /// What models read of it besides how it works.
    pub description: Option<String>,
    /// What happens if a script runs twice.
    pub effect: Effect,
    /// How long one script may take.
    pub timeout: Duration,
    /// How much of what a script prints is kept, in bytes.
    pub output_limit: usize,
    /// The sandbox that it runs in.
    pub sandbox: sandbox::Config,
}

/// What scripts are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// For bash, or `sh` where there is none.
    Shell,
    /// For Python 3.
    Python,
}

impl Config {
    /// A tool called `shell` or `python`, with the default limits.
    pub fn new(language: Language, sandbox: sandbox::Config) -> Self {
        Self {
            name: language.as_str().to_owned(),
            language,
            description: None,
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            output_limit: command::Config::DEFAULT_OUTPUT_LIMIT,
            sandbox,
        }
    }

    /// What models read of it.
    fn about(&self) -> String {
        let what = match self.language {
            Language::Shell => "Runs a shell script",
            Language::Python => "Runs a Python 3 program",
        };
        let hosts: Vec<_> = self.sandbox.hosts.iter().map(|host| format!("`{host}`")).collect();
        let place = match self.sandbox.isolation {
            Isolation::Sandbox if hosts.is_empty() => " in a sandbox without network".to_owned(),
            Isolation::Sandbox => format!(
                " in a sandbox that reaches no host but {}, through the proxy that `HTTPS_PROXY` names,",
                hosts.join(", ")
            ),
            Isolation::Unsafe => String::new(),
        };
        let mut text = format!(
            "{what}{place} and returns what it prints. It starts in a folder whose files stay there for the next \
             scripts of this conversation, with the results of other tools that are files."
        );
        let readable: Vec<_> = self.sandbox.read.iter().map(|path| format!("`{}`", path.display())).collect();
        if !readable.is_empty() {
            text.push_str(&format!(" It can read {}.", readable.join(", ")));
        }
        if let Some(description) = &self.description {
            text.push(' ');
            text.push_str(description.trim());
        }
        text
    }

    /// What a script is as a command.
    fn command(&self) -> command::Config {
        let mut command = command::Config::new(&self.name, self.language.program(), self.effect);
        command.description = self.about();
        command.parameters = schemars::schema_for!(Arguments).to_value();
        command.timeout = self.timeout;
        command.output_limit = self.output_limit;
        command.format = command::Format::Text;
        // Whatever a script has done when it is killed, it has done to the session's folder, where the next one sees it.
        let reaches_nothing = self.sandbox.write.is_empty() && self.sandbox.hosts.is_empty();
        if self.sandbox.isolation == Isolation::Sandbox && reaches_nothing {
            command.effect = Effect::Idempotent;
        }
        command
    }
}

impl Language {
    /// The word for it in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Python => "python",
        }
    }

    /// What runs a script whose path follows.
    fn program(self) -> Vec<String> {
        let program = match self {
            Self::Shell if Path::new("/bin/bash").exists() => "bash",
            Self::Shell => "sh",
            Self::Python => "python3",
        };
        vec![program.to_owned()]
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Shell => "script.sh",
            Self::Python => "script.py",
        }
    }
}

/// What the model writes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The whole script.
    script: String,
}

/// A tool that runs scripts that the model writes. Fails with
/// [`Code::ToolInvalid`](adjutant_core::Code::ToolInvalid) when its sandbox cannot be as it is written.
pub fn script(config: Config) -> Result<Arc<dyn Tool>> {
    let command = config.command();
    command.check()?;
    // It is killed at its timeout, and what came of it is heard before the call itself is given up.
    let timeout = config.timeout.saturating_add(Duration::from_secs(5));
    let is_closed = config.sandbox.isolation == Isolation::Sandbox && config.sandbox.hosts.is_empty();
    let flow =
        Flow { source: Some("script".to_owned()), egress: is_closed.then_some(false), ..Flow::default() };
    let spec = ToolSpec { effect: config.effect, timeout, flow, ..command.spec() };
    let sandbox = Arc::new(Sandbox::new(config.sandbox)?);
    Ok(Arc::new(Script { spec, language: config.language, command: Arc::new(command), sandbox }))
}

struct Script {
    spec: ToolSpec,
    language: Language,
    command: Arc<command::Config>,
    sandbox: Arc<Sandbox>,
}

impl Tool for Script {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let (command, sandbox) = (Arc::clone(&self.command), Arc::clone(&self.sandbox));
        let name = self.language.file_name();
        async move {
            let written: Arguments =
                serde_json::from_value(arguments).map_err(|error| Failure::from(ToolError::from(error)))?;
            let file = Some((name, written.script.into_bytes()));
            let finished =
                command::run(&command, Some(sandbox), &command.command, file, Vec::new(), &context).await?;
            command::outcome(&command, &finished)
        }
        .boxed()
    }
}
