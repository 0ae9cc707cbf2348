//! `adjutant triggers fire`.

use adjutant::Adjutant;
use clap::Args;

use crate::commands::run::drive;
use crate::exit::Ended;
use crate::screen::Output;

/// Begins a run of a trigger now, by hand, and shows it as `adjutant run` does.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The trigger.
    #[arg(value_name = "NAME")]
    name: String,
    /// The file, of a trigger that watches a folder.
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
}

pub(super) async fn execute(
    arguments: &Arguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.triggers().fire(&arguments.name, arguments.file.as_deref()).await?;
    output.aside(&format!("run {}", run.id()));
    drive(adjutant, &run, output, project).await
}
