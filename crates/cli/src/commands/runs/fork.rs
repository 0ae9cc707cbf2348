//! `adjutant runs fork`.

use adjutant::Adjutant;
use adjutant::durable::Edit;
use adjutant_core::json::Json;
use clap::Args;

use crate::commands::run::drive;
use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// Starts a run that repeats another up to a step, and does everything from there on anew.
///
/// What the other run did before the step is taken over, not done again. Effects outside that it caused after the step
/// have happened; they are listed.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// The first step that is done anew, as `adjutant runs show` names it; or a scope such as `turn#1`, for its first.
    #[arg(long, value_name = "STEP")]
    from: String,
    /// An answer to put in place of a recorded one, or of the one at the first step.
    #[arg(long = "edit", value_name = "STEP=JSON", value_parser = edit)]
    edits: Vec<(String, Json)>,
    /// Only record the new run; `adjutant runs resume` drives it.
    #[arg(long)]
    later: bool,
}

pub(super) async fn execute(
    arguments: &Arguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let from = run.first_step(&arguments.from).await?;
    let mut edits = Vec::new();
    for (typed, answer) in &arguments.edits {
        edits.push(Edit { key: run.step(typed).await?, outcome: Ok(answer.clone()) });
    }
    let forked = run.fork(&from, edits).await?;
    if !forked.caused.is_empty() {
        output.talk("the original went on to cause these effects, which stay as they are:");
        forked.caused.iter().for_each(|effect| output.talk(&format!("  {effect}")));
    }
    output.aside(&format!("run {}", forked.run));
    if arguments.later {
        if output.json {
            output.json(&serde_json::json!({ "run": forked.run, "caused": forked.caused }))?;
        } else {
            output.line(forked.run.as_str())?;
        }
        return Ok(Exit::Success);
    }
    drive(adjutant, &adjutant.handle(&forked.run), output, project).await
}

fn edit(text: &str) -> Result<(String, Json), String> {
    // A step's name has no `=`, JSON may.
    let (step, json) = text.split_once('=').ok_or("write it as `STEP=JSON`")?;
    let answer = Json::parse(json)
        .map_err(|error| format!("{}; a text needs quotes: '{step}=\"text\"'", error.message()))?;
    Ok((step.trim().to_owned(), answer))
}
