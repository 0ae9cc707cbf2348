//! Puts a call that waits for a person to whoever is at the terminal.

use adjutant::agent::approval::{Decision, Request};
use adjutant::{Adjutant, Holds, Run, Verdict};
use adjutant_core::Code;
use adjutant_core::json::Json;
use serde_json::Value;
use tokio::process::Command;

use super::interrupts::Interrupt;
use super::people::People;
use super::waiting::{asked, texts};
use crate::exit::Ended;
use crate::person;
use crate::screen::{Output, Style, clean, duration};

/// What came of asking.
pub(super) enum Asked {
    /// Somebody has answered, this person or another.
    Answered,
    /// Nobody is there any more.
    Left,
    /// The program was told to stop.
    Interrupted(Interrupt),
}

/// What a person typed.
#[derive(Debug, PartialEq)]
enum Typed {
    Nothing,
    Decide(Decision, Option<Holds>),
    Edit,
    Answer,
    Explain,
}

const CHOICES: &str = "(? for more) [y]es, [n]o, or the reason why not: ";
const HELP: &str = "  y         make this call
  n         refuse it; anything else that you type is the reason, which the agent hears
  s         make it, and ask no more about this tool in this session
  s NAME..  the same for calls in which these arguments are as they are here
  e         change the arguments first
  a         answer in the place of the tool, which is not called
";

/// Asks until there is an answer that can be given.
pub(super) async fn put(
    adjutant: &Adjutant,
    run: &Run,
    people: &mut People,
    output: Output,
    signal: &str,
    request: &Json,
) -> Ended<Asked> {
    let read = request.to::<Request>().ok();
    let details = read.as_ref().map(details).unwrap_or_default();
    output.raw_talk(&format!(
        "{} {}{}\n{details}",
        output.painted(Style::Yellow, "allow"),
        clean(&asked(request)),
        texts(request)
    ));
    loop {
        let line = match line(CHOICES, people, output).await {
            Ok(Some(line)) => line,
            // Whoever leaves a question open has not answered it.
            Ok(None) => return Ok(Asked::Left),
            Err(interrupt) => return Ok(Asked::Interrupted(interrupt)),
        };
        let arguments = request.value().get("arguments").cloned().unwrap_or_default();
        let (decision, holds) = match typed(&line, &arguments) {
            Typed::Nothing => continue,
            Typed::Explain => {
                output.raw_talk(HELP);
                continue;
            }
            Typed::Decide(decision, holds) => (decision, holds),
            Typed::Edit => match edit(&arguments, people, output).await? {
                Ok(Some(arguments)) => (Decision::Edit(arguments), None),
                Ok(None) => continue,
                Err(asked) => return Ok(asked),
            },
            Typed::Answer => match line_of("the result: ", people, output).await {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => {
                    let result = serde_json::from_str(&text).unwrap_or(Value::String(text));
                    (Decision::Answer(result), None)
                }
                Err(asked) => return Ok(asked),
            },
        };
        let seen = read.as_ref().and_then(|request| request.digest);
        let verdict = Verdict { decision, by: person::named(None), seen, holds };
        match adjutant.approvals().decide(run.id(), signal, verdict).await {
            Ok(_) => {}
            // Somebody else may have been asked too, and was faster.
            Err(error) if error.code() == Code::Conflict => {
                output.aside(&format!("({})", clean(error.message())));
            }
            Err(error) if matches!(error.code(), Code::InputInvalid | Code::ToolArguments) => {
                output.raw_talk(&format!("{}\n", clean(error.message())));
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        return Ok(Asked::Answered);
    }
}

/// What a person reads beside the call, line by line; nothing where nothing more is known.
pub(crate) fn details(request: &Request) -> String {
    let mut lines = Vec::new();
    for part in request.parts() {
        if let Some(from) = &part.from {
            lines.push(format!("{}: {}", part.name, from));
        }
    }
    lines.extend(request.read_before().map(|sources| format!("read before: {sources}")));
    if !request.policies.is_empty() {
        lines.push(format!("asked by: {}", request.policies.join(", ")));
    }
    if request.effect.is_some_and(|effect| !effect.is_repeatable()) {
        lines.push(format!("next: {}", request.consequence()));
    }
    lines.iter().map(|line| format!("  {}\n", clean(line).replace('\n', " "))).collect()
}

/// How long there is to answer, in words.
pub(crate) fn time_left(request: &Request, now: adjutant_core::time::Timestamp) -> Option<String> {
    let left = request.expires?.since(now);
    Some(if left.is_zero() { "expired".to_owned() } else { format!("{} left", duration(left)) })
}

fn typed(line: &str, arguments: &Value) -> Typed {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let names: Vec<String> = words.map(str::to_owned).collect();
    let are_arguments = names.iter().all(|name| arguments.get(name).is_some());
    match (first, names.is_empty()) {
        ("", _) => Typed::Nothing,
        ("y" | "yes", true) => Typed::Decide(Decision::Approve, None),
        ("n" | "no", true) => {
            Typed::Decide(Decision::Deny(Some("refused by the person who was asked".to_owned())), None)
        }
        ("s" | "session", _) if are_arguments => {
            Typed::Decide(Decision::Approve, Some(Holds { pinned: names, ..Holds::default() }))
        }
        ("e" | "edit", true) => Typed::Edit,
        ("a" | "answer", true) => Typed::Answer,
        ("?", true) => Typed::Explain,
        _ => Typed::Decide(Decision::Deny(Some(line.to_owned())), None),
    }
}

/// Has the arguments changed, in the person's editor where they have one. None where they were left as they are.
async fn edit(arguments: &Value, people: &mut People, output: Output) -> Ended<Result<Option<Value>, Asked>> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let text = match editor.filter(|editor| !editor.trim().is_empty()) {
        Some(editor) => match in_editor(&editor, arguments).await {
            Ok(text) => text,
            Err(why) => {
                output.raw_talk(&format!("{}\n", clean(&why)));
                return Ok(Ok(None));
            }
        },
        None => match line_of(&format!("  they are {arguments}\n  new arguments: "), people, output).await {
            Ok(text) => text,
            Err(asked) => return Ok(Err(asked)),
        },
    };
    if text.trim().is_empty() {
        return Ok(Ok(None));
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(changed) if changed == *arguments => Ok(Ok(None)),
        Ok(changed) => Ok(Ok(Some(changed))),
        Err(error) => {
            output.raw_talk(&format!("that is no JSON: {error}\n"));
            Ok(Ok(None))
        }
    }
}

/// Lets an editor change the arguments in a file of its own.
async fn in_editor(editor: &str, arguments: &Value) -> Result<String, String> {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("adjutant-call-{}.json", std::process::id()));
    let text = serde_json::to_string_pretty(arguments).map_err(|error| error.to_string())?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written =
        options.open(&path).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
    // As the shell would read it: the variable may hold arguments.
    let mut words = editor.split_whitespace();
    let edited = Command::new(words.next().unwrap_or_default()).args(words).arg(&path).status().await;
    let read = std::fs::read_to_string(&path);
    let _ = std::fs::remove_file(&path);
    match edited {
        Ok(status) if status.success() => {
            read.map_err(|error| format!("what was written cannot be read: {error}"))
        }
        Ok(_) => Ok(String::new()),
        Err(error) => Err(format!("`{editor}` cannot be started: {error}")),
    }
}

