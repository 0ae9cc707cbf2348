//! The two streams of the process.

use std::io::{self, IsTerminal, Write};

use adjutant_core::json::Json;
use adjutant_core::{Code, Error};
use serde::Serialize;

use super::clean::clean;
use super::style::{ColorChoice, Style};
use crate::exit::{Ended, Failure};

/// Where commands write: data to standard output, talk to standard error.
///
/// Talk that cannot be written is given up: nobody listens, and the command still does its work. Data that cannot be
/// written ends the command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether data is to be JSON.
    pub(crate) json: bool,
    /// Whether a person sees the data at once.
    pub(crate) interactive: bool,
    /// Whether data may be styled.
    pub(crate) data_colored: bool,
    /// Whether talk may be styled.
    pub(crate) talk_colored: bool,
    /// Characters in a line of the terminal.
    pub(crate) width: usize,
}

impl Output {
    /// The streams of this process.
    pub(crate) fn new(color: ColorChoice, json: bool) -> Self {
        Self {
            json,
            interactive: io::stdout().is_terminal(),
            data_colored: color.applies_to(&io::stdout()),
            talk_colored: color.applies_to(&io::stderr()),
            width: terminal_size::terminal_size()
                .map_or(100, |(width, _)| usize::from(width.0))
                .clamp(40, 120),
        }
    }

    /// Writes data as it is.
    pub(crate) fn data(&self, text: &str) -> Ended<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Error::new(Code::FileUnreadable, "the output cannot be written").caused_by(&error).into(),
        })
    }

    /// Writes text that others wrote: made safe for a terminal, as it is for a program.
    pub(crate) fn foreign(&self, text: &str) -> Ended<()> {
        if self.interactive { self.data(&clean(text)) } else { self.data(text) }
    }

    /// Writes one line of data.
    pub(crate) fn line(&self, text: &str) -> Ended<()> {
        self.data(&format!("{text}\n"))
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Ended<()> {
        self.line(Json::of(value)?.as_str())
    }

    /// Says something to the person in front of the terminal.
    pub(crate) fn talk(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", clean(text));
    }

    /// Says something less important.
    pub(crate) fn aside(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", self.painted(Style::Dim, &clean(text)));
    }

    /// Writes talk that is made already, without a line break after it.
    pub(crate) fn raw_talk(&self, text: &str) {
        let mut stderr = io::stderr();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    /// Text for talk in a style.
    pub(crate) fn painted(&self, style: Style, text: &str) -> String {
        style.paint(text, self.talk_colored)
    }

    /// Text for data in a style.
    pub(crate) fn shaded(&self, style: Style, text: &str) -> String {
        style.paint(text, self.data_colored)
    }
}
