//! `adjutant store restore`.

use std::path::{Path, PathBuf};

use adjutant::Adjutant;
use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, local_time};
use crate::{person, place};

/// Puts a backup in the place of the project's store and files, once it has been checked. What is there is kept under another name. No
/// process may work on the store.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The folder of the backup.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Who puts it back; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    // Where something is wrong with the project, the store may be meant to be elsewhere.
    let project = place::load(None, shared)?;
    let restored = project.restore(&arguments.folder)?;
    let by = person::named(arguments.by.as_deref());
    let details = json!({ "made": restored.backup.made, "by": restored.backup.by });
    Adjutant::of(project)?.audit().record(&by, "store.restored", "", details).await?;
    if output.json {
        output.json(&restored)?;
        return Ok(Exit::Success);
    }
    let made = local_time(restored.backup.made);
    output.talk(&format!("restored as of {made}; runs go on from where they were then"));
    let kept = |what: &str, path: Option<&Path>| {
        if let Some(path) = path {
            output.talk(&format!("the {what} from before is `{}`", path.display()));
        }
    };
    kept("store", restored.store.as_deref());
    kept("folder of files", restored.files.as_deref());
    restored.kept.iter().for_each(|path| kept("folder beside them", Some(path)));
    Ok(Exit::Success)
}
