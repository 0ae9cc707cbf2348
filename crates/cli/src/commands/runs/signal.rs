//! `adjutant runs signal`: an event from outside, for a workflow that waits for it.

use adjutant::durable::Wait;
use adjutant::{Adjutant, Run};
use adjutant_core::id::RunId;
use adjutant_core::{Code, Error, Result, nearest};
use serde_json::Value;

use super::done;
use crate::commands::run::drive;
use crate::exit::Ended;
use crate::screen::Output;
use crate::turn::is_event;

/// Sends an event from outside to a workflow that waits for it, and drives the run on.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// What the workflow waits for: the kind of the event.
    #[arg(value_name = "NAME")]
    name: String,
    /// What the event holds, as JSON; nothing where it is left out.
    #[arg(value_name = "JSON", value_parser = data)]
    data: Option<Value>,
    /// Only record the event; whoever drives the run takes it.
    #[arg(long)]
    later: bool,
}

fn data(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}; a text stands in quotes"))
}

pub(super) async fn execute(
    arguments: &Arguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let waiting = waiting(&run, &arguments.name).await?;
    let data = arguments.data.clone().unwrap_or_default();
    adjutant.handle(&waiting).signal(&arguments.name, data).await?;
    if arguments.later {
        return done(output, run.id(), "signalled");
    }
    drive(adjutant, &run.root().await?, output, project).await
}

/// The run that waits for that: this one, or one that it waits for.
async fn waiting(run: &Run, name: &str) -> Result<RunId> {
    let rests = run.rests().await?;
    let waits = rests.iter().flat_map(|rest| rest.waits.iter().map(move |wait| (&rest.run, wait)));
    let names: Vec<(&RunId, &str)> = waits
        .filter_map(|(run, wait)| match wait {
            Wait::Signal { name, .. } if is_event(name) => Some((run, name.as_str())),
            _ => None,
        })
        .collect();
    if let Some((run, _)) = names.iter().find(|(_, known)| *known == name) {
        return Ok((*run).clone());
    }
    let error =
        Error::new(Code::Conflict, format!("nothing in the run `{}` waits for the event `{name}`", run.id()));
    Err(match nearest(name, names.iter().map(|(_, known)| *known)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!("`adjutant runs show {}` tells what it waits for", run.id())),
    })
}
