//! `adjutant runs prune` and `erase`.

use std::time::Duration;

use adjutant::Adjutant;
use adjutant_core::time::parse_duration;
use clap::Args;

use crate::commands::terms::name;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::{Output, clean, count};

/// Forgets runs that ended long ago, with everything that only they refer to.
#[derive(Args, Debug)]
pub(super) struct PruneArguments {
    /// How long ago a run must have ended, such as 30d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Duration,
    /// Who says so; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

/// Erases every run of one person, and what was forked from it.
#[derive(Args, Debug)]
pub(super) struct EraseArguments {
    /// The person, as the runs were started with `--user`.
    #[arg(long, value_name = "NAME", value_parser = name)]
    user: String,
    /// Who says so; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

pub(super) async fn prune(arguments: &PruneArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let by = person::named(arguments.by.as_deref());
    gone(output, adjutant.prune(arguments.older_than, &by).await?)
}

pub(super) async fn erase(arguments: &EraseArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let by = person::named(arguments.by.as_deref());
    let runs = adjutant.erase_user(&arguments.user, &by).await?;
    if runs == 0 && !output.json {
        output.talk(&format!("there are no runs of `{}`", clean(&arguments.user)));
        return Ok(Exit::Success);
    }
    gone(output, runs)
}

fn gone(output: Output, runs: u64) -> Ended {
    if output.json {
        output.json(&serde_json::json!({ "runs": runs }))?;
    } else {
        output.talk(&format!("{} gone", count(runs, "run")));
    }
    Ok(Exit::Success)
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write it as `12h`, `30d` or `1d 12h`".to_owned())
}
