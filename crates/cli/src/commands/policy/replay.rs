//! `adjutant policy replay`: past runs against proposed policies.

use std::path::PathBuf;

use adjutant::agent::Definition;
use adjutant::agent::rules::{Decided, decisions, past, within_task};
use adjutant::durable::{Admission, Entry, Record};
use adjutant::policy::Verdict;
use adjutant::policy::facts::Past;
use adjutant::{Adjutant, Run};
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::json;

use super::proposed;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::prove::{in_words, outcome};
use crate::screen::{Output, count};

/// Decides what past runs did by proposed policies, and shows what would be decided otherwise.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The runs; otherwise the newest ones.
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// What is proposed: a folder with a whole set, or a file that is added to the set of the project. Otherwise the
    /// policies of the project as they are now.
    #[arg(long, value_name = "PROPOSED")]
    policies: Option<PathBuf>,
    /// How many of the newest runs.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, conflicts_with = "runs")]
    newest: usize,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let adjutant = place::open(None, shared)?;
    let project = adjutant.project();
    let now = project.policies()?.cloned();
    let proposed = match (&arguments.policies, now) {
        (Some(path), now) => {
            std::sync::Arc::new(proposed::read(path, now.as_deref(), &project.policy_schema())?)
        }
        (None, Some(now)) => now,
        (None, None) => {
            return Err(Error::new(Code::NotFound, "the project has no policies to decide by")
                .with_help("name some: `--policies FOLDER`")
                .into());
        }
    };
    let mut seen = 0;
    let mut changes = Vec::new();
    let runs = chosen(arguments, &adjutant).await?;
    for run in &runs {
        for decided in of_run(&adjutant, run).await? {
            seen += 1;
            // What was recorded has it, too: what is proposed changes nothing about what the task needs.
            let after = within_task(proposed.decide(&decided.request), &decided.request);
            if after.outcome != decided.verdict.outcome {
                changes.push((run.id().clone(), decided, after));
            }
        }
    }
    if output.json {
        let changes: Vec<_> = changes
            .iter()
            .map(|(run, decided, after)| {
                json!({ "run": run, "step": decided.key, "at": decided.at, "request": decided.request,
                        "before": decided.verdict, "after": after })
            })
            .collect();
        output.json(&json!({ "runs": runs.len(), "decisions": seen, "changes": changes }))?;
        return Ok(Exit::Success);
    }
    output.line(&format!(
        "{} of {}: {} would be decided otherwise",
        count(seen, "decision"),
        count(runs.len() as u64, "run"),
        changes.len()
    ))?;
    for (run, decided, after) in &changes {
        output.line(&format!("\nrun {run} at {}", decided.key))?;
        for line in in_words(&decided.request) {
            output.foreign(&format!("  {line}\n"))?;
        }
        output.foreign(&format!("  was: {}\n", told(&decided.verdict)))?;
        output.foreign(&format!("  would be: {}\n", told(after)))?;
    }
    Ok(Exit::Success)
}

async fn chosen(arguments: &Arguments, adjutant: &Adjutant) -> Result<Vec<Run>> {
    if arguments.runs.is_empty() {
        let newest = adjutant.runs(arguments.newest).await?;
        return Ok(newest.iter().map(|info| adjutant.handle(&info.run)).collect());
    }
    let mut runs = Vec::new();
    for named in &arguments.runs {
        runs.push(adjutant.find(named).await?);
    }
    Ok(runs)
}

/// What was decided and by what, in a line.
fn told(verdict: &Verdict) -> String {
    format!("{}: {}", outcome(&verdict.outcome), verdict.reason)
}

/// What was decided in a run, with all that was done before in its session.
pub(super) async fn of_run(adjutant: &Adjutant, run: &Run) -> Result<Vec<Decided>> {
    let records = run.records().await?;
    let Some(admission) = admission(&records) else { return Ok(Vec::new()) };
    let mut before = Vec::new();
    if let Some(session) = &admission.session {
        for turn in adjutant.engine().turns(session).await? {
            if turn.run == *run.id() {
                break;
            }
            before.extend(past(&adjutant.engine().history(&turn.run, 0).await?));
        }
    }
    let given = admission.input.value().get("past").cloned().unwrap_or_default();
    before.extend(serde_json::from_value::<Vec<Past>>(given).unwrap_or_default());
    Ok(decisions(&records, &before))
}

/// The policies that a run has pinned; none where it has none.
pub(super) async fn pinned(
    adjutant: &Adjutant,
    run: &Run,
) -> Result<Option<adjutant::policy::cedar::Policies>> {
    let records = run.records().await?;
    let Some(admission) = admission(&records) else { return Ok(None) };
    let definition: Definition = adjutant.engine().definition(admission.definition).await?.to()?;
    let Some(digest) = definition.policies else { return Ok(None) };
    let pinned: adjutant::policy::cedar::Pinned = adjutant.engine().definition(digest).await?.to()?;
    let opened = pinned.open().map_err(|problems| {
        problems
            .into_iter()
            .next()
            .map_or_else(|| Error::new(Code::Internal, "the policies of the run cannot be read"), Error::from)
    })?;
    Ok(Some(opened))
}

fn admission(records: &[Record]) -> Option<&Admission> {
    match &records.first()?.entry {
        Entry::Admitted(admission) => Some(admission),
        _ => None,
    }
}
