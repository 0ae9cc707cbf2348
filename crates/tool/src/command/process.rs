//! Runs one process to its end, and leaves nothing of it behind.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::redact::Redactor;
use crate::artifact::Work;
use crate::context::Context;
use crate::sandbox::{self, Folder, Guard, Sandbox};

/// How long a pipe may stay open after the process has ended and its group was killed.
const GRACE: Duration = Duration::from_millis(500);

/// How much of one line of standard error is passed on, in bytes.
const LONGEST_LINE: usize = 500;

/// How many lines of standard error are passed on as progress.
const MOST_LINES: usize = 1_000;

/// How many of the last lines of standard error are kept as the reason of a failure.
const KEPT_LINES: usize = 40;

/// How much of a pipe is read at once, in bytes.
const CHUNK: usize = 16 << 10;

/// What is to be run.
pub(crate) struct Job {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) environment: Vec<(String, Secret)>,
    pub(crate) input: Vec<u8>,
    pub(crate) output_limit: usize,
    pub(crate) redactor: Redactor,
    /// Watches the sandbox that the command line is for.
    pub(crate) guard: Option<Guard>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself, or by somebody else's signal.
    Exited(ExitStatus),
    /// It was killed at the deadline.
    Deadline,
    /// It was killed since the call was cancelled.
    Cancelled,
    /// It was killed since it took more than it may.
    Exceeded(String),
    /// Nothing ran: the sandbox could not be made.
    Refused,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) end: End,
    pub(crate) printed: Printed,
    /// The last lines of standard error.
    pub(crate) said: String,
    /// What the sandbox has to say to the model, one thing each.
    pub(crate) notes: Vec<String>,
}

/// The first part of standard output.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    pub(crate) kept: Vec<u8>,
    /// How many bytes there were in all.
    pub(crate) total: u64,
    /// How many of them were kept.
    pub(crate) read: u64,
}

impl Printed {
    pub(crate) fn is_cut(&self) -> bool {
        self.total > self.read
    }

    /// Reads to the end and keeps the first `limit` bytes.
    async fn read(&mut self, mut pipe: impl AsyncRead + Unpin, limit: usize) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            self.total += count as u64;
            let room = limit.saturating_sub(self.kept.len()).min(count);
            self.kept.extend(chunk.iter().take(room));
            self.read += room as u64;
        }
    }
}

/// Standard error, line by line.
#[derive(Default)]
struct Said {
    line: Vec<u8>,
    count: usize,
    last: VecDeque<String>,
}

impl Said {
    async fn read(&mut self, mut pipe: impl AsyncRead + Unpin, redactor: &Redactor, context: &Context) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            for byte in chunk.iter().take(count) {
                match byte {
                    b'\n' => self.end_line(redactor, context),
                    _ if self.line.len() < LONGEST_LINE => self.line.push(*byte),
                    _ => {}
                }
            }
        }
        self.end_line(redactor, context);
    }

    fn end_line(&mut self, redactor: &Redactor, context: &Context) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
        let line = redactor.text(line);
        if line.is_empty() {
            return;
        }
        self.count += 1;
        if self.count <= MOST_LINES {
            context.progress(line.clone());
        }
        if self.last.len() == KEPT_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn into_text(self) -> String {
        Vec::from(self.last).join("\n")
    }
}

impl Job {
    /// Makes the command line one that runs `command` in a sandbox, in the folder of the session.
    pub(crate) async fn enter(
        &mut self,
        sandbox: Arc<Sandbox>,
        command: sandbox::Command,
        context: &Context,
    ) -> Result<(), Error> {
        let folder = match context.resource::<Work>() {
            Ok(work) => work.folder(context),
            Err(_) => Folder::of(&sandbox.config().work, context.scope(), &context.owner()),
        };
        let entered = tokio::task::spawn_blocking(move || sandbox.enter(&folder, command)).await;
        let entered = entered.map_err(|error| {
            Error::new(Code::ToolBroken, "the sandbox cannot be prepared").caused_by(&error)
        })??;
        self.program = entered.program;
        self.arguments = entered.arguments;
        self.directory = entered.directory;
        // What the configuration says comes last, and wins.
        let given = std::mem::take(&mut self.environment);
        self.environment = entered
            .environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect();
        self.environment.extend(given);
        let told = context.clone();
        entered.guard.tell_refusals(Arc::new(move |refusal| told.progress(note(&refusal))));
        self.guard = Some(entered.guard);
        Ok(())
    }

