//! `adjutant secrets`: what is kept encrypted.

mod list;
mod remove;
mod rotate;
mod set;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Keeps secrets in the vault of a project, encrypted, for `[secrets]` to name with `{ vault = true }`. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Set(set::Arguments),
    Remove(remove::Arguments),
    Rotate(rotate::Arguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    // A secret may be what the project lacks to be whole.
    let (project, errors) = place::load_in_part(shared)?;
    for error in &errors {
        output.aside(&format!("note: {error}"));
    }
    match &arguments.command {
        None => list::execute(&list::Arguments {}, &project, output),
        Some(Command::List(command)) => list::execute(command, &project, output),
        Some(Command::Set(command)) => set::execute(command, &project, output).await,
        Some(Command::Remove(command)) => remove::execute(command, &project, output).await,
        Some(Command::Rotate(command)) => rotate::execute(command, &project, output).await,
    }
}
