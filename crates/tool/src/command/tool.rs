//! [`CommandTool`]: a process behind the tool trait.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_core::secret::Secret;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};

use super::config::{Config, Variable};
use super::interpret;
use super::process::{Finished, Job};
use super::redact::Redactor;
use crate::context::{Context, deadline_after};
use crate::failure::Failure;
use crate::output::Output;
use crate::sandbox::{self, Sandbox};
use crate::skill::Skills;
use crate::tool::{Reconciled, Tool};

/// An executable as a tool. The [module](super) says what is expected of it.
#[derive(Debug)]
pub struct CommandTool {
    config: Arc<Config>,
    sandbox: Option<Arc<Sandbox>>,
    spec: ToolSpec,
}

impl CommandTool {
    /// Makes the tool. Nothing is run; fails with [`Code::ToolInvalid`] when the configuration contradicts itself.
    pub fn new(config: Config) -> Result<Self> {
        config.check()?;
        let sandbox = config.sandbox.clone().map(Sandbox::new).transpose()?.map(Arc::new);
        Ok(Self { spec: config.spec(), config: Arc::new(config), sandbox })
    }
}

impl Tool for CommandTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let (config, sandbox) = (Arc::clone(&self.config), self.sandbox.clone());
        async move {
            let finished = run(&config, sandbox, &config.command, None, line(&arguments), &context).await?;
            interpret::outcome(&config, &finished)
        }
        .boxed()
    }

    fn reconcile(
        &self,
        arguments: Value,
        context: Context,
    ) -> BoxFuture<'static, Result<Reconciled, Failure>> {
        let (config, sandbox) = (Arc::clone(&self.config), self.sandbox.clone());
        async move {
            let Some(command) = &config.reconcile else { return Ok(Reconciled::Unknown) };
            let question = json!({"idempotency_key": context.idempotency_key(), "arguments": arguments});
            let finished = run(&config, sandbox, command, None, line(&question), &context).await?;
            interpret::reconciled(&config, &finished)
        }
        .boxed()
    }
}

impl From<CommandTool> for Arc<dyn Tool> {
    fn from(tool: CommandTool) -> Self {
        Arc::new(tool)
    }
}

/// What a command reads: one line of JSON.
fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// Runs a command to its end. `file` is written for it, and its path is the last argument; that takes a sandbox.
pub(crate) async fn run(
    config: &Config,
    sandbox: Option<Arc<Sandbox>>,
    command: &[String],
    file: Option<(&'static str, Vec<u8>)>,
    input: Vec<u8>,
    context: &Context,
) -> Result<Finished, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| {
        Failure::Run(Error::new(
            Code::ToolInvalid,
            format!("the command tool `{}` has no command", config.name),
        ))
    })?;
    let (environment, redactor) = environment(config, context)?;
    let located = locate(program, config.working_directory.as_deref());
    let mut job = Job {
        program: located,
        arguments: arguments.iter().map(OsString::from).collect(),
        directory: config.working_directory.clone(),
        environment,
        redactor,
        input,
        output_limit: config.output_limit,
        guard: None,
    };
    if let Some(sandbox) = sandbox {
        let command = sandbox::Command {
            program: job.program.to_string_lossy().into_owned(),
            arguments: arguments.to_vec(),
            // Of the programs, those that run what a model writes see them.
            skills: file
                .as_ref()
                .and_then(|_| context.resource::<Skills>().ok())
                .map(|skills| (*skills).clone()),
            file,
            ..sandbox::Command::default()
        };
        job.enter(sandbox, command, context).await?;
    }
    let timeout = deadline_after(config.timeout);
    let deadline = context.deadline().map_or(timeout, |deadline| deadline.min(timeout));
    job.run(deadline, context).await.map_err(|error| {
        let broken = Error::new(Code::ToolBroken, format!("the command `{program}` cannot be started"));
        let directory = config.working_directory.as_deref().filter(|directory| !directory.is_dir());
        Failure::from(match directory {
            Some(directory) => broken.with_help(format!("there is no directory `{}`", directory.display())),
            None => broken.caused_by(&error),
        })
    })
}

/// The program, with a relative path taken from where the command runs: which directory the system would take it from
/// differs between systems.
fn locate(program: &str, directory: Option<&Path>) -> PathBuf {
    let path = Path::new(program);
    match directory {
        Some(directory) if path.is_relative() && path.components().count() > 1 => {
            let joined = directory.join(path);
            std::path::absolute(&joined).unwrap_or(joined)
        }
        _ => path.to_path_buf(),
    }
}

/// The environment of a command, and the secrets in it.
fn environment(config: &Config, context: &Context) -> Result<(Vec<(String, Secret)>, Redactor)> {
    let mut environment = vec![
        ("ADJUTANT_RUN".to_owned(), Secret::new(context.run().as_str())),
        ("ADJUTANT_STEP".to_owned(), Secret::new(context.step().as_str())),
        ("ADJUTANT_IDEMPOTENCY_KEY".to_owned(), Secret::new(context.idempotency_key())),
        ("ADJUTANT_ATTEMPT".to_owned(), Secret::new(context.attempt().to_string())),
    ];
    let mut secrets = Vec::new();
    for (name, variable) in &config.environment {
        let value = match variable {
            Variable::Text(text) => Some(Secret::new(text)),
            Variable::Inherit => std::env::var(name).ok().map(Secret::new),
            Variable::Secret(secret) => {
                let secret = context.secret(secret)?;
                secrets.push(secret.clone());
                Some(secret)
            }
        };
        environment.extend(value.map(|value| (name.clone(), value)));
    }
    Ok((environment, Redactor::new(secrets.into_iter())))
}
