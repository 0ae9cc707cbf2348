//! `adjutant runs resume`.

use adjutant::durable::{RunFilter, RunInfo, RunState};
use adjutant::{Adjutant, Run};
use adjutant_core::{Code, Error};
use clap::Args;

use crate::commands::run::drive;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, report};

/// Drives a run on: one that was killed, paused or halted, or that waits. Without a run, the newest that is not over.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The run.
    #[arg(value_name = "RUN", conflicts_with = "all")]
    run: Option<String>,
    /// Every run that is not over, one after the other.
    #[arg(long)]
    all: bool,
}

pub(super) async fn execute(
    arguments: &Arguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    if let Some(prefix) = &arguments.run {
        let run = adjutant.find(prefix).await?;
        let info = run.info().await?;
        if info.state == RunState::Ended {
            return Err(Error::new(Code::Conflict, format!("the run `{}` is over", run.id()))
                .with_help(format!("`adjutant runs show {}{project}` shows what it did", run.id()))
                .into());
        }
        return one(adjutant, &run, &info, output, project).await;
    }
    // Runs that others started go on with these.
    let roots = RunFilter { roots: true, ..RunFilter::open() };
    let mut open = adjutant.run_page(roots, None, usize::MAX).await?.items;
    if open.is_empty() {
        output.talk("every run is over");
        return Ok(Exit::Success);
    }
    if !arguments.all {
        open.truncate(1);
    }
    let mut worst = Exit::Success;
    for info in open.iter().rev() {
        let run = adjutant.handle(&info.run);
        let exit = match one(adjutant, &run, info, output, project).await {
            // A run that fails, or was cancelled, keeps no other from going on.
            Err(failure) if arguments.all && !failure.errors().is_empty() => {
                failure
                    .errors()
                    .iter()
                    .for_each(|error| output.raw_talk(&report(error, output.talk_colored)));
                failure.exit()
            }
            Ok(exit @ (Exit::Interrupted | Exit::Terminated)) => return Ok(exit),
            other => other?,
        };
        worst = worse(worst, exit);
    }
    Ok(worst)
}

/// Drives one run on.
async fn one(adjutant: &Adjutant, run: &Run, info: &RunInfo, output: Output, project: &str) -> Ended {
    output.aside(&format!("run {} ({})", run.id(), info.name));
    if matches!(info.state, RunState::Paused | RunState::Halted) {
        run.resume().await?;
    }
    for rest in run.rests().await?.iter().skip(1) {
        // Those that it waits for belong to it.
        if matches!(rest.state, RunState::Paused | RunState::Halted) {
            adjutant.handle(&rest.run).resume().await?;
        }
    }
    drive(adjutant, &run.root().await?, output, project).await
}

/// Which of two ends a script should rather know of.
fn worse(a: Exit, b: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Success => 0,
        Exit::Limited => 1,
        Exit::Waiting => 2,
        Exit::Interrupted => 3,
        Exit::Terminated => 4,
        Exit::Usage => 5,
        Exit::Failure => 6,
    };
    if rank(b) > rank(a) { b } else { a }
}
