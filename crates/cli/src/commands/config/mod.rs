//! `adjutant config`: which settings hold, and who says so.

mod check;
mod show;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::screen::Output;

/// Shows and checks the settings of a project: its file, then variables of the environment, then `--set`; the later wins.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Arguments),
    Check(check::Arguments),
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::Show(command) => show::execute(command, shared, output),
        Command::Check(command) => check::execute(command, shared, output),
    }
}
