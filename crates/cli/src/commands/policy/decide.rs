//! `adjutant policy decide`: decisions for programs that run a loop of their own.

use std::io::{self, BufRead};
use std::path::PathBuf;

use adjutant::agent::rules::within_task;
use adjutant::policy::Request;
use adjutant::{Asked, Decision, Decisions};
use adjutant_core::time::Clock;
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::Output;

/// The longest line, in bytes.
const LONGEST: usize = 16 << 20;

/// Answers one JSON request a line on standard input with one JSON decision a line, so that a program that runs its own loop
/// can decide by the policies of a project.
///
/// A request has `agent`, `tool` and `arguments`, and what is known beside: `principal` (`tenant`, and `user` with its `id` and
/// `claims`), `request` (the words of the user), `results` (the calls that were made before, each with `tool`, `arguments`,
/// `text` or `data`, and `label`), `approved`. A whole request, as `policy diff` and `policy explain --json` show it (it has a
/// `session`), is decided as it is, its `now` included; everything else also by what is forbidden by then. A line that cannot be read is answered with an `error`, and the next one is read.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

pub(super) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let decisions = Decisions::of(&place::load(arguments.place.as_deref(), shared)?)?;
    let mut input = io::stdin().lock();
    for number in 1.. {
        let line = match next(&mut input) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => {
                return Err(Error::new(Code::FileUnreadable, "standard input cannot be read")
                    .caused_by(&error)
                    .into());
            }
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        output.json(&answer(&line, number, &decisions))?;
    }
    Ok(Exit::Success)
}

/// The next line; none at the end. What is too long is cut, so it cannot be read.
fn next(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok((!line.is_empty()).then_some(line));
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        if line.len() <= LONGEST {
            line.extend(buffer.iter().take(taken));
        }
        let consumed = end.map_or(taken, |end| end + 1);
        input.consume(consumed);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

fn answer(line: &[u8], number: u64, decisions: &Decisions) -> Value {
    let decided = read(line).and_then(|asked| match asked {
        Line::Short(asked) => decisions.decide(&asked, adjutant::SystemClock.now()),
        Line::Whole(id, request) => {
            Ok(Decision::new(id, within_task(decisions.policies().decide(&request), &request)))
        }
    });
    match decided {
        Ok(decision) => json!(decision),
        Err(error) => json!({ "line": number, "decision": "deny", "error": error }),
    }
}

/// What stands on a line.
enum Line {
    /// What a program says that runs a loop of its own.
    Short(Box<Asked>),
    /// All that is known, as it was recorded or made up.
    Whole(Option<Value>, Box<Request>),
}

fn read(line: &[u8]) -> Result<Line> {
    if line.len() > LONGEST {
        return Err(Error::new(Code::InputInvalid, format!("the line is longer than {LONGEST} bytes")));
    }
    let invalid =
        |error: serde_json::Error| Error::new(Code::InputInvalid, format!("the line is no request: {error}"));
    let written: Value = serde_json::from_slice(line).map_err(invalid)?;
    match written.get("session") {
        Some(_) => {
            let id = written.get("id").cloned();
            Ok(Line::Whole(id, Box::new(serde_json::from_value(written).map_err(invalid)?)))
        }
        // From the text: the message says where in the line.
        None => serde_json::from_slice(line).map(|asked| Line::Short(Box::new(asked))).map_err(invalid),
    }
}
