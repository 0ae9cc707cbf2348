//! `adjutant runs show`.

use adjutant::agent::title;
use adjutant::durable::RunState;
use adjutant::{Adjutant, Reply, Run, Stop};
use clap::Args;
use serde_json::json;

use super::{follow, list, tree};
use crate::exit::{Ended, Exit};
use crate::screen::{Output, Style, duration, local_time};
use crate::turn::explain;

/// Shows a run: what it was asked, its steps as a tree with times, tokens and money, and what came of it.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Show what happens, as it happens, until the run is over. With --json: one event a line.
    #[arg(long, conflicts_with = "requests")]
    follow: bool,
    /// Show the exact requests that its model was sent, as the provider's interface has them.
    #[arg(long)]
    requests: bool,
}

pub(super) async fn execute(
    arguments: &Arguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    if arguments.follow {
        return follow::follow(adjutant, &run, output, project).await;
    }
    if arguments.requests {
        return requests(&run, output).await;
    }
    let summary = run.summary().await?;
    let children = run.children().await?;
    if output.json {
        let info = run.info().await?;
        let (title, waits) = (title::of_run(&info), run.waits().await?);
        let children: Vec<_> = children.values().collect();
        output.json(&json!({
            "info": info, "title": title, "summary": summary, "waits": waits, "children": children,
        }))?;
        return Ok(Exit::Success);
    }
    head(&run, output).await?;
    output.data(&tree::render(&summary, &children, output))?;
    tail(&run, output, project).await?;
    Ok(Exit::Success)
}

async fn head(run: &Run, output: Output) -> Ended<()> {
    let info = run.info().await?;
    let took = duration(info.updated.since(info.created));
    output.line(&format!(
        "{} {}, {}, began {}, took {took}",
        output.shaded(Style::Bold, &format!("run {}", info.run)),
        info.name,
        info.state.as_str(),
        local_time(info.created)
    ))?;
    if let Some(title) = title::of_run(&info) {
        output.foreign(&format!("{title}\n"))?;
    }
    if let Some(session) = &info.session {
        output.foreign(&format!("session {session}\n"))?;
    }
    if let Some(version) = &info.version {
        let label = version.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
        output.line(&format!("version {}{label}", version.definition.short()))?;
    }
    match &info.origin {
        Some(adjutant::durable::Origin::Child { parent, key, .. }) => {
            output.line(&format!("started by the run {parent} at {key}"))
        }
        Some(adjutant::durable::Origin::Fork { of, before, .. }) => {
            output.line(&format!("forked from the run {of} before its record {before}"))
        }
        None => Ok(()),
    }
}

async fn tail(run: &Run, output: Output, project: &str) -> Ended<()> {
    let info = run.info().await?;
    let outcome = list::outcome(&info);
    if !outcome.is_empty() {
        output.foreign(&format!("{outcome}\n"))?;
    }
    let reply = info.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok());
    if let Some(reply) = reply.and_then(|json| json.to::<Reply>().ok()) {
        ended(&reply, output)?;
    }
    // Whoever was told something meanwhile waits for nobody: it is ready, and takes what it was told.
    if info.state != RunState::Ready && !run.waits().await?.is_empty() {
        explain(run, output, project).await?;
    }
    Ok(())
}

/// Says how a run ended whose end is not its answer, and who has the conversation now.
fn ended(reply: &Reply, output: Output) -> Ended<()> {
    if let Some(ending) =
        reply.ending.as_ref().filter(|ending| reply.stop != Stop::Answered || !ending.open.is_empty())
    {
        output.foreign(&format!("ended: {ending}\n"))?;
    }
    match &reply.handed_to {
        Some(standing) => output.foreign(&format!("`{}` has the conversation now\n", standing.agent)),
        None => Ok(()),
    }
}

/// One JSON value a request, each after a line that says which it is.
async fn requests(run: &Run, output: Output) -> Ended {
    let requests = run.requests().await?;
    if let Some(error) = requests.iter().find_map(|request| request.unconfigured.as_ref()) {
        let why = error.message();
        output.talk(&format!(
            "note: {why}; what it was sent is shown in Adjutant's own form, not its provider's"
        ));
    }
    for request in requests {
        if output.json {
            output.json(&json!({
                "segment": request.segment,
                "step": request.step,
                "model": request.model,
                "exact": request.unconfigured.is_none(),
                "body": request.body,
            }))?;
        } else {
            output.aside(&format!("{} to {}", request.step, request.model));
            let body = serde_json::to_string_pretty(&request.body.value()).unwrap_or_default();
            output.foreign(&format!("{body}\n"))?;
        }
    }
    Ok(Exit::Success)
}
