//! `adjutant secrets rotate`.

use adjutant::Project;
use adjutant::project::Rotated;
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// Seals everything that the project keeps encrypted anew, with a new key: secrets and logins of all tenants, and the signatures of tools
/// that agents made. Where the key is a file, it is made and put before the old ones there, which still open what other
/// projects have. Where `[vault]` names the key, give the new one first, and the old one under `previous`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Forget the old keys of the file afterwards. Every other project of this user must have been rotated before, or what it keeps is
    /// lost.
    #[arg(long)]
    forget_old: bool,
}

pub(super) async fn execute(arguments: &Arguments, project: &Project, output: Output) -> Ended {
    let mut rotated = project.rotate_vault().await?;
    if arguments.forget_old {
        rotated.forgotten = project.forget_old_keys()?;
    }
    let Rotated { sealed, signed, forgotten } = rotated;
    if output.json {
        output.json(&rotated)?;
    } else {
        output.line(&format!(
            "sealed anew: {sealed}, signed anew: {signed}, old keys forgotten: {forgotten}"
        ))?;
    }
    Ok(Exit::Success)
}
