//! `adjutant skills`: what agents may read, and whether it is right.

use std::path::{Path, PathBuf};

use adjutant::project::read_skill;
use adjutant::tool::skill::Skill;
use adjutant_core::Error;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, Table, count, first_line};

/// Lists the skills of a project, and checks them.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArguments),
    Check(CheckArguments),
}

/// Lists the skills of the project, and which agents have them.
#[derive(Args, Debug)]
struct ListArguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

/// Reports everything that is wrong with the skills of the project, or with one skill, with file, line and column.
#[derive(Args, Debug)]
struct CheckArguments {
    /// The folder of one skill, which need not be in a project; otherwise all of the project.
    #[arg(value_name = "SKILL")]
    skill: Option<PathBuf>,
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        Command::List(command) => list(command, shared, output),
        Command::Check(command) => check(command, shared, output),
    }
}

fn list(arguments: &ListArguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(arguments.place.as_deref(), shared)?;
    let having = |name: &str| {
        let agents = project.agents().filter(|agent| agent.skills.iter().any(|skill| skill.name == name));
        agents.map(|agent| agent.name.clone()).collect::<Vec<_>>()
    };
    let skills: Vec<(&Skill, Vec<String>)> =
        project.skills().map(|skill| (skill, having(&skill.name))).collect();
    if output.json {
        let skills = skills.iter().map(|(skill, agents)| {
            let files: Vec<&str> = skill.files.iter().map(|file| file.path.as_str()).collect();
            json!({
                "name": skill.name,
                "description": skill.description,
                "agents": agents,
                "files": files,
                "allowed_tools": skill.allowed_tools,
                "license": skill.license,
                "compatibility": skill.compatibility,
                "metadata": skill.metadata,
            })
        });
        output.json(&skills.collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    if skills.is_empty() {
        output.talk("the project has no skills; write one: skills/NAME/SKILL.md");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["skill", "agents", "files", "what it is for"]);
    for (skill, agents) in skills {
        let files = (skill.files.len() + 1).to_string();
        table.row([&skill.name, &agents.join(" "), &files, &first_line(&skill.description, 70)]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

fn check(arguments: &CheckArguments, shared: &Shared, output: Output) -> Ended {
    let (skills, errors) = match &arguments.skill {
        Some(folder) => match read_skill(folder) {
            Ok(skill) => (vec![skill], Vec::new()),
            Err(errors) => (Vec::new(), errors),
        },
        None => of_project(&place::find(None, shared)?)?,
    };
    if !errors.is_empty() {
        if output.json {
            output.json(&json!({ "ok": false, "errors": errors }))?;
            return Ok(Failure::Errors(errors).exit());
        }
        return Err(errors.into());
    }
    if output.json {
        output.json(&json!({ "ok": true, "skills": skills.len(), "errors": [] }))?;
    } else {
        output.line(&format!("ok: {}", count(skills.len() as u64, "skill")))?;
        for skill in skills.iter().filter(|skill| !skill.allowed_tools.is_empty()) {
            output.talk(&format!(
                "note: `allowed-tools` of `{}` gives no tool and approves none: `tools` and `approve` of an agent do",
                skill.name
            ));
        }
    }
    Ok(Exit::Success)
}

/// The skills of a project, whatever is wrong with the rest of it.
fn of_project(named: &Path) -> Ended<(Vec<Skill>, Vec<Error>)> {
    let folder = match named.is_dir() {
        true => named.to_owned(),
        false => adjutant::Project::load_in_part(named, adjutant::project::Environment::process())?
            .0
            .folder()
            .to_owned(),
    };
    let mut errors = Vec::new();
    let skills = adjutant::project::read_skills(&folder, &mut errors);
    Ok((skills, errors))
}
