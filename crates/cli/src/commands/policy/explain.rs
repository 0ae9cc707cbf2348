//! `adjutant policy explain`: why something was decided so.

use std::sync::Arc;

use adjutant::agent::rules::{Decided, Later, by_definition, within_task};
use adjutant::policy::cedar::Policies;
use adjutant::policy::{Outcome, Request, Verdict};
use adjutant_core::{Code, Error};
use cedar_policy::PolicyId;
use clap::Args;
use serde_json::{Value, json};

use super::replay::{of_run, pinned};
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::prove::{agreed, changes, in_words, outcome};
use crate::screen::{Output, Style};

/// Says why a run's calls were decided as they were: what was known, the policies that decided, with their text and line, and
/// what would have had to be otherwise. It is read from the run's journal and the policies that it has pinned.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// The end of a step's path, or the name of a tool; otherwise everything that was decided.
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let adjutant = place::open_in_part(shared, output)?;
    let run = adjutant.find(&arguments.run).await?;
    let pinned = pinned(&adjutant, &run).await?;
    let mut decided = of_run(&adjutant, &run).await?;
    // Without policies a task may be narrowed, and that is decided, too.
    if pinned.is_none() && decided.is_empty() {
        let message = format!("the run `{}` was decided by no policies", run.id());
        let help = "what it may do stands in the definition of its agent";
        return Err(Error::new(Code::NotFound, message).with_help(help).into());
    }
    let project = adjutant.project();
    let deciding = Deciding { pinned, now: project.policies().map(Option::<&_>::cloned) };
    if let Some(step) = &arguments.step {
        decided.retain(|decided| is_meant(decided, step));
        if decided.is_empty() {
            let message = format!("nothing was decided in the run `{}` at `{step}`", run.id());
            let help = format!("`adjutant policy explain {}` shows all that was", run.id());
            return Err(Error::new(Code::NotFound, message).with_help(help).into());
        }
    }
    if output.json {
        let all: Vec<Value> = decided.iter().map(|decided| as_json(decided, &deciding)).collect();
        output.json(&all)?;
        return Ok(Exit::Success);
    }
    if decided.is_empty() {
        output.talk("nothing was decided in this run");
    }
    for (index, decided) in decided.iter().enumerate() {
        if index > 0 {
            output.line("")?;
        }
        tell(decided, &deciding, output)?;
    }
    Ok(Exit::Success)
}

/// Whether a step was typed: the end of its path, that of the call around it, or the tool.
fn is_meant(decided: &Decided, typed: &str) -> bool {
    let path = decided.key.as_str();
    let ending = typed.trim_matches('/');
    let around = decided.key.scope();
    let of_tool =
        matches!(&decided.request.action, adjutant::policy::facts::Action::Tool(tool) if tool == typed);
    of_tool || (!ending.is_empty() && (path.ends_with(ending) || around.as_str().ends_with(ending)))
}

fn tell(decided: &Decided, deciding: &Deciding, output: Output) -> Ended<()> {
    let Verdict { outcome: decision, reason, policies: named, tell, watched, .. } = &decided.verdict;
    let style = match decision {
        Outcome::Allow | Outcome::Redact(_) => Style::Green,
        Outcome::Ask => Style::Yellow,
        Outcome::Deny => Style::Red,
    };
    output.line(&format!("{}: {}", decided.key, output.painted(style, &outcome(decision))))?;
    output.foreign(&format!("  {reason}\n"))?;
    for line in in_words(&decided.request) {
        output.foreign(&format!("  - {line}\n"))?;
    }
    match decided.request.within_task {
        Some(true) => output.line("  narrowing: it is within what the task needs, as its user has put it")?,
        Some(false) => output.line(
            "  narrowing: it is outside of what the task needs, as its user has put it, so a person is asked",
        )?,
        None => {}
    }
    for name in named {
        match deciding.written(name) {
            Some(Written { file, line, text, is_newer }) => {
                let newer = if is_newer { ", which is newer than the run" } else { "" };
                output.line(&format!("  by `{name}`, {file}:{line}{newer}"))?;
                text.lines().try_for_each(|line| output.foreign(&format!("    {line}\n")))?;
            }
            // What stopped the run was newer than what it has pinned, and is taken back.
            None => output.line(&format!("  by `{name}`, which was newer than the run"))?,
        }
    }
    if named.is_empty() && *decision == Outcome::Deny {
        output.line("  by no policy: what nothing permits is denied")?;
    }
    if let Some(watched) = watched {
        let by = watched.policies.join(", ");
        output.foreign(&format!("  if all were enforced: {} ({by})\n", outcome(&watched.outcome)))?;
    }
    if let Some(tell) = tell {
        output.foreign(&format!("  the model was told: {tell}\n"))?;
    }
    for later in &decided.later {
        output.foreign(&format!("  {}\n", deciding.in_words(later, &decided.request)))?;
    }
    for (change, after) in deciding.otherwise(decided) {
        output.foreign(&format!("  if {change}: {}\n", outcome(&after.outcome)))?;
    }
    Ok(())
}

