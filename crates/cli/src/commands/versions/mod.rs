//! `adjutant versions`: what was published of agents and workflows, and which of it new runs get.

mod change;
mod diff;
mod list;
mod log;
mod publish;

use adjutant_core::hash::Digest;
use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Publishes versions of agents and workflows, and says which of them new runs get. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(list::ShowArguments),
    Publish(publish::Arguments),
    Label(change::LabelArguments),
    Unlabel(change::UnlabelArguments),
    Rollback(change::RollbackArguments),
    Split(change::SplitArguments),
    Diff(diff::Arguments),
    Log(log::Arguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let listing = Command::List(list::Arguments::default());
    let command = arguments.command.as_ref().unwrap_or(&listing);
    // Who goes back because of a broken project must not be kept from it by that.
    let adjutant = place::open_for(matches!(command, Command::Publish(_)), shared, output)?;
    match command {
        Command::List(command) => list::list(command, &adjutant, output).await,
        Command::Show(command) => list::show(command, &adjutant, output).await,
        Command::Publish(command) => publish::execute(command, &adjutant, output).await,
        Command::Label(command) => change::label(command, &adjutant, output).await,
        Command::Unlabel(command) => change::unlabel(command, &adjutant, output).await,
        Command::Rollback(command) => change::roll_back(command, &adjutant, output).await,
        Command::Split(command) => change::split(command, &adjutant, output).await,
        Command::Diff(command) => diff::execute(command, &adjutant, output).await,
        Command::Log(command) => log::execute(command, &adjutant, output).await,
    }
}

/// A version in a sentence; what stands for none where there is none.
fn short(version: Option<&Digest>, none: &str) -> String {
    version.map_or_else(|| none.to_owned(), Digest::short)
}
