//! `adjutant runs cancel`, `pause`, `approve`, `answer` and `resolve`.

use adjutant::agent::approval::{self, Decision};
use adjutant::agent::question;
use adjutant::durable::{Resolution, Wait};
use adjutant::tool::Answer;
use adjutant::{Adjutant, Run, Verdict};
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::{Map, Value};

use super::done;
use crate::commands::run::{close, drive};
use crate::exit::Ended;
use crate::person;
use crate::screen::Output;
use crate::turn::{Followed, Manners, People, Show, asked, follow};

/// Ends a run in order: what it is doing is stopped, nothing begins any more, and what is to be cleaned up is.
#[derive(Args, Debug)]
pub(super) struct CancelArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT", default_value = "cancelled from the command line")]
    reason: String,
    /// Only record it; whoever drives the run ends it.
    #[arg(long)]
    later: bool,
}

/// Stops a run between two steps, until `adjutant runs resume`.
#[derive(Args, Debug)]
pub(super) struct PauseArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT", default_value = "paused from the command line")]
    reason: String,
}

/// Allows, or refuses, a call that waits for a person, and drives the run on.
#[derive(Args, Debug)]
pub(super) struct ApproveArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Which call, where several wait.
    #[arg(long, value_name = "CALL")]
    call: Option<String>,
    /// Refuse it.
    #[arg(long)]
    deny: bool,
    /// Why it is refused; the model is told.
    #[arg(long, value_name = "TEXT", requires = "deny")]
    reason: Option<String>,
    /// Who answers; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Only record the answer; whoever drives the run takes it.
    #[arg(long)]
    later: bool,
}

/// Answers what a call asks a person before it goes on, and drives the run on.
#[derive(Args, Debug)]
pub(super) struct AnswerArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// The values that are asked for: a JSON object. What is left out and has a default gets it.
    #[arg(value_name = "JSON", value_parser = values, conflicts_with_all = ["decline", "cancel"])]
    values: Option<Map<String, Value>>,
    /// Which call, where several ask.
    #[arg(long, value_name = "CALL")]
    call: Option<String>,
    /// Do not say it; the call may go on without.
    #[arg(long, conflicts_with = "cancel")]
    decline: bool,
    /// Have nothing to do with it; the call should be given up.
    #[arg(long)]
    cancel: bool,
    /// Only record the answer; whoever drives the run takes it.
    #[arg(long)]
    later: bool,
}

/// Says what came of an effect whose outcome is not known, and drives the run on.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("resolution").required(true))]
pub(super) struct ResolveArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// The step, as `adjutant runs show` names it.
    #[arg(value_name = "STEP")]
    step: String,
    /// Which attempt is meant, from 1: refused if another was made since. The last one where this is not given.
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u32>,
    /// It happened, with this result.
    #[arg(long, value_name = "JSON", group = "resolution", value_parser = json)]
    happened: Option<Json>,
    /// Do it again, under the same idempotency key.
    #[arg(long, group = "resolution")]
    retry: bool,
    /// Leave it; the run is cancelled.
    #[arg(long, group = "resolution")]
    abort: bool,
    /// Only record the answer; whoever drives the run takes it.
    #[arg(long)]
    later: bool,
}

pub(super) async fn cancel(
    arguments: &CancelArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    run.cancel(&arguments.reason).await?;
    if arguments.later {
        return done(output, run.id(), "told to stop");
    }
    let mut followed = end(adjutant, &run, output).await?;
    if followed == Followed::Waiting && leave_unknown(&run, output).await? {
        followed = end(adjutant, &run, output).await?;
    }
    let ended = run.info().await?.outcome;
    match (followed, ended) {
        (Followed::Ended, Some(Err(error))) if error.code() == Code::RunCancelled => {
            done(output, run.id(), "cancelled, and over")
        }
        (Followed::Ended, Some(Ok(_))) => done(output, run.id(), "it had answered before it was cancelled"),
        (followed, _) => close(adjutant, &run, followed, &mut Show::silent(output), project).await,
    }
}

/// Leaves every effect whose outcome is not known: whoever cancels the run does not want it to wait for the answer. Says
/// whether there was one.
async fn leave_unknown(run: &Run, output: Output) -> Result<bool> {
    let mut found = false;
    for wait in run.waits().await? {
        if let Wait::Unknown { key, operation, reason, .. } = wait {
            output.talk(&format!("it stays unknown what came of {operation}\n  ({reason})"));
            run.resolve(&key, Resolution::Abort).await?;
            found = true;
        }
    }
    Ok(found)
}

