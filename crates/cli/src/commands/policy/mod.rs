//! `adjutant policy`: the rules of a project, read, tested and asked.

mod ask;
mod check;
mod decide;
mod test;

use std::path::Path;
use std::sync::Arc;

use adjutant::Project;
use adjutant::policy::cedar::Policies;
use adjutant_core::{Code, Error};
use clap::{Args, Subcommand};

pub(super) use check::tell;

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::place;
use crate::screen::Output;

/// Checks the policies of a project, tests them, and decides by them.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Test(test::Arguments),
    Decide(decide::Arguments),
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::Check(command) => check::execute(command, shared, output),
        Command::Test(command) => test::execute(command, shared, output),
        Command::Decide(command) => decide::execute(command, shared, output),
    }
}

/// A project with its policies.
fn load(positional: Option<&Path>, shared: &Shared) -> Ended<(Project, Arc<Policies>)> {
    let project = place::load(positional, shared)?;
    let policies = project.policies()?.cloned();
    let policies = policies.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "the project has no policies: what its agents may do is in their definitions",
        )
        .with_help("write some: `policies/desk.cedar`; docs/policy.md says how")
    })?;
    Ok((project, policies))
}
