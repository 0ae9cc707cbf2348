//! `adjutant policy flow`: what the tools of agents do with information.

use adjutant::agent::definition::Definition;
use adjutant::policy::flow::{Exposure, Row};
use adjutant_core::label::Readers;
use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table};

/// Shows what the tools of agents do with information: where their results come from, who may see these, whether calls carry
/// something out, and what each argument is for. What nobody has said is derived, and marked with `?`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The agent; otherwise all of them.
    #[arg(value_name = "AGENT")]
    agent: Option<String>,
}

/// The tools of one agent, and those of the agents that it asks.
struct Agent {
    name: String,
    rows: Vec<Row>,
    exposure: Exposure,
}

impl Agent {
    fn of(definition: &Definition) -> Self {
        let row = |definition: &Definition| definition.tools.iter().map(Row::of).collect::<Vec<_>>();
        let rows = row(definition);
        let nested: Vec<Row> = definition.nested().flat_map(row).collect();
        let apart = definition.extraction.as_ref().map(|one| one.quarantined.clone()).unwrap_or_default();
        let exposure = Exposure::of(rows.iter().chain(&nested), &apart);
        Self { name: definition.name.clone(), rows, exposure }
    }
}

pub(super) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let mut agents = Vec::new();
    match &arguments.agent {
        Some(name) => agents.push(Agent::of(project.definition(name)?)),
        None => {
            for source in project.agents() {
                agents.push(Agent::of(project.definition(&source.name)?));
            }
        }
    }
    if output.json {
        let agents = agents.iter().map(|agent| {
            json!({
                "agent": agent.name,
                "tools": agent.rows,
                "exposure": agent.exposure,
                "exposed": agent.exposure.is_complete(),
            })
        });
        output.json(&agents.collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&[
        "agent",
        "tool",
        "results come from",
        "trusted",
        "who may see",
        "goes out",
        "arguments",
    ]);
    for agent in &agents {
        for row in &agent.rows {
            table.row([
                agent.name.as_str(),
                &row.tool,
                &told(&row.source, row.said.source),
                &told(yes(row.trusted), row.said.trusted),
                &told(&readers(row), row.said.readers),
                &told(yes(row.egress), row.said.egress),
                &roles(row),
            ]);
        }
    }
    output.data(&table.render(output.data_colored))?;
    for agent in agents.iter().filter(|agent| agent.exposure.is_complete()) {
        let Exposure { untrusted, private, exits } = &agent.exposure;
        output.talk(&format!(
            "warning: `{}` reads what anybody may have written ({}), may read what is not for everybody ({}) and can carry it \
             out ({}): hold it with policies, or take one of the three away",
            agent.name,
            untrusted.join(", "),
            private.join(", "),
            exits.join(", ")
        ));
    }
    Ok(Exit::Success)
}

/// A value, and whether somebody has said it.
fn told(value: &str, is_said: bool) -> String {
    if is_said { value.to_owned() } else { format!("{value}?") }
}

fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

fn readers(row: &Row) -> String {
    match &row.readers {
        Readers::Anyone if row.private => "not said".to_owned(),
        Readers::Anyone => "anybody".to_owned(),
        Readers::Only(readers) if readers.is_empty() => "nobody".to_owned(),
        Readers::Only(readers) => readers.iter().cloned().collect::<Vec<_>>().join(" "),
    }
}

fn roles(row: &Row) -> String {
    let role = |(pointer, role): (&String, &adjutant_core::tool::Role)| {
        let name = pointer.trim_start_matches('/');
        told(&format!("{name}:{}", role.as_str()), row.said.roles.contains(pointer))
    };
    row.roles.iter().map(role).collect::<Vec<_>>().join(" ")
}
