//! The process of a server, and all that it starts.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::config::Process;
use crate::command::Redactor;

/// How many of the last lines of standard error are kept.
const KEPT_LINES: usize = 50;

/// How much of one line is kept, in bytes.
const LONGEST_LINE: usize = 500;

/// How long a server may take to end by itself once its input is closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running server. It is killed with its group when this is dropped.
pub(super) struct Running {
    group: Option<u32>,
    child: Child,
}

/// The last lines that a server wrote to standard error. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Arc<Mutex<VecDeque<String>>>);

/// Starts a server in a group of its own. It finds nothing in its environment but `PATH`, `HOME` and what it was given.
pub(super) fn start(
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
    let mut child = command(process, environment).spawn().map_err(|error| failed(&error))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let running = Running { group: child.id(), child };
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(Error::new(Code::Internal, "a process was started without its pipes"));
    };
    tokio::spawn(async move { said.hear(stderr, &redactor).await });
    Ok((running, stdin, stdout))
}

/// What is started: the one place where a server's process is made, and so where it is to be put into a sandbox.
fn command(process: &Process, environment: &[(String, Secret)]) -> Command {
    let (program, arguments) =
        process.command.split_first().map_or(("", &[][..]), |(program, rest)| (program, rest));
    let mut command = Command::new(locate(program, process.working_directory.as_deref()));
    command.args(arguments).env_clear();
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(environment.iter().map(|(name, value)| (name, value.expose())));
    if let Some(directory) = &process.working_directory {
        command.current_dir(directory);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
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
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        self.kill();
        // What was killed is waited for, so that it is gone.
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
    }

    fn kill(&mut self) {
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
