//! `adjutant`: runs agents, talks with them, shows and steers their runs.

mod arguments;
mod commands;
mod exit;
mod place;
mod reference;
mod screen;
mod turn;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use arguments::{Arguments, Command};
use commands::{chat, check, doctor, models, new, run, runs, tools};
use exit::{Ended, Failure};
use screen::{Output, report};

/// How long the process waits for threads that are still at work when the command is over.
const PATIENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.shared.color, arguments.shared.json);
    let ended = tokio::runtime::Runtime::new()
        .map_err(|error| {
            adjutant_core::Error::new(adjutant_core::Code::Internal, "the threads cannot be started")
                .caused_by(&error)
                .into()
        })
        .and_then(|runtime| {
            let ended = runtime.block_on(execute(&arguments, output));
            // A thread that reads the terminal does not end by itself.
            runtime.shutdown_timeout(PATIENCE);
            ended
        });
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            show(&failure, output);
            ExitCode::from(failure.exit().code())
        }
    }
}

async fn execute(arguments: &Arguments, output: Output) -> Ended {
    let shared = &arguments.shared;
    match &arguments.command {
        Command::New(command) => new::execute(command, output),
        Command::Run(command) => run::execute(command, shared, output).await,
        Command::Chat(command) => chat::execute(command, shared, output).await,
        Command::Runs(command) => runs::execute(command, shared, output).await,
        Command::Models(command) => models::execute(command, shared, output),
        Command::Tools(command) => tools::execute(command, shared, output).await,
        Command::Check(command) => check::execute(command, shared, output),
        Command::Doctor(command) => doctor::execute(command, shared, output).await,
        Command::Reference => reference::execute(output),
    }
}

fn show(failure: &Failure, output: Output) {
    let texts: Vec<String> =
        failure.errors().iter().map(|error| report(error, output.talk_colored)).collect();
    output.raw_talk(&texts.join("\n"));
}
