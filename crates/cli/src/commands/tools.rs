//! `adjutant tools`: what agents may call, and calling it by hand.

use std::path::PathBuf;
use std::time::Instant;

use adjutant_core::message::Part;
use adjutant_core::tool::ToolSpec;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table, duration, first_line};

/// Lists the tools of a project, and calls one by hand.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArguments),
    Call(CallArguments),
}

/// Lists the tools that the project and its agents name.
#[derive(Args, Debug)]
struct ListArguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

/// Calls a tool as an agent would, and prints its output. Nothing is recorded.
#[derive(Args, Debug)]
struct CallArguments {
    /// The tool.
    #[arg(value_name = "NAME")]
    name: String,
    /// The arguments: a JSON object.
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::List(command) => list(command, shared, output),
        Command::Call(command) => call(command, shared, output).await,
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
            &parameters(spec),
            &first_line(&spec.description, 70),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// The names of a tool's arguments; those in brackets may be left out.
fn parameters(spec: &ToolSpec) -> String {
    let required =
        spec.parameters.get("required").and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let properties = spec.parameters.get("properties").and_then(|map| map.as_object());
    let names = properties.into_iter().flatten().map(|(name, _)| match required.iter().any(|r| r == name) {
        true => name.clone(),
        false => format!("[{name}]"),
    });
    names.collect::<Vec<_>>().join(" ")
}

async fn call(arguments: &CallArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let began = Instant::now();
    let show = move |text: String| output.aside(&format!("     {text}"));
    let answer = adjutant::call_tool(&project, &arguments.name, &arguments.arguments, show).await?;
    output.aside(&format!("answered after {}", duration(began.elapsed())));
    if output.json {
        output.json(&answer)?;
        return Ok(Exit::Success);
    }
    for part in &answer.content {
        match part {
            Part::Text { text } => output.foreign(&format!("{}\n", text.trim_end()))?,
            other => output.json(&json!(other))?,
        }
    }
    Ok(Exit::Success)
}
