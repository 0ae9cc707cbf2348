//! `adjutant store`: copies of the store, and whether it is sound.

mod backup;
mod check;
mod restore;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::screen::Output;

/// Makes backups of the store and of the files of runs while these go on, puts one back, and checks that all is sound.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Backup(backup::Arguments),
    Restore(restore::Arguments),
    Check(check::Arguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::Backup(command) => backup::execute(command, shared, output).await,
        Command::Restore(command) => restore::execute(command, shared, output).await,
        Command::Check(command) => check::execute(command, shared, output).await,
    }
}
