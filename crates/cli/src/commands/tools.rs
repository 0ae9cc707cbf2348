//! `adjutant tools`: what agents may call, and calling it by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use adjutant::Project;
use adjutant::tool::mcp::Server;
use adjutant::tool::{Answer, Question};
use adjutant_core::message::Part;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::runs::values;
use super::{library, login, trust};
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Style, Table, clean, duration, first_line};
use crate::turn::{People, Put, put};

/// Lists the tools of a project, calls one by hand, accepts those of MCP servers, logs in to them, and keeps those that
/// agents have made.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArguments),
    Call(CallArguments),
    Prompts(PromptsArguments),
    Trust(trust::Arguments),
    Login(login::LoginArguments),
    Logout(login::LogoutArguments),
    Library(library::Arguments),
}

/// Lists the tools that the project and its agents name.
#[derive(Args, Debug)]
struct ListArguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

/// Lists the prompts of MCP servers that were accepted. `adjutant tools call SERVER__get_prompt` gets one.
#[derive(Args, Debug)]
struct PromptsArguments {
    /// The server, by its name under `[tools]`; all of them where none is named.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Calls a tool as an agent would, and prints its output. Nothing is recorded.
///
/// Where an agent of the project asks a person before it calls the tool (`approve`), so does this.
#[derive(Args, Debug)]
struct CallArguments {
    /// The tool.
    #[arg(value_name = "NAME")]
    name: String,
    /// The arguments: a JSON object.
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// Make the call without asking.
    #[arg(long)]
    yes: bool,
    /// What to answer where the call asks something: a JSON object. Once for each question, in their order; what is asked
    /// beyond is asked at the terminal.
    #[arg(long, value_name = "JSON", value_parser = values)]
    answer: Vec<Map<String, Value>>,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::List(command) => list(command, shared, output),
        Command::Call(command) => call(command, shared, output).await,
        Command::Prompts(command) => prompts(command, shared, output),
        Command::Trust(command) => trust::execute(command, shared, output).await,
        Command::Login(command) => login::login(command, shared, output).await,
        Command::Logout(command) => login::logout(command, shared, output).await,
        Command::Library(command) => library::execute(command, shared, output).await,
    }
}

