//! `adjutant store check`.

use std::path::PathBuf;

use adjutant_core::{Code, Error};
use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::Output;

/// Checks that a store, or a backup, is sound: that it can be read to its end, and that all in it that refers to something finds it.
/// Ends with exit code 1 where it is not. Whether its content is as it was recorded is for `adjutant audit verify` to say.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A backup; otherwise the project's store.
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let path = match &arguments.folder {
        Some(folder) => adjutant::backup::store_of(folder)?,
        None => place::load_in_part(shared)?.0.settings().store.clone(),
    };
    let looked_at = path.clone();
    let wrong = tokio::task::spawn_blocking(move || adjutant::backup::check(&looked_at)).await;
    let wrong =
        wrong.map_err(|error| Error::new(Code::Internal, "the check broke off").caused_by(&error))??;
    if output.json {
        output.json(&json!({ "store": path, "wrong": wrong }))?;
    } else if wrong.is_empty() {
        output.talk(&format!("`{}` is sound", path.display()));
    } else {
        wrong.iter().try_for_each(|line| output.line(line))?;
    }
    Ok(if wrong.is_empty() { Exit::Success } else { Exit::Failure })
}
