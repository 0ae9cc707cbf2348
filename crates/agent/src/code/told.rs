//! What a program is told of its calls, and what the model is told of the program. Pure.

use std::sync::Arc;

use adjutant_core::label::Label;
use adjutant_core::message::Part;
use adjutant_core::{Code, Error};
use adjutant_tool::Output;
use adjutant_tool::code::{Chapter, End, Fault, Limit, Limits, Program};
use serde_json::Value;

use crate::returned::Returned;

/// What a call gives the program: its data where the tool has data, otherwise its text. A failure is thrown.
pub(super) fn outcome(returned: &Returned) -> Result<Value, Fault> {
    match returned {
        Returned::Output(Output { data: Some(data), .. }) => Ok(data.clone()),
        Returned::Output(output) => Ok(Value::String(text(&output.content))),
        Returned::Failed(error) | Returned::Telling(error, _) | Returned::Idle(error) => {
            let hint = error.help().map(|help| format!(" (hint: {help})")).unwrap_or_default();
            Err(Fault {
                kind: error.code().to_string(),
                message: format!("{error}{hint}"),
                ..Fault::default()
            })
        }
        // The choke point answers when a call is over, not before.
        Returned::Pending(_) => {
            let kind = Code::ToolBroken.to_string();
            Err(Fault { kind, message: "the call is not over".to_owned(), ..Fault::default() })
        }
    }
}

fn text(content: &[Part]) -> String {
    content.iter().map(|part| part.as_text().unwrap_or("[this part is no text]")).collect()
}

/// The same as one value: what a failure says is a text.
pub(crate) fn value(returned: &Returned) -> Value {
    outcome(returned).unwrap_or_else(|fault| Value::String(fault.to_string()))
}

/// The label of what a program is given. Why a call failed may repeat what somebody outside wrote.
pub(crate) fn label(returned: &Returned) -> Label {
    match returned {
        Returned::Output(output) => output.label(),
        Returned::Telling(_, label) => label.join(&Label::untrusted()),
        Returned::Failed(_) | Returned::Idle(_) | Returned::Pending(_) => Label::untrusted(),
    }
}

/// What a program gives, or why it gives nothing, with the label of all that it was given.
pub(super) fn labelled(returned: Returned, label: Label) -> Returned {
    match returned {
        Returned::Output(output) => Returned::Output(output.labelled(label)),
        Returned::Failed(error) => Returned::telling(error, &label),
        other => other,
    }
}

/// A program that failed, with the calls that it has made and that must not be made again.
pub(super) fn warned(returned: Returned, done: &[String]) -> Returned {
    const LONGEST: usize = 2_000;
    match returned {
        Returned::Failed(error) if !done.is_empty() => {
            let help = error.help().unwrap_or_default();
            let calls: String = done.join(", ").chars().take(LONGEST).collect();
            let help = format!(
                "{help}; {} of its calls have been made and stay so, leave them out: {calls}",
                done.len()
            );
            Returned::Failed(error.with_help(help))
        }
        other => other,
    }
}

/// What the model reads of a program that has ended; nothing while it has not.
pub(super) fn returned(told: &[Arc<Chapter>], program: &Program) -> Option<Returned> {
    let end = told.last()?.told.end.as_ref()?;
    let printed = printed(told);
    Some(match end {
        End::Value(value) => Returned::Output(Output {
            content: vec![Part::text(read(value, printed))],
            data: Some(value.clone()),
            ..Output::default()
        }),
        End::Fault(fault) => {
            let message = format!("{fault}{}", excerpt(&program.source, fault));
            Returned::Failed(failed(message, &printed).with_help("mend the program and run it again"))
        }
        End::Limit(limit) => {
            let (message, help) = words(*limit, &program.limits);
            Returned::Failed(failed(message, &printed).with_help(help))
        }
    })
}