    /// Starts the process. An error means that nothing ran.
    fn start(&self) -> io::Result<Group> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value.expose())));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        let id = child.id();
        if let (Some(guard), Some(id)) = (&self.guard, id) {
            guard.started(id);
        }
        Ok(Group { id, child })
    }

    /// Runs the process to its end, its deadline or its cancellation. An error means that nothing ran.
    pub(crate) async fn run(self, deadline: Instant, context: &Context) -> io::Result<Finished> {
        let mut group = self.start()?;
        let (guard, process) = (self.guard.as_ref(), group.id.unwrap_or_default());
        let exceeded = async {
            match guard {
                Some(guard) => guard.exceeded(process).await,
                None => std::future::pending().await,
            }
        };
        let (stdin, stdout, stderr) =
            (group.child.stdin.take(), group.child.stdout.take(), group.child.stderr.take());
        let (mut printed, mut said) = (Printed::default(), Said::default());
        let end = {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // A command that does not read its arguments is no error.
                    let _ = stdin.write_all(&self.input).await;
                }
            };
            let hear = async {
                if let Some(stdout) = stdout {
                    printed.read(stdout, self.output_limit).await;
                }
            };
            let listen = async {
                if let Some(stderr) = stderr {
                    said.read(stderr, &self.redactor, context).await;
                }
            };
            let talk = futures::future::join3(feed, hear, listen);
            tokio::pin!(talk, exceeded);
            let cancelled = context.cancelled();
            let mut talking = true;
            let end = loop {
                tokio::select! {
                    biased;
                    status = group.child.wait() => break End::Exited(status?),
                    () = cancelled.cancelled() => break End::Cancelled,
                    why = &mut exceeded => break End::Exceeded(why),
                    () = tokio::time::sleep_until(deadline.into()) => break End::Deadline,
                    _ = &mut talk, if talking => talking = false,
                }
            };
            // Also after an ordinary end: what it left running would hold the pipes open, or stay for ever.
            if let (Some(guard), false) = (guard, matches!(end, End::Exited(_))) {
                guard.kill(process);
            }
            group.kill();
            if talking {
                let _ = tokio::time::timeout(GRACE, talk).await;
            }
            end
        };
        // What was killed is waited for, so that it is gone when the call has ended.
        let _ = tokio::time::timeout(GRACE, group.child.wait()).await;
        group.id = None;
        let end = match (guard, end) {
            (Some(guard), End::Exited(status)) => match guard.ended() {
                Some(why) => End::Exceeded(why),
                None if status.code().is_some() && !guard.ran() => End::Refused,
                None => End::Exited(status),
            },
            (_, end) => end,
        };
        let mut notes: Vec<String> =
            guard.map(Guard::refusals).unwrap_or_default().iter().map(|refusal| note(refusal)).collect();
        if let Some(guard) = self.guard {
            guard.gone().await;
            let changes = tokio::task::spawn_blocking(move || guard.changes()).await;
            notes.extend(changes.unwrap_or_default());
        }
        printed.kept = self.redactor.bytes(printed.kept);
        Ok(Finished { end, printed, said: said.into_text(), notes })
    }
}

/// A refusal of the proxy, as people and models read it.
fn note(refusal: &str) -> String {
    format!("the sandbox's proxy refused a connection: {refusal}")
}

/// A process and all that it started. Killed when dropped.
struct Group {
    id: Option<u32>,
    child: Child,
}

impl Group {
    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(id) =
            self.id.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            // It fails when all are gone already. The number of a group is not given to another process while a
            // member of the group lives, and numbers are handed out in turn, so nobody else is hit.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.id.is_some() {
            self.kill();
        }
    }
}
