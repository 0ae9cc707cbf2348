//! `adjutant secrets remove`.

use adjutant::Project;
use adjutant_core::{Code, Error};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// Removes a secret from the vault.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What it is called.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) async fn execute(arguments: &Arguments, project: &Project, output: Output) -> Ended {
    let name = &arguments.name;
    if !project.remove_secret(name).await? {
        return Err(Error::new(Code::NotFound, format!("the vault holds no secret `{name}`"))
            .with_help("`adjutant secrets list` lists those that there are")
            .into());
    }
    output.talk(&format!("`{name}` is removed"));
    Ok(Exit::Success)
}
