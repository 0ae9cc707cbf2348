//! `adjutant triggers`: what begins runs without a person.

mod fire;
mod list;
mod log;
mod run;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Shows the triggers of the project, and runs what comes due. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the triggers, with the next time and the last occurrence of each.
    List,
    Run(run::Arguments),
    Fire(fire::Arguments),
    Log(log::Arguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let command = arguments.command.as_ref().unwrap_or(&Command::List);
    let adjutant = place::open_for(matches!(command, Command::Run(_) | Command::Fire(_)), shared, output)?;
    match command {
        Command::List => list::execute(&adjutant, output).await,
        Command::Run(command) => run::execute(command, &adjutant, output).await,
        Command::Fire(command) => {
            fire::execute(command, &adjutant, output, &place::typed(None, shared)).await
        }
        Command::Log(command) => log::execute(command, &adjutant, output).await,
    }
}
