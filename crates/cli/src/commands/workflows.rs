//! `adjutant workflows`: what workflows there are, what they do, and what they look like.

use std::path::{Path, PathBuf};

use adjutant::workflow::schema;
use adjutant_core::{Code, Error};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table, first_line};

/// Lists the workflows of a project, shows what they do, and draws them.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArguments),
    Show(ShowArguments),
    Draw(DrawArguments),
    /// Prints the JSON schema of workflow files, by which editors complete and check them.
    Schema,
}

/// Lists the workflows of the project, and which agents they ask.
#[derive(Args, Debug)]
struct ListArguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

/// Shows the steps of a workflow, one below the other; with `--json`, the plan that its runs are pinned to.
#[derive(Args, Debug)]
struct ShowArguments {
    /// The workflow.
    #[arg(value_name = "NAME")]
    name: String,
}

/// Draws a workflow as a flowchart, or who hands a conversation over to whom.
#[derive(Args, Debug)]
struct DrawArguments {
    /// The workflow, or an agent that has handoffs.
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is drawn in: Mermaid, which Markdown pages show, or a picture in SVG. Otherwise as the file is called that it is
    /// written to, or Mermaid.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file that it is written to. Otherwise it goes to standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Mermaid,
    Svg,
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::List(command) => list(command, shared, output),
        Command::Show(command) => show(command, shared, output),
        Command::Draw(command) => draw(command, shared, output),
        Command::Schema => {
            output.data(&schema::text())?;
            Ok(Exit::Success)
        }
    }
}

fn list(arguments: &ListArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(arguments.place.as_deref(), shared)?;
    let rows = project.workflows().map(|(source, _)| {
        let agents: Vec<&str> = source.agents.iter().map(|asked| asked.agent.name.as_str()).collect();
        let tools: Vec<&str> = source.tools.iter().map(|tool| tool.name.as_str()).collect();
        (source, agents, tools)
    });
    let rows: Vec<_> = rows.collect();
    if output.json {
        let workflows = rows.iter().map(|(source, agents, tools)| {
            json!({
                "name": source.name,
                "description": source.description,
                "file": source.file,
                "agents": agents,
                "tools": tools,
            })
        });
        output.json(&workflows.collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    if rows.is_empty() {
        output.talk("the project has no workflows; write one: workflows/NAME.yaml");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["workflow", "agents", "tools", "what it is for"]);
    for (source, agents, tools) in rows {
        let description = first_line(&source.description, 70);
        table.row([&source.name, &agents.join(" "), &tools.join(" "), &description]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

fn show(arguments: &ShowArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let (source, plan) = project.workflow(&arguments.name)?;
    if output.json {
        output.json(&json!({ "name": source.name, "description": source.description, "plan": plan }))?;
        return Ok(Exit::Success);
    }
    let mut text = match source.description.is_empty() {
        true => format!("{}\n", source.name),
        false => format!("{}: {}\n", source.name, source.description),
    };
    for (depth, line) in plan.outline() {
        text.push_str(&format!("{}- {line}\n", "  ".repeat(depth)));
    }
    output.foreign(&text)?;
    Ok(Exit::Success)
}

/// What a file of that name is drawn in. Fails with [`Code::InputInvalid`] for a kind of picture that is not made here.
fn format_of(file: &Path) -> Result<Format, Error> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Ok(Format::Svg),
        None | Some("mmd" | "md" | "txt") => Ok(Format::Mermaid),
        Some(other) => {
            let message = format!("nothing is drawn as `.{other}`");
            Err(Error::new(Code::InputInvalid, message).with_help("write to a file `.svg`, `.mmd` or `.md`"))
        }
    }
}

fn draw(arguments: &DrawArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let drawn = project.drawing(&arguments.name)?;
    let format = match (arguments.format, &arguments.output) {
        (Some(format), _) => format,
        (None, Some(file)) => format_of(file)?,
        (None, None) => Format::Mermaid,
    };
    let text = match format {
        Format::Mermaid => drawn.mermaid(),
        Format::Svg => drawn.svg(),
    };
    match &arguments.output {
        None => output.foreign(&text)?,
        Some(file) => std::fs::write(file, text).map_err(|error| {
            Error::new(Code::FileUnreadable, format!("`{}` cannot be written", file.display()))
                .caused_by(&error)
        })?,
    }
    Ok(Exit::Success)
}
