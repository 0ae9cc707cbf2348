//! `adjutant`: runs agents, talks with them, shows and steers their runs.

mod arguments;
mod commands;
mod exit;
mod person;
mod place;
mod prove;
mod reference;
mod screen;
mod turn;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use arguments::{Arguments, Command};
use commands::{
    approvals, audit, chat, check, config, doctor, health, keys, models, new, policy, run, runs, scan,
    secrets, serve, skills, store, tools, triggers, usage, versions, workflows,
};
use exit::{Ended, Failure};
use screen::{ColorChoice, Output, report};

/// A service makes and drops hundreds of small things for each request, often on another thread than made them: the threads of the C
/// library's allocator wait for each other there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the process waits for threads that are still at work when the command is over.
const PATIENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    adjutant::tool::first_in_main();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
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
        Command::Approvals(command) => approvals::execute(command, shared, output).await,
        Command::Runs(command) => runs::execute(command, shared, output).await,
        Command::Serve(command) => serve::execute(command, shared, output).await,
        Command::Health(command) => health::execute(command, shared, output).await,
        Command::Models(command) => models::execute(command, shared, output).await,
        Command::Tools(command) => tools::execute(command, shared, output).await,
        Command::Skills(command) => skills::execute(command, shared, output),
        Command::Workflows(command) => workflows::execute(command, shared, output),
        Command::Versions(command) => versions::execute(command, shared, output).await,
        Command::Triggers(command) => triggers::execute(command, shared, output).await,
        Command::Keys(command) => keys::execute(command, shared, output).await,
        Command::Audit(command) => audit::execute(command, shared, output).await,
        Command::Usage(command) => usage::execute(command, shared, output).await,
        Command::Secrets(command) => secrets::execute(command, shared, output).await,
        Command::Store(command) => store::execute(command, shared, output).await,
        Command::Scan(command) => scan::execute(command, output),
        Command::Policy(command) => policy::execute(command, shared, output).await,
        Command::Check(command) => check::execute(command, shared, output),
        Command::Config(command) => config::execute(command, shared, output),
        Command::Doctor(command) => doctor::execute(command, shared, output).await,
        Command::Reference => reference::execute(output),
    }
}

/// Says what is wrong with what was typed, or gives the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let exit = u8::try_from(error.exit_code()).unwrap_or(u8::MAX);
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.trim_start_matches("error: ").trim_end();
        let refused =
            adjutant_core::Error::new(adjutant_core::Code::InputInvalid, message).with_help(help.trim());
        show(&refused.into(), Output::new(ColorChoice::Never, true));
    } else {
        // Whoever cannot read it is not there.
        let _ = error.print();
    }
    ExitCode::from(exit)
}

/// Tells what went wrong on standard error: in words, or with `--json` as one object.
fn show(failure: &Failure, output: Output) {
    if output.json {
        if !failure.errors().is_empty() {
            output.raw_talk(&format!("{}\n", serde_json::json!({ "errors": failure.errors() })));
        }
        return;
    }
    let texts: Vec<String> =
        failure.errors().iter().map(|error| report(error, output.talk_colored)).collect();
    output.raw_talk(&texts.join("\n"));
}
