//! `adjutant policy`: the rules of a project, read, tested and asked.

mod check;
mod decide;
mod diff;
mod explain;
mod flow;
mod forbid;
mod generate;
mod proposed;
mod replay;
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

/// Checks, proves and tests the policies of a project, decides by them, and explains what they have decided.
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
    Diff(diff::Arguments),
    Explain(explain::Arguments),
    Flow(flow::Arguments),
    Replay(replay::Arguments),
    Generate(generate::Arguments),
    Forbid(forbid::Arguments),
    Forbids(forbid::ListArguments),
    AllowAgain(forbid::LiftArguments),
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::Check(command) => check::execute(command, shared, output).await,
        Command::Test(command) => test::execute(command, shared, output),
        Command::Decide(command) => decide::execute(command, shared, output),
        Command::Diff(command) => diff::execute(command, shared, output).await,
        Command::Explain(command) => explain::execute(command, shared, output).await,
        Command::Flow(command) => flow::execute(command, shared, output),
        Command::Replay(command) => replay::execute(command, shared, output).await,
        Command::Generate(command) => generate::execute(command, shared, output).await,
        Command::Forbid(command) => forbid::execute(command, shared, output).await,
        Command::Forbids(command) => forbid::list(command, shared, output),
        Command::AllowAgain(command) => forbid::lift(command, shared, output).await,
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
