//! `adjutant policy decide`: decisions for programs that run a loop of their own.

use std::io::{self, BufRead};
use std::path::PathBuf;

use adjutant::agent::rules::within_task;
use adjutant::policy::cedar::Policies;
use adjutant::policy::{Outcome, Request, Verdict};
use adjutant::tool::Registry;
use adjutant_core::time::Clock;
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::{Map, Value, json};

use super::ask::Asked;
use super::load;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// The longest line, in bytes.
const LONGEST: usize = 16 << 20;

/// Answers one JSON request a line on standard input with one JSON decision a line, so that a program that runs its own loop
/// can decide by the policies of a project.
///
/// A request has `agent`, `tool` and `arguments`, and what is known beside: `principal` (`tenant`, and `user` with its `id` and
/// `claims`), `request` (the words of the user), `results` (the calls that were made before, each with `tool`, `arguments`,
/// `text` or `data`, and `label`), `approved`. A whole request, as `policy diff` and `policy explain --json` show it (it has a
/// `session`), is decided as it is, its `now` included. A line that cannot be read is answered with an `error`, and the next one is read.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

pub(super) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, policies) = load(arguments.place.as_deref(), shared)?;
    let tools = project.reachable_tools();
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
        output.json(&answer(&line, number, &policies, &tools))?;
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

fn answer(line: &[u8], number: u64, policies: &Policies, tools: &Registry) -> Value {
    let decided = read(line).and_then(|asked| match asked {
        Line::Short(asked) => {
            let id = asked.id.clone();
            let request = asked.request(tools, policies.schema(), adjutant::SystemClock.now())?;
            Ok((id, policies.decide(&request)))
        }
        Line::Whole(id, request) => Ok((id, within_task(policies.decide(&request), &request))),
    });
    match decided {
        Ok((id, verdict)) => shown(id, &verdict),
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

fn shown(id: Option<Value>, verdict: &Verdict) -> Value {
    let (word, kinds) = match &verdict.outcome {
        Outcome::Allow => ("allow", None),
        Outcome::Redact(kinds) => ("redact", Some(kinds)),
        Outcome::Ask => ("ask", None),
        Outcome::Deny => ("deny", None),
    };
    let mut shown = Map::new();
    shown.extend(id.map(|id| ("id".to_owned(), id)));
    shown.insert("decision".to_owned(), json!(word));
    shown.insert("policies".to_owned(), json!(verdict.policies));
    shown.insert("reason".to_owned(), json!(verdict.reason));
    let more = [
        ("tell", verdict.tell.as_ref().map(|tell| json!(tell))),
        ("redact", kinds.map(|kinds| json!(kinds))),
        ("watched", verdict.watched.as_ref().map(|watched| json!(watched))),
        ("version", verdict.version.map(|version| json!(version))),
    ];
    shown.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    Value::Object(shown)
}
