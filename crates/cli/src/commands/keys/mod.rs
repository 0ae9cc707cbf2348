//! `adjutant keys`: with what a service is asked.

mod list;
mod make;
mod revoke;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Makes, lists, replaces and takes back the keys with which a service is asked. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Whose keys; otherwise the tenant that adjutant.toml names.
    #[arg(long, global = true, value_name = "TENANT")]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Create(make::CreateArguments),
    Rotate(make::RotateArguments),
    Revoke(revoke::Arguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let listing = Command::List(list::Arguments::default());
    let command = arguments.command.as_ref().unwrap_or(&listing);
    // A key that leaked must be taken back also where the project is broken.
    let adjutant = place::open_for(false, shared, output)?;
    let keys = match &arguments.tenant {
        Some(tenant) => adjutant.keys().of_tenant(tenant)?,
        None => adjutant.keys().clone(),
    };
    match command {
        Command::List(command) => list::execute(command, &keys, output).await,
        Command::Create(command) => make::create(command, &adjutant, &keys, output).await,
        Command::Rotate(command) => make::rotate(command, &keys, output).await,
        Command::Revoke(command) => revoke::execute(command, &keys, output).await,
    }
}
