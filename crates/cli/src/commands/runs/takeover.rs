//! `adjutant runs take`, `edit`, `call` and `hand-back`.

use adjutant::agent::takeover::Deed;
use adjutant::{Adjutant, Run};
use adjutant_core::message::{Message, Role};
use adjutant_core::{Code, Error};
use clap::Args;
use serde_json::{Map, Value};

use super::control::values;
use super::done;
use crate::commands::run::{close, drive};
use crate::exit::{Ended, Exit};
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

/// Shows what was said in a run, or changes it where somebody has taken the run.
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
    /// Write anew what stands at this place.
    #[arg(long, value_name = "PLACE", requires = "with")]
    replace: Option<usize>,
    /// What stands there from now on.
    #[arg(long, value_name = "TEXT", requires = "replace")]
    with: Option<String>,
    /// Who does it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

/// Calls a tool in the agent's place, where somebody has taken the run. The call is decided on as the agent's own are.
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
    settle(adjutant, &run, output, project, "taken; it waits for what you do").await
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
    settle(adjutant, &run, output, project, "done").await
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
    let exit = settle(adjutant, &run, output, project, "called").await?;
    for message in run.messages().await?.iter().skip(before) {
        for result in message.results() {
            output.foreign(&format!("{}\n", result.as_text().trim_end()))?;
        }
    }
    Ok(exit)
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

/// Drives a run until it waits for the person who has taken it, and says why the deed before was none.
async fn settle(adjutant: &Adjutant, run: &Run, output: Output, project: &str, what: &str) -> Ended {
    let (mut show, mut people) = (Show::silent(output), People::new()?);
    let mut updates = run.drive();
    let followed = follow(adjutant, run, &mut updates, &mut show, &mut people, Manners::Watch).await;
    updates.stop().await?;
    let followed = followed?;
    match run.taken().await? {
        Some((_, taken)) if followed == Followed::Waiting => match taken.refused {
            Some(why) => Err(Error::new(Code::InputInvalid, why).into()),
            None => done(output, run.id(), what),
        },
        _ => close(adjutant, run, followed, &mut show, project).await,
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