/// Drives a run that was told to stop to its end, without showing what it did.
async fn end(adjutant: &Adjutant, run: &Run, output: Output) -> Ended<Followed> {
    let (mut show, mut people) = (Show::silent(output), People::new()?);
    let mut updates = run.drive();
    let followed = follow(adjutant, run, &mut updates, &mut show, &mut people, Manners::Watch).await;
    updates.stop().await?;
    followed
}

pub(super) async fn pause(arguments: &PauseArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    run.pause(&arguments.reason).await?;
    done(output, run.id(), "told to pause")
}

pub(super) async fn approve(
    arguments: &ApproveArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let (asking, call) = one_call(&run, arguments.call.as_deref(), approval::PREFIX, "an approval").await?;
    let decision = match arguments.deny {
        true => Decision::Deny(arguments.reason.clone()),
        false => Decision::Approve,
    };
    let verdict = Verdict::new(decision, person::named(arguments.name.as_deref()));
    adjutant.approvals().decide(&asking, &call, verdict).await?;
    if arguments.later {
        return done(output, run.id(), if arguments.deny { "refused" } else { "allowed" });
    }
    drive(adjutant, &run.root().await?, output, project).await
}

pub(super) async fn answer(
    arguments: &AnswerArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let (asking, call) = one_call(&run, arguments.call.as_deref(), question::PREFIX, "an answer").await?;
    let answer = match (arguments.decline, arguments.cancel) {
        (true, _) => Answer::Decline,
        (_, true) => Answer::Cancel,
        _ => Answer::Accept(arguments.values.clone()),
    };
    adjutant.handle(&asking).answer(&call, answer).await?;
    if arguments.later {
        return done(output, run.id(), "answered");
    }
    drive(adjutant, &run.root().await?, output, project).await
}

/// The call that is meant, and its run: the one that was named, or the only one that waits for this, in the run or in
/// those that it waits for.
async fn one_call(run: &Run, named: Option<&str>, prefix: &str, what: &str) -> Result<(RunId, String)> {
    let rests = run.rests().await?;
    let waits = rests.iter().flat_map(|rest| rest.waits.iter().map(move |wait| (&rest.run, wait)));
    let waiting: Vec<_> = waits
        .filter_map(|(run, wait)| match wait {
            Wait::Signal { name, request, .. } if name.starts_with(prefix) => Some((run, name, request)),
            _ => None,
        })
        .collect();
    let conflict = |message: String| Error::new(Code::Conflict, message);
    let list = || {
        waiting
            .iter()
            .map(|(_, name, request)| format!("`{name}` ({})", asked(request)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (waiting.as_slice(), named) {
        ([], _) => Err(conflict(format!("nothing in the run `{}` waits for {what}", run.id()))),
        (_, Some(named)) => {
            let matches = |name: &str| name == named || name.strip_prefix(prefix) == Some(named);
            let found: Vec<_> = waiting.iter().filter(|(_, name, _)| matches(name)).collect();
            if let [(first, ..), (second, ..), ..] = found.as_slice() {
                return Err(conflict(format!("a call `{named}` of several runs waits for {what}"))
                    .with_help(format!("name the run itself: {first} or {second}")));
            }
            let found = found.first();
            found.map(|(run, name, _)| ((*run).clone(), (*name).clone())).ok_or_else(|| {
                conflict(format!("no call `{named}` waits for {what}"))
                    .with_help(format!("there is {}", list()))
            })
        }
        ([(run, name, _)], None) => Ok(((*run).clone(), (*name).clone())),
        (_, None) => Err(conflict(format!("several calls of the run `{}` wait for {what}", run.id()))
            .with_help(format!("say which with `--call`: {}", list()))),
    }
}

pub(super) async fn resolve(
    arguments: &ResolveArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let resolution = match (&arguments.happened, arguments.retry) {
        (Some(result), _) => Resolution::Happened(result.clone()),
        (None, true) => Resolution::Retry,
        (None, false) => Resolution::Abort,
    };
    let step = run.step(&arguments.step).await?;
    match arguments.attempt {
        Some(attempt) => run.resolve_attempt(&step, attempt, resolution).await?,
        None => run.resolve(&step, resolution).await?,
    }
    if arguments.later {
        return done(output, run.id(), "told what came of the step");
    }
    drive(adjutant, &run.root().await?, output, project).await
}

/// Reads the values of an answer.
pub(crate) fn values(text: &str) -> Result<Map<String, Value>, String> {
    let wrong = "write a JSON object with a value for each field: `{\"name\": \"Ann\"}`";
    serde_json::from_str(text).map_err(|error| format!("{error}; {wrong}"))
}

fn json(text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("{}; a text needs quotes: '\"text\"'", error.message()))
}
