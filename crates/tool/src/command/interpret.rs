//! What a process that has ended means. Pure.

use std::process::ExitStatus;

use adjutant_core::time::format_duration;
use adjutant_core::{Code, Error};
use serde_json::Value;

use super::config::{Config, Exit, Format};
use super::process::{End, Finished, Printed};
use crate::failure::Failure;
use crate::output::Output;
use crate::sandbox::refused;
use crate::tool::Reconciled;

/// How long the reason of a failure may be, in characters.
const LONGEST_REASON: usize = 2_000;

/// What came of a call.
pub(crate) fn outcome(config: &Config, finished: &Finished) -> Result<Output, Failure> {
    let status = match finished.end {
        End::Exited(status) => status,
        End::Deadline => {
            let after = format_duration(config.timeout);
            let why = format!("`{}` was killed after {after}{}", config.name, bracketed(&finished.notes));
            return Err(lost(config, Code::ToolTimeout, why));
        }
        End::Cancelled => {
            let why = format!("`{}` was killed, since the call was cancelled", config.name);
            return Err(lost(config, Code::RunCancelled, why));
        }
        End::Exceeded(ref how) => {
            let why = format!("`{}` was killed, since {how}{}", config.name, bracketed(&finished.notes));
            return Err(lost(config, Code::ToolFailed, why));
        }
        End::Refused => return Err(Failure::Run(refused(&finished.said))),
    };
    let Some(code) = status.code() else {
        let why = format!("`{}` was killed by {}{}", config.name, signal(status), reason(finished));
        return Err(lost(config, Code::ToolBroken, why));
    };
    let why = format!("`{}` exited with {code}{}", config.name, reason(finished));
    match config.exit(code) {
        Exit::Done => read(config, &finished.printed).map(|output| output.noted(finished.notes.clone())),
        Exit::Failed => Err(Failure::Model(Error::new(Code::ToolFailed, why))),
        Exit::Retry => {
            Err(Failure::Model(Error::new(Code::ToolBusy, why).with_help("the same call may work later")))
        }
        Exit::Unknown => Err(Failure::Unknown(why)),
        Exit::Stop => Err(Failure::Run(Error::new(Code::ToolFailed, why))),
    }
}

/// What came of a call, as the second command says.
pub(super) fn reconciled(config: &Config, finished: &Finished) -> Result<Reconciled, Failure> {
    let broken = |why: String| Failure::Unknown(format!("the reconcile command of `{}` {why}", config.name));
    let status = match finished.end {
        End::Exited(status) => status,
        End::Deadline => return Err(broken(format!("was killed after {}", format_duration(config.timeout)))),
        End::Cancelled => return Err(broken("was cancelled".to_owned())),
        End::Exceeded(ref how) => return Err(broken(format!("was killed, since {how}"))),
        End::Refused => return Err(Failure::Run(refused(&finished.said))),
    };
    match status.code() {
        Some(0) => {}
        Some(code) => return Err(broken(format!("exited with {code}{}", reason(finished)))),
        None => return Err(broken(format!("was killed by {}{}", signal(status), reason(finished)))),
    }
    let answer: Value = serde_json::from_slice(&finished.printed.kept).unwrap_or_default();
    match answer.get("happened") {
        Some(Value::Bool(true)) => {
            let result = answer.get("result").cloned().unwrap_or_default();
            Ok(Reconciled::Happened(Output::json(result)))
        }
        Some(Value::Bool(false)) => Ok(Reconciled::NotHappened),
        Some(Value::Null) => Ok(Reconciled::Unknown),
        _ => Err(broken(format!(
            "printed no `{{\"happened\": true, \"result\": ..}}` or `{{\"happened\": false}}` but {}",
            excerpt(&finished.printed)
        ))),
    }
}

/// A failure after which the work may have been done.
fn lost(config: &Config, code: Code, why: String) -> Failure {
    if config.effect.is_repeatable() {
        Failure::from(Error::new(code, why))
    } else {
        Failure::Unknown(format!("{why}; it may have done its work before"))
    }
}

/// The result on standard output.
fn read(config: &Config, printed: &Printed) -> Result<Output, Failure> {
    let json = match config.format {
        Format::Text => None,
        _ if printed.is_cut() => None,
        _ => serde_json::from_slice::<Value>(&printed.kept).ok(),
    };
    match json {
        Some(value) => Ok(Output::json(value)),
        None if config.format == Format::Json => {
            let why = match printed.is_cut() {
                true => {
                    format!("{} bytes, more than the {} that are kept", printed.total, config.output_limit)
                }
                false => format!("no JSON but {}", excerpt(printed)),
            };
            Err(lost(config, Code::ToolBroken, format!("`{}` printed {why}", config.name)))
        }
        None => Ok(Output::text(text(printed))),
    }
}

/// Notes after whatever stands before them, told apart from what the program itself has written.
fn bracketed(notes: &[String]) -> String {
    notes.iter().map(|note| format!("\n[{note}]")).collect()
}

fn text(printed: &Printed) -> String {
    let text = String::from_utf8_lossy(&printed.kept);
    let text = text.trim_end();
    match printed.is_cut() {
        true => format!("{text}\n[cut off: these are the first {} of {} bytes]", printed.read, printed.total),
        false if text.is_empty() => "done".to_owned(),
        false => text.to_owned(),
    }
}

fn excerpt(printed: &Printed) -> String {
    let text = String::from_utf8_lossy(&printed.kept);
    let start: String = text.trim().chars().take(80).collect();
    if start.is_empty() { "nothing".to_owned() } else { format!("`{}`", start.escape_debug()) }
}

/// What the command said last, to follow its exit code.
fn reason(finished: &Finished) -> String {
    let said = match finished.said.is_empty() {
        true => String::from_utf8_lossy(&finished.printed.kept).trim().to_owned(),
        false => finished.said.clone(),
    };
    // The end says why; the beginning is often a trace.
    let skip = said.chars().count().saturating_sub(LONGEST_REASON);
    let end: String = said.chars().skip(skip).collect();
    let end = if end.is_empty() { end } else { format!(": {end}") };
    end + &bracketed(&finished.notes)
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    status.signal().map_or_else(|| "a signal".to_owned(), |number| format!("signal {number}"))
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> String {
    "the system".to_owned()
}
