//! `adjutant policy test`: the cases that stand beside the policies.

use std::path::{Path, PathBuf};

use adjutant_core::Error;
use clap::Args;
use serde_json::json;

use super::load;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, count, report};

/// Decides the cases of `policies/*.test.yaml`, and says which do not come out as they should.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

pub(super) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, policies) = load(arguments.place.as_deref(), shared)?;
    let named = place::find(arguments.place.as_deref(), shared)?;
    let shown = if named == Path::new(".") || !named.is_dir() { Path::new("") } else { named.as_path() };
    let cases = project.policy_cases(shown, &policies)?;
    let failures: Vec<Error> = cases.iter().filter_map(|case| case.check(&policies).err()).collect();
    let passed = cases.len() - failures.len();
    if output.json {
        output.json(&json!({ "ok": failures.is_empty(), "passed": passed, "failures": failures }))?;
    } else {
        failures
            .iter()
            .for_each(|failure| output.raw_talk(&format!("{}\n", report(failure, output.talk_colored))));
        match failures.len() {
            0 if cases.is_empty() => output.talk("there are no cases; write some: policies/desk.test.yaml"),
            0 => output.line(&format!("ok: {}", count(passed as u64, "case")))?,
            failed => output.line(&format!("{failed} of {} failed", count(cases.len() as u64, "case")))?,
        }
    }
    Ok(if failures.is_empty() { Exit::Success } else { Exit::Failure })
}
