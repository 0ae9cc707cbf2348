//! `adjutant audit`: who did what, and whether all is as it was recorded.

mod list;
mod verify;

use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Tells who did what, and verifies that nothing was changed or removed in silence. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Whose; otherwise the tenant that adjutant.toml names.
    #[arg(long, global = true, value_name = "TENANT")]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Verify(verify::Arguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let listing = Command::List(list::Arguments::default());
    let adjutant = place::open_for(false, shared, output)?;
    let adjutant = match &arguments.tenant {
        Some(tenant) => adjutant.of_tenant(tenant)?,
        None => adjutant,
    };
    match arguments.command.as_ref().unwrap_or(&listing) {
        Command::List(command) => list::execute(command, &adjutant, output).await,
        Command::Verify(command) => verify::execute(command, &adjutant, output).await,
    }
}
