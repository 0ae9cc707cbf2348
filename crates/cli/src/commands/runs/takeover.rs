//! `adjutant runs take`, `edit`, `call` and `hand-back`.

use adjutant::agent::takeover::Deed;
use adjutant::durable::RunState;
use adjutant::{Adjutant, Run};
use adjutant_core::message::{Message, Role, ToolResult};
use adjutant_core::{Code, Error};
use clap::Args;
use serde_json::{Map, Value};

use super::control::values;
use super::done;
use crate::commands::run::{close, drive};
use crate::exit::{Ended, Exit, Failure};
use crate::person;
use crate::screen::{Output, Table, first_line};
use crate::turn::{Followed, Manners, People, Show, follow};

/// How much of a message stands in the list, in characters.
const LONGEST: usize = 90;

/// Takes a run: between two of its turns it stops, and a person does the agent's work until `adjutant runs hand-back`.
#[derive(Args, Debug)]
pub(super) struct TakeArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who takes it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Only record it; whoever drives the run stops it.
    #[arg(long)]
    later: bool,
}

/// Shows what was said in a run, or changes it where somebody has taken the run. What was said in earlier turns of its
/// session stays as it is.
#[derive(Args, Debug)]
pub(super) struct EditArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Say this to the agent.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["speak", "replace"])]
    say: Option<String>,
    /// Say this as the agent.
    #[arg(long, value_name = "TEXT", conflicts_with = "replace")]
    speak: Option<String>,
    /// Write anew what stands at this place: something that was said in this turn.
    #[arg(long, value_name = "PLACE", requires = "with")]
    replace: Option<usize>,
    /// What stands there from now on.
    #[arg(long, value_name = "TEXT", requires = "replace")]
    with: Option<String>,
    /// Who does it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

/// Calls a tool in the agent's place, where somebody has taken the run. The call is decided on as the agent's own are; one
/// that is refused or fails ends this with exit code 1.
#[derive(Args, Debug)]
pub(super) struct CallArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// The tool.
    #[arg(value_name = "TOOL")]
    tool: String,
    /// The arguments: a JSON object.
    #[arg(value_name = "JSON", default_value = "{}", value_parser = values)]
    arguments: Map<String, Value>,
    /// Who calls it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

/// Hands a run that was taken back to its agent, and drives it on.
#[derive(Args, Debug)]
pub(super) struct HandBackArguments {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// What the agent is told.
    #[arg(long, value_name = "TEXT")]
    say: Option<String>,
    /// Who hands it back; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Only record it; whoever drives the run goes on.
    #[arg(long)]
    later: bool,
}

pub(super) async fn take(
    arguments: &TakeArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let by = person::named(arguments.name.as_deref());
    run.take(&by, arguments.reason.as_deref()).await?;
    if arguments.later {
        return done(output, run.id(), "told that somebody takes it");
    }
    let Some(exit) = settle(adjutant, &run, output, project).await? else {
        return done(output, run.id(), "taken; it waits for what you do");
    };
    if run.info().await?.state == RunState::Ended {
        output.talk(&format!("run {}: it was over before {by} could take it", run.id()));
    } else {
        output.talk(&format!(
            "run {}: noted; it is in the hands of {by} between two of its turns, when what it does now is over",
            run.id()
        ));
    }
    Ok(exit)
}

pub(super) async fn edit(
    arguments: &EditArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let deed = match (&arguments.say, &arguments.speak, arguments.replace, &arguments.with) {
        (Some(text), ..) => Deed::Say(text.clone()),
        (_, Some(text), ..) => Deed::Speak(text.clone()),
        (.., Some(place), Some(text)) => Deed::Rewrite { place, text: text.clone() },
        _ => return list(&run, output).await,
    };
    run.act(&person::named(arguments.name.as_deref()), deed).await?;
    match settle(adjutant, &run, output, project).await? {
        Some(exit) => Ok(exit),
        None => done(output, run.id(), "done"),
    }
}

pub(super) async fn call(
    arguments: &CallArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let before = run.messages().await?.len();
    let by = person::named(arguments.name.as_deref());
    let call = Deed::Call { tool: arguments.tool.clone(), arguments: arguments.arguments.clone().into() };
    run.act(&by, call).await?;
    if let Some(exit) = settle(adjutant, &run, output, project).await? {
        return Ok(exit);
    }
    let messages = run.messages().await?;
    for result in messages.iter().skip(before).flat_map(Message::results) {
        if result.is_error {
            return Err(Failure::of_run(failed(result)));
        }
        output.foreign(&format!("{}\n", result.as_text().trim_end()))?;
    }
    done(output, run.id(), "called")
}

/// Why a call came to nothing: what the agent would have been told, without the advice that is for it alone.
fn failed(result: &ToolResult) -> Error {
    let text = result.as_text();
    let said = text.split("\nhint: ").next().unwrap_or_default();
    let coded = said.split_once(": ").and_then(|(code, why)| Some((code.parse().ok()?, why)));
    let (code, why) = coded.unwrap_or((Code::ToolFailed, said));
    Error::new(code, why)
}

pub(super) async fn hand_back(
    arguments: &HandBackArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let by = person::named(arguments.name.as_deref());
    run.act(&by, Deed::HandBack(arguments.say.clone())).await?;
    if arguments.later {
        return done(output, run.id(), "handed back");
    }
    drive(adjutant, &run.root().await?, output, project).await
}

/// Drives a run until it waits for the person who has taken it, and says why the deed before was none. Where it comes to
/// rest otherwise, gives how the command ends.
async fn settle(adjutant: &Adjutant, run: &Run, output: Output, project: &str) -> Ended<Option<Exit>> {
    let (mut show, mut people) = (Show::silent(output), People::new()?);
    let mut updates = run.drive();
    let followed = follow(adjutant, run, &mut updates, &mut show, &mut people, Manners::Watch).await;
    updates.stop().await?;
    let followed = followed?;
    match run.taken().await? {
        Some((_, taken)) if followed == Followed::Waiting => match taken.refused {
            Some(why) => Err(Error::new(Code::InputInvalid, why).into()),
            None => Ok(None),
        },
        _ => close(adjutant, run, followed, &mut show, project).await.map(Some),
    }
}

async fn list(run: &Run, output: Output) -> Ended {
    let messages = run.messages().await?;
    if output.json {
        output.json(&messages)?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["place", "who", "what"]);
    for (place, message) in messages.iter().enumerate() {
        let who = match message.role {
            Role::System => "prompt",
            Role::User => "user",
            Role::Assistant => "agent",
            Role::Tool => "tool",
        };
        table.row([&place.to_string(), who, &first_line(&said(message), LONGEST)]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// What a message says or does, in one line.
fn said(message: &Message) -> String {
    let calls = message.calls().map(|call| format!("calls {} {}", call.name, call.arguments));
    let results = message.results().map(|result| format!("{}: {}", result.name, result.as_text()));
    let text = Some(message.text()).filter(|text| !text.is_empty());
    text.into_iter().chain(calls).chain(results).collect::<Vec<_>>().join("; ")
}
