//! `adjutant runs`: what runs there are, what they did, and what to do with them.

mod control;
mod files;
mod follow;
mod fork;
mod list;
mod remove;
mod resume;
mod show;
mod signal;
mod takeover;
mod tree;

pub(super) use control::values;

use adjutant_core::id::RunId;
use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::Output;

/// Lists runs, shows what they did, and steers them. Without a command it lists.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Files(files::Arguments),
    Resume(resume::Arguments),
    Fork(fork::Arguments),
    Cancel(control::CancelArguments),
    Pause(control::PauseArguments),
    Approve(control::ApproveArguments),
    Answer(control::AnswerArguments),
    Signal(signal::Arguments),
    Resolve(control::ResolveArguments),
    Take(takeover::TakeArguments),
    Edit(takeover::EditArguments),
    Call(takeover::CallArguments),
    HandBack(takeover::HandBackArguments),
    Prune(remove::PruneArguments),
    Erase(remove::EraseArguments),
}

impl Command {
    /// Whether runs go on by it: that takes a project without faults.
    fn makes_progress(&self) -> bool {
        match self {
            Self::Resume(_) | Self::Fork(_) | Self::Approve(_) | Self::Answer(_) | Self::Resolve(_) => true,
            Self::Signal(_) => true,
            Self::Take(_) | Self::Edit(_) | Self::Call(_) | Self::HandBack(_) => true,
            Self::List(_)
            | Self::Show(_)
            | Self::Files(_)
            | Self::Cancel(_)
            | Self::Pause(_)
            | Self::Prune(_)
            | Self::Erase(_) => false,
        }
    }
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let listing = Command::List(list::Arguments::default());
    let command = arguments.command.as_ref().unwrap_or(&listing);
    let adjutant = place::open_for(command.makes_progress(), shared, output)?;
    let project = place::typed(None, shared);
    match command {
        Command::List(command) => list::execute(command, &adjutant, output).await,
        Command::Show(command) => show::execute(command, &adjutant, output, &project).await,
        Command::Files(command) => files::execute(command, &adjutant, output).await,
        Command::Resume(command) => resume::execute(command, &adjutant, output, &project).await,
        Command::Fork(command) => fork::execute(command, &adjutant, output, &project).await,
        Command::Cancel(command) => control::cancel(command, &adjutant, output, &project).await,
        Command::Pause(command) => control::pause(command, &adjutant, output).await,
        Command::Approve(command) => control::approve(command, &adjutant, output, &project).await,
        Command::Answer(command) => control::answer(command, &adjutant, output, &project).await,
        Command::Signal(command) => signal::execute(command, &adjutant, output, &project).await,
        Command::Resolve(command) => control::resolve(command, &adjutant, output, &project).await,
        Command::Take(command) => takeover::take(command, &adjutant, output, &project).await,
        Command::Edit(command) => takeover::edit(command, &adjutant, output, &project).await,
        Command::Call(command) => takeover::call(command, &adjutant, output, &project).await,
        Command::HandBack(command) => takeover::hand_back(command, &adjutant, output, &project).await,
        Command::Prune(command) => remove::prune(command, &adjutant, output).await,
        Command::Erase(command) => remove::erase(command, &adjutant, output).await,
    }
}

/// Says in one line what was done to a run.
fn done(output: Output, run: &RunId, what: &str) -> Ended {
    if output.json {
        output.json(&serde_json::json!({ "run": run, "done": what }))?;
    } else {
        output.talk(&format!("run {run}: {what}"));
    }
    Ok(Exit::Success)
}