fn list(arguments: &ListArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(arguments.place.as_deref(), shared)?;
    let specs: Vec<&ToolSpec> = project.tools().specs().collect();
    if output.json {
        output.json(&specs)?;
        return Ok(Exit::Success);
    }
    if specs.is_empty() {
        output.talk("the project has no tools; add one under `[tools]` in adjutant.toml");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["tool", "effect", "timeout", "arguments", "what it does"]);
    for spec in specs {
        table.row([
            &spec.name,
            spec.effect.as_str(),
            &duration(spec.timeout),
            &parameters(&spec.parameters),
            &first_line(&spec.description, 70),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

fn prompts(arguments: &PromptsArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let is_meant = |name: &str| arguments.name.as_deref().is_none_or(|meant| meant == name);
    let servers = project.servers().map(Server::name).filter(|name| is_meant(name));
    let accepted: BTreeMap<&str, _> =
        servers.map(|name| (name, project.accepted(name).map(|pin| &pin.prompts))).collect();
    if accepted.is_empty()
        && let Some(name) = &arguments.name
    {
        return Err(Error::new(Code::NotFound, format!("there is no MCP server `{name}`"))
            .with_help("add `[tools.NAME]` with `type = \"mcp\"`")
            .into());
    }
    if output.json {
        output.json(&accepted)?;
        return Ok(Exit::Success);
    }
    if accepted.values().copied().flatten().all(BTreeMap::is_empty) {
        output.talk("no prompts were accepted; `adjutant tools trust` shows what servers offer");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["server", "prompt", "arguments", "what it is for"]);
    for (server, prompts) in &accepted {
        for (name, prompt) in prompts.iter().copied().flatten() {
            let about = first_line(&prompt.description, 70);
            table.row([*server, name, &parameters(&prompt.parameters), &about]);
        }
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// The names of the arguments of a schema; those in brackets may be left out.
fn parameters(schema: &Value) -> String {
    let required = schema.get("required").and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let properties = schema.get("properties").and_then(|map| map.as_object());
    let names = properties.into_iter().flatten().map(|(name, _)| match required.iter().any(|r| r == name) {
        true => name.clone(),
        false => format!("[{name}]"),
    });
    names.collect::<Vec<_>>().join(" ")
}

async fn call(arguments: &CallArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let called = project.tools().arguments(&arguments.name, &arguments.arguments)?;
    if let Some(agent) = asking(&project, &arguments.name).filter(|_| !arguments.yes)
        && let Some(exit) = ask(&arguments.name, &called.to_string(), agent, output).await?
    {
        return Ok(exit);
    }
    let began = Instant::now();
    let show = move |text: String| output.aside(&format!("     {text}"));
    let mut answers = arguments.answer.iter().cloned();
    let ask = async |question: &Question| match answers.next() {
        Some(values) => Ok(Answer::Accept(Some(values))),
        None => answer(question, output).await,
    };
    let answer = adjutant::call_tool(&project, &arguments.name, &arguments.arguments, show, ask).await?;
    output.aside(&format!("answered after {}", duration(began.elapsed())));
    if output.json {
        output.json(&answer)?;
        return Ok(Exit::Success);
    }
    if let Some(note) = &answer.note {
        output.aside(&format!("[{note}]"));
    }
    for part in &answer.content {
        match part {
            Part::Text { text } => output.foreign(&format!("{}\n", text.trim_end()))?,
            other => output.json(&json!(other))?,
        }
    }
    Ok(Exit::Success)
}

/// What the person at the terminal answers. Fails with [`Code::ToolDenied`] when nobody is there.
async fn answer(question: &Question, output: Output) -> Result<Answer, Error> {
    let mut people = People::new()?;
    let nobody = || {
        let why = format!("{} asks: {}", question.from, question.message);
        Error::new(Code::ToolDenied, why).with_help("answer at a terminal, or with `--answer JSON`")
    };
    if !people.is_terminal() {
        return Err(nobody());
    }
    match put(question, &mut people, output).await {
        Ok(Put::Answered(answer)) => Ok(answer),
        Ok(Put::Left) | Err(_) => Err(nobody()),
        Ok(Put::Interrupted(_)) => Err(Error::new(Code::RunCancelled, "the call was interrupted")),
    }
}

/// An agent that asks a person before it calls this tool.
fn asking<'a>(project: &'a Project, tool: &str) -> Option<&'a str> {
    let agents = project.agents().filter_map(|source| project.definition(&source.name).ok());
    agents
        .filter(|agent| agent.tool(tool).is_some() && agent.asks_before(tool))
        .map(|agent| agent.name.as_str())
        .next()
}

/// Asks the person. Fails with [`Code::ToolDenied`] when nobody is there or the answer is not yes; gives how to end when
/// they leave instead.
async fn ask(tool: &str, arguments: &str, agent: &str, output: Output) -> Ended<Option<Exit>> {
    let mut people = People::new()?;
    if !people.is_terminal() {
        return Err(Error::new(
            Code::ToolDenied,
            format!("the agent `{agent}` asks a person before it calls `{tool}`"),
        )
        .with_help("make the call at a terminal, or with `--yes`")
        .into());
    }
    let allow = output.painted(Style::Yellow, "allow");
    match people.agrees(&format!("{allow} {} {}\n", clean(tool), clean(arguments)), output).await {
        Err(interrupt) => Ok(Some(interrupt.into())),
        Ok(true) => Ok(None),
        Ok(false) => Err(Error::new(Code::ToolDenied, format!("the call of `{tool}` was refused")).into()),
    }
}
