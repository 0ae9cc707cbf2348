//! `adjutant policy explain`: why something was decided so.

use adjutant::agent::rules::Decided;
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
use crate::prove::{changes, in_words, outcome};
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
    let policies = pinned(&adjutant, &run).await?.ok_or_else(|| {
        Error::new(Code::NotFound, format!("the run `{}` was decided by no policies", run.id()))
            .with_help("what it may do stands in the definition of its agent")
    })?;
    let mut decided = of_run(&adjutant, &run).await?;
    if let Some(step) = &arguments.step {
        decided.retain(|decided| is_meant(decided, step));
        if decided.is_empty() {
            let message = format!("nothing was decided in the run `{}` at `{step}`", run.id());
            let help = format!("`adjutant policy explain {}` shows all that was", run.id());
            return Err(Error::new(Code::NotFound, message).with_help(help).into());
        }
    }
    if output.json {
        let all: Vec<Value> = decided.iter().map(|decided| as_json(decided, &policies)).collect();
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
        tell(decided, &policies, output)?;
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

fn tell(decided: &Decided, policies: &Policies, output: Output) -> Ended<()> {
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
    for name in named {
        match written(policies, name) {
            Some((file, line, text)) => {
                output.line(&format!("  by `{name}`, {file}:{line}"))?;
                text.lines().try_for_each(|line| output.foreign(&format!("    {line}\n")))?;
            }
            // What stops a run that is under way is newer than what the run has pinned.
            None => output.line(&format!("  by `{name}`, which is newer than the run"))?,
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
    for (change, after) in otherwise(policies, &decided.request, decision) {
        output.foreign(&format!("  if {change}: {}\n", outcome(&after.outcome)))?;
    }
    Ok(())
}

/// The single facts that would have made it less severe, each tried by deciding again.
fn otherwise(policies: &Policies, request: &Request, decision: &Outcome) -> Vec<(String, Verdict)> {
    let severe = matches!(decision, Outcome::Ask | Outcome::Deny);
    let all = if severe { changes(policies, request) } else { Vec::new() };
    let tried = all.into_iter().map(|(change, request)| (change, policies.decide(&request)));
    tried.filter(|(_, after)| after.outcome < *decision).collect()
}

/// Where a policy stands, and its text.
fn written(policies: &Policies, name: &str) -> Option<(String, usize, String)> {
    let (_, file, line) = policies.places().find(|(id, ..)| *id == name)?;
    let text = policies.set().policy(&PolicyId::new(name))?.to_string();
    Some((file.to_owned(), line, text))
}

fn as_json(decided: &Decided, policies: &Policies) -> Value {
    let named = decided.verdict.policies.iter().map(|name| match written(policies, name) {
        Some((file, line, text)) => json!({ "id": name, "file": file, "line": line, "text": text }),
        None => json!({ "id": name }),
    });
    let otherwise = otherwise(policies, &decided.request, &decided.verdict.outcome);
    let otherwise = otherwise.iter().map(|(change, after)| json!({ "if": change, "outcome": after.outcome }));
    json!({
        "step": decided.key,
        "at": decided.at,
        "request": decided.request,
        "verdict": decided.verdict,
        "policies": named.collect::<Vec<_>>(),
        "otherwise": otherwise.collect::<Vec<_>>(),
    })
}
