//! `adjutant config check`.

use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, count};

/// Says everything that is wrong with the settings, wherever they come from, and whether the keys and files that they name are there.
#[derive(Args, Debug)]
pub(super) struct Arguments {}

pub(super) fn execute(_: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, mut errors) = place::load_in_part(shared)?;
    errors.extend(project.check());
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let given = project.settings().effective().iter().filter(|setting| setting.from.is_some()).count();
    if output.json {
        output.json(&json!({ "ok": true, "given": given, "errors": [] }))?;
    } else {
        output
            .line(&format!("ok: {} given, the others have their defaults", count(given as u64, "setting")))?;
    }
    Ok(Exit::Success)
}
