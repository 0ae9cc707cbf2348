//! Reads a workflow from YAML, and says everything that is wrong with it at once.

mod block;
mod chat;
mod crew;
mod events;
mod graph;
mod orchestrate;
mod pattern;
mod scope;
mod step;
mod value;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use adjutant_agent::definition::document::{Entry, Node, Place, Problems, Table, parse_yaml};
use adjutant_agent::definition::{Asked, Condition, Named, Sees, Source, check_name, read_settings, steps};
use adjutant_core::{Code, Error};
use serde_json::Value;

use super::step::{Helper, Plan};
use super::{MOST_CALLS, helper};
use crate::deep::with_own_stack;
use crate::fit;
use scope::Scope;

/// The longest file, in bytes.
pub const LONGEST: usize = 1 << 20;
/// How deep steps may be nested in one file: each level is several of JSON, of which readers take 128. A workflow may ask others.
const DEEPEST: usize = 16;

/// A workflow that was read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What it is besides its plan: its name, the agents and tools that it uses, its limits.
    pub source: Source,
    /// The plan.
    pub plan: Plan,
}

/// Reads a workflow from the text of its file. It is called what the file says, or like the file.
///
/// Reports all that is wrong with the file, each error with line and column: [`Code::ProjectInvalid`].
pub fn parse(file: &str, text: &str) -> Result<Parsed, Vec<Error>> {
    match parse_in_part(file, text) {
        (Some(parsed), errors) if errors.is_empty() => Ok(parsed),
        (_, errors) => Err(errors),
    }
}

/// Reads as much of a workflow as is right, and says what is wrong with the rest, as [`parse`] does: enough to look at the names
/// in it too.
pub fn parse_in_part(file: &str, text: &str) -> (Option<Parsed>, Vec<Error>) {
    let problems = Problems::new(file);
    let read = with_own_stack(|| read(file, text, &problems));
    (read, problems.into_errors())
}

fn read(file: &str, text: &str, problems: &Problems) -> Option<Parsed> {
    if text.len() > LONGEST {
        let message = format!("the file is longer than {LONGEST} bytes: it has {}", text.len());
        problems.report(Place { line: 1, column: 1 }, message);
        return None;
    }
    let root = parse_yaml(text, 0, problems)?;
    let table = Table::new(&root, "", problems)?;
    let mut source = Source::new(name(&table, file));
    source.file = Some(file.to_owned());
    source.description = table.text("description").unwrap_or_default().trim().to_owned();
    if let Some(model) = table.text("model") {
        source.model =
            Named { name: model.to_owned(), place: table.entry("model").map(|entry| entry.value.place) };
    }
    source.limits = vec![steps(MOST_CALLS)];
    if let Some(limits) = table.table("limits") {
        source.limits.extend(read_settings(limits));
    }
    (source.stop, source.stop_tools) = Condition::read(&table);
    if source.stop.as_ref().is_some_and(Condition::is_judged) {
        let place = table.value("stop").map_or(table.place(), |node| node.place);
        let help = "give the step that makes it a `gate` with a `judge`";
        problems.report_with(place, "no model judges when a workflow has done enough", help);
    }
    source.approve = table.texts("approve").unwrap_or_default().into_iter().map(named).collect();
    let reader = Reader { workflow: source.name.clone(), problems, found: RefCell::default() };
    let input = table.value("input").and_then(|node| reader.schema("input", node));
    table.require("steps", "say what is done: `steps:`, and below it a list of steps");
    let mut scope = Scope::begin();
    let steps = table.value("steps").map(|node| reader.steps("steps", node, &mut scope, 0));
    let output = table.entry("output").map(|entry| reader.argument(&entry.value, &scope));
    table.finish();
    let Found { agents, tools, helpers, co_workers } = reader.found.into_inner();
    (source.agents, source.tools) = (agents, tools);
    let plan =
        Plan { version: Plan::VERSION, input, steps: steps.unwrap_or_default(), output, helpers, co_workers };
    source.workflow = Some(serde_json::to_value(&plan).ok()?);
    Some(Parsed { source, plan })
}

fn name(table: &Table<'_>, file: &str) -> String {
    let given = table.text("name");
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = given.unwrap_or(stem).to_owned();
    if let Err(error) = check_name(&name) {
        let place = table.entry("name").map_or(Place { line: 1, column: 1 }, |entry| entry.value.place);
        let error = match given {
            Some(_) => error,
            None => {
                let message = format!("the workflow is called like its file, and {}", error.message());
                Error::new(Code::ProjectInvalid, message)
                    .with_help("add a `name:` of a-z, 0-9, - and _, or give the file another name")
            }
        };
        table.problems().add(place, error);
    }
    name
}

fn named((name, place): (&str, Place)) -> Named {
    Named { name: name.to_owned(), place: Some(place) }
}

/// What reads one file.
struct Reader<'a> {
    workflow: String,
    problems: &'a Problems,
    found: RefCell<Found>,
}

/// What a file names.
#[derive(Default)]
struct Found {
    agents: Vec<Asked>,
    tools: Vec<Named>,
    helpers: Vec<Helper>,
    co_workers: BTreeMap<String, BTreeMap<String, String>>,
}

impl Reader<'_> {
    /// Notes that the workflow asks an agent.
    fn asks(&self, agent: &str, place: Place) {
        let agents = &mut self.found.borrow_mut().agents;
        if !agents.iter().any(|asked| asked.agent.name == agent) {
            agents.push(Asked { agent: named((agent, place)), sees: Sees::Task });
        }
    }

    /// Notes that the workflow calls a tool.
    fn uses(&self, tool: &str, place: Place) {
        let tools = &mut self.found.borrow_mut().tools;
        if !tools.iter().any(|used| used.name == tool) {
            tools.push(named((tool, place)));
        }
    }

    /// Takes in an agent that the workflow brings along, and says what it is called.
    fn helper(&self, step: &str, role: &str, helper: impl FnOnce(String) -> Helper) -> String {
        let name = self.free_name(step, role);
        self.found.borrow_mut().helpers.push(helper(name.clone()));
        name
    }

    /// What an agent can be called that the workflow brings along.
    fn free_name(&self, step: &str, role: &str) -> String {
        let helpers = &self.found.borrow().helpers;
        let first = format!("{}-{step}-{role}", self.workflow);
        // Steps without names of their own are called by their places, and those of two branches are called the same.
        let further = (2..).map(|count: u32| format!("{first}-{count}"));
        let mut names = std::iter::once(first.clone()).chain(further).map(helper::named);
        let is_free = |name: &String| !helpers.iter().any(|helper| helper.name == *name);
        names.find(is_free).unwrap_or_else(|| helper::named(first))
    }

    fn schema(&self, key: &str, node: &Node) -> Option<Value> {
        let schema = node.to_json();
        if node.entries().is_none() {
            let message = format!("`{key}` must be a JSON schema, not {}", node.content);
            self.problems.report_with(node.place, message, "begin it with `type: object`");
            return None;
        }
        match fit::validator(&schema) {
            Ok(_) => Some(schema),
            Err(why) => {
                self.problems.report(node.place, format!("`{key}` is no JSON schema: {why}"));
                None
            }
        }
    }

    /// The entries of a table whose keys are the author's own names.
    fn table<'n>(&self, key: &str, node: &'n Node) -> &'n [Entry] {
        match node.entries() {
            Some(entries) => entries,
            None => {
                self.problems.report(node.place, format!("`{key}` must be a table, not {}", node.content));
                &[]
            }
        }
    }
}
