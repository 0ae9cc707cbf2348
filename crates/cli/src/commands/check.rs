//! `adjutant check`: everything that is wrong with a project.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, count};

/// Reads a whole project, and reports everything that is wrong with it, with file, line and column.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match place::load(arguments.place.as_deref(), shared) {
        Ok(project) => {
            let agents = project.agents().count();
            let tools = project.tools().len();
            if output.json {
                output.json(&json!({ "ok": true, "agents": agents, "tools": tools, "errors": [] }))?;
            } else {
                output.line(&format!(
                    "ok: {}, {}",
                    count(agents as u64, "agent"),
                    count(tools as u64, "tool")
                ))?;
            }
            Ok(Exit::Success)
        }
        Err(Failure::Errors(errors)) if output.json => {
            output.json(&json!({ "ok": false, "errors": errors }))?;
            Ok(Failure::Errors(errors).exit())
        }
        Err(failure) => Err(failure),
    }
}