/// A line, or what came of asking where none is typed any more.
async fn line_of(prompt: &str, people: &mut People, output: Output) -> Result<String, Asked> {
    match line(prompt, people, output).await {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(Asked::Left),
        Err(interrupt) => Err(Asked::Interrupted(interrupt)),
    }
}

async fn line(prompt: &str, people: &mut People, output: Output) -> Result<Option<String>, Interrupt> {
    output.raw_talk(prompt);
    let line = tokio::select! {
        biased;
        interrupt = people.interrupts.next() => {
            output.raw_talk("\n");
            return Err(interrupt);
        }
        line = people.keyboard.line() => line,
    };
    if !people.is_terminal() || line.is_none() {
        output.raw_talk("\n");
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_typed_is_a_decision_or_a_reason() {
        let arguments = json!({ "to": "ann", "text": "hi" });
        let typed = |line: &str| typed(line, &arguments);
        let denied = |why: &str| Typed::Decide(Decision::Deny(Some(why.to_owned())), None);
        let held = |names: &[&str]| {
            let pinned = names.iter().map(|name| (*name).to_owned()).collect();
            Typed::Decide(Decision::Approve, Some(Holds { pinned, ..Holds::default() }))
        };
        assert_eq!(typed(" y "), Typed::Decide(Decision::Approve, None));
        assert_eq!(typed("n"), denied("refused by the person who was asked"));
        assert_eq!(typed("no milk today"), denied("no milk today"));
        assert_eq!(typed("s"), held(&[]));
        assert_eq!(typed("s to"), held(&["to"]));
        assert_eq!(typed("s is too much"), denied("s is too much"));
        assert_eq!(typed("e"), Typed::Edit);
        assert_eq!(typed("a"), Typed::Answer);
        assert_eq!(typed("?"), Typed::Explain);
        assert_eq!(typed(""), Typed::Nothing);
    }
}
