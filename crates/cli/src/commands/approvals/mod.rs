//! `adjutant approvals`: the calls that wait for a person, over all runs.

mod decide;
mod grants;
mod list;
mod watch;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Shows the calls that wait for a person, over all runs, and answers them. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(list::ShowArguments),
    Decide(decide::Arguments),
    Watch(watch::Arguments),
    Grants(grants::Arguments),
    Revoke(grants::RevokeArguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let listing = Command::List(list::Arguments::default());
    let command = arguments.command.as_ref().unwrap_or(&listing);
    let adjutant = place::open_for(matches!(command, Command::Decide(_)), shared, output)?;
    let project = place::typed(None, shared);
    match command {
        Command::List(command) => list::list(command, &adjutant, output).await,
        Command::Show(command) => list::show(command, &adjutant, output, &project).await,
        Command::Decide(command) => decide::execute(command, &adjutant, output, &project).await,
        Command::Watch(command) => watch::execute(command, &adjutant, output).await,
        Command::Grants(command) => grants::list(command, &adjutant, output).await,
        Command::Revoke(command) => grants::revoke(command, &adjutant, output).await,
    }
}
