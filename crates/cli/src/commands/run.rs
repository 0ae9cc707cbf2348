//! `adjutant run`: one question, one answer.

use std::io::Read as _;
use std::path::PathBuf;

use adjutant::{Adjutant, Reply, Routed, Run, Stop, Task, Updates, WhenBusy, version_of};
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::{Value, json};

use super::exchanges::Exchanges;
use super::terms::{Terms, name};
use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, clean, first_line};
use crate::turn::{Followed, Manners, People, Show, explain, explain_ahead, follow, summary};

/// The longest question that is read from standard input, in bytes.
const LONGEST: u64 = 4 << 20;

/// How much is shown of why an agent was chosen, in characters.
const LONGEST_REASON: usize = 200;

/// Asks an agent, and prints its answer. The run is recorded: if it is killed, `adjutant runs resume` finishes it.
#[derive(Args, Debug)]
#[command(override_usage = "adjutant run [OPTIONS] [PROJECT] <QUESTION>")]
pub(crate) struct Arguments {
    /// The question; `-` reads it from standard input. Where two words are given, the first is the project: a folder, or
    /// one agent's Markdown file.
    #[arg(value_name = "QUESTION", num_args = 1..=2, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    exchanges: Exchanges,
    /// Name the task, so that it is done once: the same name again goes on with the run that is there.
    #[arg(long, value_name = "NAME", value_parser = name)]
    id: Option<String>,
    /// What happens where a turn of the conversation is under way: the question waits for it, is refused, interrupts it, or has it
    /// taken back, so that nothing of it is seen from then on.
    #[arg(long, value_name = "WAY", value_parser = way, default_value = "enqueue", requires = "session")]
    when_busy: WhenBusy,
}

fn way(text: &str) -> Result<WhenBusy, String> {
    let words = WhenBusy::WORDS.map(|(word, _)| word.replace('_', "-"));
    let found = WhenBusy::WORDS.into_iter().zip(&words).find(|(_, word)| *word == text);
    found.map(|((_, way), _)| way).ok_or_else(|| format!("it is one of {}", words.join(", ")))
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, question) = match arguments.words.as_slice() {
        [project, question] => (Some(PathBuf::from(project)), question),
        [question] => (None, question),
        _ => return Err(Error::new(Code::InputInvalid, "there is no question").into()),
    };
    let question = read(question)?;
    let adjutant = place::open(project.as_deref(), shared)?;
    arguments.terms.check(&adjutant.project())?;
    let recording = arguments.exchanges.begin(&adjutant.project(), output)?;
    let mut task = arguments.terms.task(question).when_busy(arguments.when_busy);
    if let Some(id) = &arguments.id {
        task = task.id(id);
    }
    let agent = agent(&adjutant, arguments.terms.agent.as_deref(), &task, output).await?;
    let run = adjutant.start(agent.as_str(), task).await?;
    if arguments.terms.model.is_none() {
        notice(&adjutant, &agent, output);
    }
    arguments.terms.warn(&adjutant, &agent, output);
    output.aside(&format!("run {}", run.id()));
    if let Some(turns) = taken_back(&run).await? {
        output.talk(&turns);
    }
    let ended = drive(&adjutant, &run, output, &place::typed(project.as_deref(), shared)).await;
    recording.finish()?;
    ended
}

/// What a run has taken back, for people; none where that is nothing. What it has done outside is complete once it is over.
async fn taken_back(run: &Run) -> Result<Option<String>> {
    let turns: Vec<String> = run.info().await?.takes_back.iter().map(ToString::to_string).collect();
    Ok((!turns.is_empty()).then(|| {
        format!(
            "note: taken back: {}; what it has done outside has happened: `adjutant runs show {}` says what",
            turns.join(", "),
            run.id()
        )
    }))
}

/// The agent that is named, or otherwise the one that answers; where a model chose it, it is said why.
pub(crate) async fn agent(
    adjutant: &Adjutant,
    named: Option<&str>,
    task: &Task,
    output: Output,
) -> Result<String> {
    if named.is_some() {
        return adjutant.choose(named);
    }
    let Routed { agent, reason, run } = adjutant.route(task).await?;
    if let (Some(reason), Some(run)) = (reason, run) {
        let reason = first_line(&clean(&reason), LONGEST_REASON);
        output.aside(&format!("{agent} answers: {reason} (run {run})"));
    }
    Ok(agent)
}

/// Says what a person must know of the model that answers: that it is no LLM, where nobody chose it.
pub(crate) fn notice(adjutant: &Adjutant, agent: &str, output: Output) {
    let (agent, _) = version_of(agent);
    let project = adjutant.project();
    let source = project.agents().find(|source| source.name == agent);
    let choice = source.and_then(|source| project.models().choice(&source.model.name).ok());
    if let Some(notice) = choice.and_then(|choice| choice.notice()) {
        output.talk(&format!("note: {notice}"));
    }
}

/// Drives a run to its end, or to where it waits for a person who is not here, and shows it.
pub(crate) async fn drive(adjutant: &Adjutant, run: &Run, output: Output, project: &str) -> Ended {
    let mut people = People::new()?;
    let manners = if people.is_terminal() && !output.json { Manners::Answer } else { Manners::Watch };
    let mut show = Show::new(output).since(run.info().await?.created);
    let mut updates = run.drive();
    let followed = follow(adjutant, run, &mut updates, &mut show, &mut people, manners).await;
    leave(updates, &mut people).await?;
    if followed.as_ref().is_err_and(Failure::is_of_store) {
        show.finish()?;
        say_recorded(run, output, project);
    }
    let closed = close(adjutant, run, followed?, &mut show, project).await;
    if output.json {
        print(run, &closed, output).await?;
    }
    closed
}

