//! [`Live`]: one child process with its program.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use adjutant_core::{Code, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::advance::{Advance, Completion, End};
use super::child::ARGUMENT;
use super::interpreter::Interpreter;
use super::program::{Limits, Program};
use super::protocol::{Begin, LONGEST_SAID, Ready, VERSION};

/// How long a child may take until it is ready.
const START: Duration = Duration::from_secs(10);

/// Why a child gave no advance.
pub(super) enum Lost {
    /// It worked too long.
    Late,
    /// It is gone, or says what it must not say.
    Gone,
}

/// One child process with its program. Killed when dropped.
pub(super) struct Live {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    engine: String,
    limits: Limits,
    functions: Vec<String>,
    /// How many advances it has made.
    pub(super) advances: usize,
    calls: u32,
    printed: usize,
}

impl Live {
    /// Starts a child with a program, which begins with the first advance.
    ///
    /// Fails with [`Code::InterpreterUnavailable`].
    pub(super) async fn start(interpreter: &Interpreter, program: &Program) -> Result<Self> {
        let executable = interpreter.executable()?;
        let shown = executable.display().to_string();
        let broken = |why: String| {
            Error::new(Code::InterpreterUnavailable, format!("`{shown}` does not interpret programs: {why}"))
                .with_help(
                    "name an executable that calls `adjutant::tool::first_in_main()` first thing in `main`",
                )
        };
        let mut command = Command::new(&executable);
        command.arg(ARGUMENT).env_clear().env("TZ", "UTC0").current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The keys that interrupt the parent at a terminal are not for the child.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| broken(error.to_string()))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken("it has no pipes".to_owned()));
        };
        let mut output = BufReader::new(output);
        let begin = Begin { version: VERSION, program: program.clone() };
        let ready = async {
            write(&mut input, &begin).await?;
            read::<Ready>(&mut output).await
        };
        let ready = match tokio::time::timeout(START, ready).await {
            Ok(ready) => ready.map_err(|error| broken(error.to_string()))?,
            Err(_) => return Err(broken("it does not answer".to_owned())),
        };
        if ready.version != VERSION {
            return Err(broken(format!("it speaks version {}, not {VERSION}", ready.version)));
        }
        if let Some(why) = ready.unconfined {
            let message = format!("this machine cannot confine an interpreter: {why}");
            return Err(Error::new(Code::InterpreterUnavailable, message));
        }
        let (limits, functions) = (program.limits, program.functions.clone());
        Ok(Self {
            child,
            input,
            output,
            engine: ready.engine,
            limits,
            functions,
            advances: 0,
            calls: 0,
            printed: 0,
        })
    }

    /// Gives it what it waits for, and waits until it wants more.
    pub(super) async fn advance(
        &mut self,
        given: Option<&Completion>,
        within: Duration,
    ) -> Result<Advance, Lost> {
        let began = Instant::now();
        let talk = async {
            if let Some(given) = given {
                write(&mut self.input, given).await?;
            }
            read::<Advance>(&mut self.output).await
        };
        let mut advance = match tokio::time::timeout(within, talk).await {
            Ok(Ok(advance)) => advance,
            Ok(Err(_)) => return Err(Lost::Gone),
            Err(_) => {
                let _ = self.child.start_kill();
                return Err(Lost::Late);
            }
        };
        self.advances += 1;
        if !self.is_possible(&advance) {
            return Err(Lost::Gone);
        }
        advance.engine.clone_from(&self.engine);
        // What the child says of its time is not believed.
        advance.took_ms = advance.took_ms.min(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        Ok(advance)
    }

    /// Whether what the child says can be: it may have been taken over by the program.
    fn is_possible(&mut self, advance: &Advance) -> bool {
        for asked in &advance.asked {
            let is_next = asked.id == self.calls && self.calls < self.limits.calls;
            if !is_next || !self.functions.contains(&asked.name) || !asked.arguments.is_object() {
                return false;
            }
            self.calls += 1;
        }
        self.printed += advance.printed.len();
        let longest = self.limits.output as usize;
        let value = match &advance.end {
            Some(End::Value(value)) => value.to_string().len(),
            _ => 0,
        };
        // The text of a value may be longer than the interpreter's: numbers are written otherwise.
        self.printed <= longest && value <= longest.saturating_mul(2)
    }
}

async fn write<T: Serialize>(to: &mut ChildStdin, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

async fn read<T: DeserializeOwned>(from: &mut BufReader<ChildStdout>) -> io::Result<T> {
    let mut line = Vec::new();
    (&mut *from).take(LONGEST_SAID).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(serde_json::from_slice(&line)?),
        Some(_) => Err(io::Error::other("it says more than it may")),
        None => Err(io::Error::other("it has ended")),
    }
}
