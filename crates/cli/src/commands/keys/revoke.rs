//! `adjutant keys revoke`.

use adjutant::Keys;
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::Output;

/// Takes a key back: a service refuses it within two seconds.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The key, as `adjutant keys list` names it.
    #[arg(value_name = "KEY")]
    id: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Be it the last key with which the tenant is administered: then keys are made on this machine alone.
    #[arg(long)]
    force: bool,
    /// Who takes it back; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

pub(super) async fn execute(arguments: &Arguments, keys: &Keys, output: Output) -> Ended {
    let by = person::named(arguments.by.as_deref());
    let reason = arguments.reason.clone();
    let key = match arguments.force {
        true => keys.revoke_last(&arguments.id, &by, reason).await?,
        false => keys.revoke(&arguments.id, &by, reason).await?,
    };
    if output.json {
        output.json(&key)?;
    } else {
        output.talk(&format!("key {} ({}): taken back", key.id, key.name));
    }
    Ok(Exit::Success)
}
