//! `adjutant check`: everything that is wrong with a project.

use std::path::{Path, PathBuf};

use adjutant::Project;
use adjutant::agent::definition::{Definition, Strategy};
use adjutant::policy::cedar::Severity;
use adjutant::project::ToolKind;
use adjutant::tool::mcp::Transport;
use adjutant_core::Error;
use clap::Args;
use serde_json::json;

use super::{policy, program};
use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, count};

/// Reads a whole project, and reports everything that is wrong with it, with file, line and column.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match load(arguments.place.as_deref(), shared) {
        Ok(project) => {
            let workflows = project.agents().filter(|agent| agent.workflow.is_some()).count();
            let agents = project.agents().count() - workflows;
            let tools = project.tools().len();
            if let Some(policies) = project.written_policies()? {
                let findings = policies.findings();
                let warnings = findings.iter().filter(|finding| finding.severity() == Severity::Warning);
                warnings.for_each(|finding| policy::tell(finding, output));
            }
            let bounds = bounds(&project);
            if output.json {
                let strategies = bounds.iter().map(|(agent, strategy, most)| {
                    json!({ "agent": agent, "strategy": strategy, "most_model_calls": most })
                });
                let strategies: Vec<_> = strategies.collect();
                output.json(&json!({
                    "ok": true, "agents": agents, "workflows": workflows, "tools": tools, "strategies": strategies, "errors": [],
                }))?;
            } else {
                for (agent, strategy, most) in bounds {
                    let times = count(most, "time");
                    output.talk(&format!("`{agent}` ({strategy}) asks models {times} at most in one run"));
                }
                let (agents, tools) = (count(agents as u64, "agent"), count(tools as u64, "tool"));
                let workflows = match workflows {
                    0 => String::new(),
                    some => format!(", {}", count(some as u64, "workflow")),
                };
                output.line(&format!("ok: {agents}{workflows}, {tools}"))?;
            }
            Ok(Exit::Success)
        }
        Err(Failure::Errors(errors)) if output.json => {
            output.json(&json!({ "ok": false, "errors": errors }))?;
            Ok(Failure::Errors(errors).exit())
        }
        Err(failure) => Err(failure),
    }
}

/// The agents with a strategy, with how often one run of each asks models at most.
fn bounds(project: &Project) -> Vec<(&str, &'static str, u64)> {
    let definitions = project.agents().filter_map(|source| project.definition(&source.name).ok());
    let bound = |definition: &'_ Definition| {
        let strategy = Strategy::of(definition)?.as_str();
        Some((strategy, definition.most_model_calls()?))
    };
    let found = definitions.filter_map(|definition| {
        let (strategy, most) = bound(definition)?;
        Some((definition.name.as_str(), strategy, most))
    });
    found.collect()
}

/// Reads the project, and looks for the programs that its tools need.
fn load(positional: Option<&Path>, shared: &Shared) -> Ended<Project> {
    let named = place::find(positional, shared)?;
    let (project, mut errors) = Project::load_in_part(&named, place::environment(shared))?;
    let file = settings(&named, &project);
    let tools = project.settings().tools.iter();
    let problems = tools.filter_map(|(name, tool)| match &tool.kind {
        ToolKind::Command(config) => {
            let error = program::locate(&config.command).err()?;
            let message = format!("the tool `{name}` cannot be called: {}", error.message());
            let explained = Error::new(error.code(), message).with_help(error.help().unwrap_or_default());
            Some(explained.at(file.to_string_lossy(), Some(tool.place.line), Some(tool.place.column)))
        }
        ToolKind::Mcp(config) => {
            let Transport::Process(process) = &config.transport else { return None };
            let error = program::locate(&process.command).err()?;
            let message = format!("the MCP server `{name}` cannot be started: {}", error.message());
            let explained = Error::new(error.code(), message).with_help(error.help().unwrap_or_default());
            Some(explained.at(file.to_string_lossy(), Some(tool.place.line), Some(tool.place.column)))
        }
        _ => None,
    });
    errors.extend(problems.collect::<Vec<Error>>());
    if errors.is_empty() { Ok(project) } else { Err(errors.into()) }
}

/// The file of the settings, as the person named the project.
fn settings(named: &Path, project: &Project) -> PathBuf {
    match named.is_dir() {
        true if named == Path::new(".") => PathBuf::from("adjutant.toml"),
        true => named.join("adjutant.toml"),
        false => project.folder().join("adjutant.toml"),
    }
}
