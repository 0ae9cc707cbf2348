//! The process of a server, and all that it starts.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::id::Scope;
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::config::Process;
use crate::command::Redactor;
use crate::sandbox::{self, Folder, Guard, Owner, Sandbox};

/// How many of the last lines of standard error are kept.
const KEPT_LINES: usize = 50;

/// How much of one line is kept, in bytes.
const LONGEST_LINE: usize = 500;

/// How long a server may take to end by itself once its input is closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a server in a sandbox may take for the same.
const GOODBYE: Duration = Duration::from_millis(200);

/// How often is looked whether somebody still holds a server.
const LOOK: Duration = Duration::from_secs(1);

/// A running server. It is killed with its group when this is dropped.
pub(super) struct Running {
    group: Option<u32>,
    child: Child,
    /// What its sandbox needs while it lives.
    guard: Option<Arc<Guard>>,
}

/// The last lines that a server wrote to standard error. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Arc<Mutex<VecDeque<String>>>);

/// Starts a server in a group of its own, and in its sandbox where it has one. It finds nothing in its environment but
/// `PATH`, `HOME` and what it was given.
pub(super) async fn start(
    name: &str,
    process: &Process,
    environment: &[(String, Secret)],
    redactor: Redactor,
    said: Said,
) -> Result<(Running, ChildStdin, ChildStdout)> {
    let program = process.command.first().map(String::as_str).unwrap_or_default();
    let failed = |error: &std::io::Error| {
        let broken = Error::new(Code::ToolBroken, format!("the command `{program}` cannot be started"));
        match process.working_directory.as_deref().filter(|directory| !directory.is_dir()) {
            Some(directory) => broken.with_help(format!("there is no directory `{}`", directory.display())),
            None => broken.caused_by(error),
        }
    };
    let mut launch = Launch::plain(process);
    let guard = match &process.sandbox {
        Some(config) => Some(launch.enter(name, config.clone(), process).await?),
        None => None,
    };
    let mut child = launch.command(environment).spawn().map_err(|error| failed(&error))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = child.id();
    let guard = guard.map(Arc::new);
    if let (Some(guard), Some(id)) = (&guard, group) {
        guard.started(id);
        watch(guard, id, said.clone());
    }
    let running = Running { group, child, guard };
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(Error::new(Code::Internal, "a process was started without its pipes"));
    };
    tokio::spawn(async move { said.hear(stderr, &redactor).await });
    Ok((running, stdin, stdout))
}

/// Ends a server that takes more than it may, and notes what its sandbox refuses it.
fn watch(guard: &Arc<Guard>, process: u32, said: Said) {
    let told = said.clone();
    guard.tell_refusals(Arc::new(move |refusal| told.note(format!("[the sandbox: {refusal}]"))));
    let guard = Arc::downgrade(guard);
    tokio::spawn(async move {
        // The guard is held by whoever holds the server; what was never to end must not hold it, too.
        while let Some(held) = guard.upgrade() {
            let exceeded = tokio::time::timeout(LOOK, held.exceeded(process)).await;
            if let Ok(why) = exceeded {
                said.note(format!("[the sandbox ended it: {why}]"));
                held.kill(process);
                return;
            }
        }
    });
}

/// What is started: the one place where a server's process is made.
struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    directory: Option<PathBuf>,
    environment: Vec<(String, OsString)>,
}

impl Launch {
    /// Without a sandbox.
    fn plain(process: &Process) -> Self {
        let (program, arguments) =
            process.command.split_first().map_or(("", &[][..]), |(program, rest)| (program, rest));
        let inherited = ["PATH", "HOME"].into_iter();
        let environment =
            inherited.filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?))).collect();
        Self {
            program: locate(program, process.working_directory.as_deref()),
            arguments: arguments.iter().map(OsString::from).collect(),
            directory: process.working_directory.clone(),
            environment,
        }
    }

    /// Puts it into a sandbox, with a folder that is the server's own. The files that its command names are seen there.
    async fn enter(&mut self, name: &str, config: sandbox::Config, process: &Process) -> Result<Guard> {
        let directory = process.working_directory.clone().unwrap_or_default();
        let words: Vec<String> = process.command.iter().skip(1).cloned().collect();
        let named = words.iter().map(|word| directory.join(word)).filter(|path| path.is_file());
        let command = sandbox::Command {
            program: self.program.to_string_lossy().into_owned(),
            files: named.collect(),
            arguments: words,
            file: None,
            directory: self.directory.take(),
            skills: None,
        };
        let folder = Folder::of(&config.work, &Scope::default(), &Owner::Server(name.to_owned()));
        let entered =
            tokio::task::spawn_blocking(move || Sandbox::new(config)?.enter(&folder, command)).await;
        let entered = entered.map_err(|error| {
            Error::new(Code::ToolBroken, "the sandbox cannot be prepared").caused_by(&error)
        })??;
        self.program = entered.program;
        self.arguments = entered.arguments;
        self.directory = entered.directory;
        let own = entered.environment.into_iter();
        self.environment.extend(own.map(|(name, value)| (name.to_owned(), value.into())));
        Ok(entered.guard)
    }

    fn command(&self, environment: &[(String, Secret)]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(environment.iter().map(|(name, value)| (name, value.expose())));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

/// The program, with a relative path taken from where the server runs.
fn locate(program: &str, directory: Option<&Path>) -> PathBuf {
    let path = Path::new(program);
    match directory {
        Some(directory) if path.is_relative() && path.components().count() > 1 => directory.join(path),
        _ => path.to_path_buf(),
    }
}

impl Running {
    /// Waits a moment until the server has ended by itself, then kills what is left. Its input must be closed before.
    pub(super) async fn end(&mut self) {
        // In a sandbox, what it started is found by the process that was started, which must not have been waited for.
        match self.guard {
            Some(_) => tokio::time::sleep(GOODBYE).await,
            None => drop(tokio::time::timeout(PATIENCE, self.child.wait()).await),
        }
        self.kill();
        // What was killed is waited for, so that it is gone.
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
    }

    fn kill(&mut self) {
        if let (Some(guard), Some(process)) = (&self.guard, self.group) {
            guard.kill(process);
        }
        #[cfg(unix)]
        if let Some(id) =
            self.group.take().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            // It fails when all are gone already.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Said {
    /// The lines, the oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The last line, if there is one.
    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }

    /// Keeps a line.
    pub(super) fn note(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    async fn hear(&self, mut pipe: impl AsyncRead + Unpin, redactor: &Redactor) {
        let (mut chunk, mut line) = (vec![0; 4 << 10], Vec::new());
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            for byte in chunk.iter().take(count) {
                match byte {
                    b'\n' => self.end_line(&mut line, redactor),
                    _ if line.len() < LONGEST_LINE => line.push(*byte),
                    _ => {}
                }
            }
        }
        self.end_line(&mut line, redactor);
    }

    fn end_line(&self, line: &mut Vec<u8>, redactor: &Redactor) {
        let text = redactor.text(String::from_utf8_lossy(&std::mem::take(line)).into_owned());
        let text = super::clean::line(&text, LONGEST_LINE);
        if !text.is_empty() {
            self.note(text);
        }
    }
}