/// Says how a run goes on that this program has let go.
fn say_recorded(run: &Run, output: Output, project: &str) {
    let id = run.id();
    output.talk(&format!(
        "run {id} is recorded\n  to go on:  adjutant runs resume {id}{project}\n  to end it: adjutant runs cancel \
         {id}{project}"
    ));
}

/// Lets go of a run. What is under way is ended in order; whoever presses Ctrl-C meanwhile does not wait for that.
pub(crate) async fn leave(updates: Updates, people: &mut People) -> Result<()> {
    tokio::select! {
        biased;
        left = updates.stop() => left,
        _ = people.interrupts.next() => Ok(()),
    }
}

/// Writes a run as one line of JSON.
pub(crate) async fn print(run: &Run, closed: &Ended, output: Output) -> Ended<()> {
    let exit = closed.as_ref().map_or_else(Failure::exit, |exit| *exit);
    output.json(&result(run, exit).await?)
}

/// Says how a run came out, or why it does not go on.
pub(crate) async fn close(
    adjutant: &Adjutant,
    run: &Run,
    followed: Followed,
    show: &mut Show,
    project: &str,
) -> Ended {
    let output = show.output();
    let id = run.id();
    match followed {
        Followed::Ended => {
            let info = run.info().await?;
            let reply = match info.outcome.clone() {
                Some(outcome) => outcome.map_err(Failure::of_run)?.to::<Reply>()?,
                None => {
                    return Err(Error::new(
                        Code::Internal,
                        format!("the run `{id}` ended without an outcome"),
                    )
                    .into());
                }
            };
            show.answer(&reply)?;
            output.aside(&format!("run {id}: {}", tell(run, &reply).await?));
            exit_of(&reply)
        }
        Followed::Waiting => {
            explain(run, output, project).await?;
            Ok(Exit::Waiting)
        }
        Followed::Behind => {
            explain_ahead(adjutant, run, output, project).await?;
            Ok(Exit::Waiting)
        }
        Followed::Paused => {
            output.talk(&format!("run {id} is paused; `adjutant runs resume {id}{project}` lets it go on"));
            Ok(Exit::Waiting)
        }
        Followed::Halted => {
            let error = halted(run).await?;
            let go_on = format!("to go on: adjutant runs resume {id}{project}");
            let help = error.help().map_or_else(|| go_on.clone(), |first| format!("{first}\n{go_on}"));
            Err(Failure::of_run(error.with_help(help)))
        }
        Followed::Interrupted(interrupt) => {
            say_recorded(run, output, project);
            Ok(Exit::from(interrupt))
        }
    }
}

/// Why a run halted.
pub(crate) async fn halted(run: &Run) -> Result<Error> {
    let unsaid = || Error::new(Code::Conflict, format!("the run `{}` cannot go on", run.id()));
    Ok(run.info().await?.halted.unwrap_or_else(unsaid))
}

async fn tell(run: &Run, reply: &Reply) -> Result<String> {
    Ok(summary(reply, &run.summary().await?))
}

/// How a command ends that shows this reply.
fn exit_of(reply: &Reply) -> Ended {
    match reply.stop {
        Stop::Empty => Err(Failure::of_run(
            Error::new(Code::ModelAnswerInvalid, "the run ended without an answer: the model gave none")
                .with_help("ask again, in other words, or with another model: `--model`"),
        )),
        Stop::LimitReached(_) => Ok(Exit::Limited),
        // An answer that was declined or held back is one as well: the reply says why.
        Stop::Answered
        | Stop::Enough
        | Stop::CutOff
        | Stop::Refused
        | Stop::Filtered
        | Stop::Blocked
        | Stop::Withheld
        | Stop::HandedOver => Ok(Exit::Success),
    }
}

/// A run as JSON.
async fn result(run: &Run, exit: Exit) -> Result<Value> {
    let info = run.info().await?;
    let (reply, error) = match info.outcome {
        Some(Ok(reply)) => (Some(reply), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, info.halted),
    };
    let waits = if exit == Exit::Waiting { run.waits().await? } else { Vec::new() };
    Ok(json!({
        "run": run.id(),
        "agent": info.name,
        "session": info.session,
        "state": info.state,
        "reply": reply,
        "error": error,
        "waits": waits,
    }))
}

/// The question as it was typed, or from standard input.
fn read(question: &str) -> Result<String> {
    let mut text = question.to_owned();
    if question == "-" {
        text.clear();
        std::io::stdin().take(LONGEST + 1).read_to_string(&mut text).map_err(|error| {
            Error::new(Code::FileUnreadable, "the question cannot be read from standard input")
                .caused_by(&error)
        })?;
    }
    if text.trim().is_empty() {
        return Err(Error::new(Code::InputInvalid, "the question is empty"));
    }
    if text.len() as u64 > LONGEST {
        return Err(Error::new(Code::InputInvalid, format!("the question is longer than {LONGEST} bytes"))
            .with_help("put long material into files and give the agent a tool that reads them"));
    }
    Ok(text)
}
