//! The person in front of the terminal, or the program that writes to standard input.

use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal};

use adjutant_core::{Code, Error, Result};
use reedline::{DefaultPrompt, DefaultPromptSegment, Reedline, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use super::interrupts::{Interrupt, Interrupts};
use crate::screen::Output;

/// Who is there, with what they can do: type, and press Ctrl-C.
pub(crate) struct People {
    pub(crate) keyboard: Keyboard,
    pub(crate) interrupts: Interrupts,
}

impl People {
    /// Whoever is at standard input.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { keyboard: Keyboard::new(), interrupts: Interrupts::new()? })
    }

    /// Whether a person sits there.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.keyboard, Keyboard::Terminal { .. })
    }

    /// Asks whether something is to be done: only a clear yes is one. Fails with what told the program to stop instead. Without a terminal nobody agrees.
    pub(crate) async fn agrees(&mut self, question: &str, output: Output) -> Result<bool, Interrupt> {
        output.raw_talk(&format!("{question}[y]es or [n]o: "));
        let line = tokio::select! {
            biased;
            interrupt = self.interrupts.next() => {
                output.raw_talk("\n");
                return Err(interrupt);
            }
            line = self.keyboard.line() => line,
        };
        Ok(matches!(line.as_deref().map(str::trim), Some("y" | "yes")))
    }
}

/// What messages come from.
pub(crate) enum Keyboard {
    /// A person at a terminal.
    Terminal {
        /// Edits messages; lent to a thread while it does.
        editor: Option<Box<Reedline>>,
        /// How the terminal was found.
        found: Option<Box<Termios>>,
        /// Lines that were typed while the agent worked, and that came too late for it.
        kept: VecDeque<String>,
    },
    /// Anything else: one message a line. Nothing is read before somebody asks for a message.
    Pipe(Option<mpsc::Receiver<Result<String>>>),
}

impl Keyboard {
    fn new() -> Self {
        if io::stdin().is_terminal() {
            let found = tcgetattr(io::stdin()).ok().map(Box::new);
            let editor = Some(Box::new(Reedline::create()));
            return Self::Terminal { editor, found, kept: VecDeque::new() };
        }
        Self::Pipe(None)
    }

    /// The next message that is typed between turns; none at the end of the conversation.
    pub(crate) async fn message(&mut self) -> Result<Option<String>> {
        match self {
            Self::Pipe(lines) => lines.get_or_insert_with(read_lines).recv().await.transpose(),
            Self::Terminal { editor, kept, .. } => {
                if let Some(line) = kept.pop_front() {
                    return Ok(Some(line));
                }
                let Some(mut lent) = editor.take() else { return Ok(None) };
                let read = tokio::task::spawn_blocking(move || {
                    let prompt = DefaultPrompt::new(
                        DefaultPromptSegment::Basic("you".to_owned()),
                        DefaultPromptSegment::Empty,
                    );
                    let signal = lent.read_line(&prompt);
                    (lent, signal)
                });
                let failed = |error: &(dyn std::error::Error + 'static)| {
                    Error::new(Code::Internal, "the terminal cannot be read").caused_by(error)
                };
                let (lent, signal) = read.await.map_err(|error| failed(&error))?;
                *editor = Some(lent);
                match signal.map_err(|error| failed(&error))? {
                    Signal::Success(line) => Ok(Some(line)),
                    _ => Ok(None),
                }
            }
        }
    }

    /// Keeps a line as the next message.
    pub(crate) fn keep(&mut self, line: String) {
        if let Self::Terminal { kept, .. } = self {
            kept.push_back(line);
        }
    }

    /// The next line that a person types while a run works; none when there will be no more, and where nobody sits: a
    /// piped line is a message, never an answer. Safe to drop before it is ready: no line is lost.
    pub(crate) async fn line(&mut self) -> Option<String> {
        match self {
            Self::Pipe(_) => return None,
            Self::Terminal { .. } => loop {
                match tokio::task::spawn_blocking(is_typed).await {
                    Ok(Ok(true)) => break,
                    Ok(Ok(false)) => {}
                    Ok(Err(_)) | Err(_) => return None,
                }
            },
        }
        // A terminal hands over whole lines, so this does not wait.
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Keyboard {
    /// An editor that still waits for a message has changed the terminal and will not change it back.
    fn drop(&mut self) {
        if let Self::Terminal { editor: None, found: Some(found), .. } = self {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, found);
        }
    }
}

/// Reads standard input line by line, as far as somebody takes the lines.
fn read_lines() -> mpsc::Receiver<Result<String>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for (index, line) in io::stdin().lock().lines().enumerate() {
            let line = line.map_err(|error| unreadable(index + 1, &error));
            let is_last = line.is_err();
            if sender.blocking_send(line).is_err() || is_last {
                break;
            }
        }
    });
    receiver
}

/// What is wrong with a line of standard input.
fn unreadable(line: usize, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            Error::new(Code::InputInvalid, format!("line {line} of standard input is not UTF-8 text"))
                .with_help("convert it, for example with `iconv -t UTF-8`")
        }
        _ => Error::new(Code::FileUnreadable, "standard input cannot be read").caused_by(error),
    }
}

/// Whether a line was typed by now, or within a short while. It reads nothing, so whoever asks next gets the line.
fn is_typed() -> io::Result<bool> {
    let stdin = io::stdin();
    let patience = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