/// A value, after what was printed.
fn read(value: &Value, mut printed: String) -> String {
    let value = match value {
        Value::Null if printed.is_empty() => "the program has returned and printed nothing".to_owned(),
        Value::Null => return printed,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !printed.is_empty() {
        printed.push_str("returned: ");
    }
    printed + &value
}

/// The line that a fault is in, on a line of its own.
fn excerpt(source: &str, fault: &Fault) -> String {
    const LONGEST: usize = 120;
    let line = fault.line.and_then(|line| source.lines().nth(line.saturating_sub(1) as usize));
    let shown: String = line.unwrap_or_default().trim().chars().take(LONGEST).collect();
    if shown.is_empty() { shown } else { format!("\n  {shown}") }
}

fn failed(message: String, printed: &str) -> Error {
    let message = match printed.is_empty() {
        true => message,
        false => format!("{message}\nit had printed:\n{}", printed.trim_end()),
    };
    Error::new(Code::ProgramFailed, message)
}

fn printed(told: &[Arc<Chapter>]) -> String {
    let mut text: String = told.iter().map(|chapter| chapter.told.printed.as_str()).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match told.last().map_or(0, |chapter| chapter.told.unprinted) {
        0 => text,
        bytes => format!("{text}[{bytes} bytes more were printed and are left out]\n"),
    }
}

/// Which limit a program ran into, and what to do.
fn words(limit: Limit, limits: &Limits) -> (String, &'static str) {
    match limit {
        Limit::Instructions => (
            format!("the program executed more than {} instructions, and was stopped", limits.instructions),
            "look for a loop that does not end, or do less",
        ),
        Limit::Calls => (
            format!("the program asked for more than {} calls, and was stopped", limits.calls),
            "ask for more at once, or for less",
        ),
        Limit::Memory => (
            format!("the program took more than {} bytes of memory, and was stopped", limits.memory),
            "keep less at the same time: filter and sum while you read",
        ),
        Limit::Time => (
            format!("the program worked longer than {} ms, and was killed", limits.time_ms),
            "look for work that grows too fast, or do less",
        ),
        Limit::Process => (
            "the program's process ended: it took more than the system gives, or met a flaw of the interpreter".to_owned(),
            "write it in another way",
        ),
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::time::Timestamp;
    use adjutant_tool::code::{Advance, Language};
    use serde_json::json;

    use super::*;

    fn chapter(printed: &str, unprinted: u64) -> Arc<Chapter> {
        let told = Advance { printed: printed.to_owned(), unprinted, ..Advance::default() };
        Arc::new(Chapter { given: None, told })
    }

    fn shown(end: &End, told: &[Arc<Chapter>]) -> String {
        let mut told = told.to_vec();
        let mut last = (*told.pop().unwrap_or_else(|| chapter("", 0))).clone();
        last.told.end = Some(end.clone());
        told.push(Arc::new(last));
        let program = Program {
            language: Language::Javascript,
            source: "const a = 1\n\n  a.b()".into(),
            functions: Vec::new(),
            now: Timestamp(0),
            limits: Limits::default(),
        };
        let returned = returned(&told, &program).unwrap();
        returned.result(&"1".into(), "run_program").as_text()
    }

    #[test]
    fn the_model_reads_what_was_printed_and_returned() {
        let value = |value| End::Value(value);
        assert_eq!(shown(&value(json!({ "n": 1 })), &[]), r#"{"n":1}"#);
        assert_eq!(
            shown(&value(json!("plain")), &[chapter("a\n", 0), chapter("b", 0)]),
            "a\nb\nreturned: plain"
        );
        assert_eq!(
            shown(&value(Value::Null), &[chapter("a\n", 7)]),
            "a\n[7 bytes more were printed and are left out]\n"
        );
        assert_eq!(shown(&value(Value::Null), &[]), "the program has returned and printed nothing");
    }

    #[test]
    fn the_model_reads_where_it_failed() {
        let fault = Fault { kind: "TypeError".into(), message: "no".into(), line: Some(3), column: Some(7) };
        assert_eq!(
            shown(&End::Fault(fault), &[chapter("before\n", 0)]),
            "program-failed: line 3, column 7: TypeError: no\n  a.b()\nit had printed:\nbefore\nhint: mend the program and run it again"
        );
        let stopped = shown(&End::Limit(Limit::Calls), &[]);
        assert!(
            stopped.contains("more than 100 calls") && stopped.contains("hint: ask for more at once"),
            "{stopped}"
        );
    }

    #[test]
    fn what_a_call_gives_is_data_text_or_thrown() {
        assert_eq!(outcome(&Returned::Output(Output::json(json!([1])))), Ok(json!([1])));
        assert_eq!(outcome(&Returned::Output(Output::text("[1]"))), Ok(json!("[1]")));
        // What is for the model alone is no part of it.
        let noted = Output { note: Some("the whole result is a file".to_owned()), ..Output::text("[1]") };
        assert_eq!(outcome(&Returned::Output(noted)), Ok(json!("[1]")));
        let error = Error::new(Code::ToolDenied, "not now").with_help("ask");
        let fault = outcome(&Returned::Failed(error)).unwrap_err();
        assert_eq!(fault.to_string(), "tool-denied: not now (hint: ask)");
    }

    #[test]
    fn a_program_is_trusted_as_little_as_what_it_was_given() {
        assert_eq!(label(&Returned::Output(Output::text("x"))), Label::untrusted());
        let trusted = Output::text("x").labelled(Label::default());
        assert_eq!(label(&Returned::Output(trusted)), Label::default());
    }
}