/// What decides what a run does.
struct Deciding {
    /// What it has pinned; none where the definition of its agent decides, and the narrowing of its task.
    pinned: Option<Policies>,
    /// The policies of the project as they are now, whose forbids hold for it, too. What cannot be read forbids everything.
    now: Result<Option<Arc<Policies>>, Error>,
}

/// A policy as it is written.
struct Written {
    file: String,
    line: usize,
    text: String,
    /// Whether the run has not pinned it.
    is_newer: bool,
}

impl Deciding {
    /// Decides as it is done before a call. None where that cannot be told.
    fn decide(&self, request: &Request) -> Option<Verdict> {
        let verdict = self.pinned.as_ref().map_or_else(by_definition, |pinned| pinned.decide(request));
        let verdict = within_task(verdict, request);
        let now = self.now.as_ref().ok()?;
        Some(match now.as_ref().and_then(|now| now.decide_forbids(request)) {
            Some(forbidden) => verdict.stricter(forbidden),
            None => verdict,
        })
    }

    /// The single facts that would have made it less severe, each tried by deciding again. None where what decided then does
    /// not decide any more, or something else denied it later: nobody can say what that would have said.
    fn otherwise(&self, decided: &Decided) -> Vec<(String, Verdict)> {
        let Decided { request, verdict, .. } = decided;
        let denied_later = decided.later.iter().any(|later| matches!(later, Later::Denied { .. }));
        let severe = matches!(verdict.outcome, Outcome::Ask | Outcome::Deny) && !denied_later;
        let again = self.decide(request).filter(|_| severe);
        if again
            .is_none_or(|again| (&again.outcome, &again.policies) != (&verdict.outcome, &verdict.policies))
        {
            return Vec::new();
        }
        let tried = match &self.pinned {
            Some(pinned) => changes(pinned, request),
            None => vec![agreed(request)],
        };
        let tried = tried.into_iter();
        let tried = tried.filter_map(|(change, request)| Some((change, self.decide(&request)?)));
        tried.filter(|(_, after)| after.outcome < verdict.outcome).collect()
    }

    /// What else had a say, in a line.
    fn in_words(&self, later: &Later, request: &Request) -> String {
        let person = |by: &Option<String>| by.clone().unwrap_or_else(|| "a person".to_owned());
        match later {
            Later::Asked { why } => format!("then a person was asked: {why}"),
            Later::Approved { by, edited: false } => format!("then {} agreed", person(by)),
            Later::Approved { by, edited: true } => {
                format!("then {} changed the call, and agreed", person(by))
            }
            Later::Answered => "then a person answered in the tool's place".to_owned(),
            Later::Granted { grant, by } => {
                format!("then it was allowed by the grant `{grant}`, which {by} gave beforehand")
            }
            Later::Denied { why } => {
                let now = self.now.as_ref().ok().and_then(Option::as_deref);
                let forbidden = now.and_then(|now| now.decide_forbids(request));
                let by = match forbidden.filter(|forbidden| forbidden.outcome == Outcome::Deny) {
                    Some(forbidden) => format!(" (forbidden now by {})", forbidden.policies.join(", ")),
                    None => String::new(),
                };
                format!("then it was not made: {why}{by}")
            }
        }
    }

    /// Where a policy stands, and its text.
    fn written(&self, name: &str) -> Option<Written> {
        let now = self.now.as_ref().ok().and_then(Option::as_deref);
        let sets = [(self.pinned.as_ref(), false), (now, true)];
        sets.into_iter().find_map(|(policies, is_newer)| {
            let (_, file, line) = policies?.places().find(|(id, ..)| *id == name)?;
            let text = policies?.set().policy(&PolicyId::new(name))?.to_string();
            Some(Written { file: file.to_owned(), line, text, is_newer })
        })
    }
}

fn as_json(decided: &Decided, deciding: &Deciding) -> Value {
    let named = decided.verdict.policies.iter().map(|name| match deciding.written(name) {
        Some(Written { file, line, text, is_newer }) => {
            json!({ "id": name, "file": file, "line": line, "text": text, "newer": is_newer })
        }
        None => json!({ "id": name, "newer": true }),
    });
    let otherwise = deciding.otherwise(decided);
    let otherwise = otherwise.iter().map(|(change, after)| json!({ "if": change, "outcome": after.outcome }));
    json!({
        "step": decided.key,
        "at": decided.at,
        "request": decided.request,
        "verdict": decided.verdict,
        "policies": named.collect::<Vec<_>>(),
        "later": decided.later,
        "otherwise": otherwise.collect::<Vec<_>>(),
    })
}
