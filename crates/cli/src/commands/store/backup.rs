//! `adjutant store backup`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, count};
use crate::{person, place};

/// Makes a backup in a folder: of the store as it is at one moment, with the runs of all tenants, of the files that runs refer to, and
/// of the vaults as they are, without their key. Runs go on meanwhile.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The folder; it must not be there yet.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Who makes it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let adjutant = place::open_for(false, shared, output)?;
    let by = person::named(arguments.by.as_deref());
    let backup = adjutant.back_up(&arguments.folder, &by).await?;
    if output.json {
        output.json(&json!({ "folder": arguments.folder, "backup": backup }))?;
    } else {
        let files = count(backup.files, "file");
        let beside = count(backup.kept.values().sum(), "file");
        let folder = arguments.folder.display();
        output.talk(&format!("`{folder}`: the store, {files} of runs, and {beside} beside them"));
    }
    Ok(Exit::Success)
}
