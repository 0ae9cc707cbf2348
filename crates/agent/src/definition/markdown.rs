//! An agent as a Markdown file: front matter in YAML, and the prompt below it.
//!
//! ```markdown
//! ---
//! model: main                              # a role or a model id
//! tools: [documents, order, file_ticket]
//! limits: { steps: 20, money: 0.50 USD }
//! ---
//! You run the service desk of {{ shop }}. Look things up before you answer.
//! ```
//!
//! Every key is described in `docs/configuration.md`.

use std::path::Path;

use adjutant_core::{Code, Error};

use super::code::CodeMode;
use super::completion::Completion;
use super::condition::Condition;
use super::delegate::Sees;
use super::document::{Content, Node, Place, Problems, Table, parse_yaml};
use super::front_matter::{self, Parts};
use super::gaps::Gaps;
use super::guardrail::Wanted;
use super::handoff::Handoff;
use super::setting;
use super::source::{Asked, Named, Source};
use super::tool_search::ToolSearchSettings;
use super::{extraction, flow, name, schema, strategy, template};
use crate::narrow::Narrow;

/// The longest file, in bytes.
pub const LONGEST: usize = 1 << 20;
/// What to do about a file that does not begin as it should.
const HELP: &str =
    "begin it with a line `---`, keys such as `model: main`, another line `---`, and then the prompt";

/// Reads an agent from the text of its file. The agent is called what the front matter says, or like the file.
///
/// Reports all that is wrong with the file, each error with line and column: [`Code::ProjectInvalid`].
pub fn parse(file: &str, text: &str) -> Result<Source, Vec<Error>> {
    match parse_in_part(file, text) {
        (Some((source, _)), errors) if errors.is_empty() => Ok(source),
        (_, errors) => Err(errors),
    }
}

/// Reads as much of an agent as is right, and says what is wrong with the rest, as [`parse`] does: enough to look at
/// its names too. Nothing can be read of a file without front matter.
pub fn parse_in_part(file: &str, text: &str) -> (Option<(Source, Gaps)>, Vec<Error>) {
    let problems = Problems::new(file);
    let read = read(file, text, &problems);
    (read, problems.into_errors())
}

fn read(file: &str, text: &str, problems: &Problems) -> Option<(Source, Gaps)> {
    let start = Place { line: 1, column: 1 };
    if text.len() > LONGEST {
        problems.report(start, format!("the file is longer than {LONGEST} bytes: it has {}", text.len()));
        return None;
    }
    let Parts { front_matter, body, body_line } = front_matter::split(text, HELP, problems)?;
    let mut source = Source::new("");
    source.file = Some(file.to_owned());
    read_body(&body.replace("\r\n", "\n"), body_line, &mut source, problems);
    let root = parse_yaml(front_matter, 1, problems)?;
    let table = Table::new(&root, "", problems)?;
    let gaps = read_keys(table, file, &mut source);
    Some((source, gaps))
}

fn read_body(body: &str, body_line: usize, source: &mut Source, problems: &Problems) {
    let lines_before = body_line - 1;
    if body.trim().is_empty() {
        problems.report_with(
            Place { line: body_line, column: 1 },
            "the agent has no prompt",
            "write what it is and how it works below the second `---`",
        );
        return;
    }
    let faults = template::faults(body);
    match template::variables(body) {
        Ok(mut uses) => {
            uses.iter_mut().for_each(|used| used.place = used.place.below(lines_before));
            source.uses = uses;
        }
        // What is no template is a fault too, with its place.
        Err(error) if faults.is_empty() => {
            problems.add(Place { line: body_line, column: 1 }, error);
        }
        Err(_) => {}
    }
    for (place, error) in faults {
        problems.add(place.below(lines_before), error);
    }
    source.instructions = body.trim().to_owned();
}

fn read_keys(table: Table<'_>, file: &str, source: &mut Source) -> Gaps {
    let problems = table.problems();
    read_name(&table, file, source);
    source.description = table.text("description").unwrap_or_default().trim().to_owned();

    table.require("model", "add `model: main`: a role, which `adjutant.toml` gives a model, or a model id");
    if let Some(node) = table.value("model") {
        match node.as_text().map(str::trim) {
            Some(model) if !model.is_empty() => {
                source.model = Named { name: model.to_owned(), place: Some(node.place) };
            }
            _ => table.wrong("model", node, "a role or a model id", "write it as `model: main`"),
        }
    }

    source.tools = names(&table, "tools");
    source.agents = read_agents(&table);
    source.handoffs = Handoff::read(&table);
    source.skills = names(&table, "skills");
    source.approve = names(&table, "approve");
    source.approve_within = table.duration("approve_within");
    if let Some(search) = table.table("tool_search") {
        source.tool_search = ToolSearchSettings::read(search, true);
    }
    if let Some(limits) = table.table("limits") {
        source.limits = setting::read(limits);
    }
    for entry in table.named("variables") {
        if is_identifier(&entry.key) {
            source.variables.insert(entry.key.clone(), entry.value.to_json());
        } else {
            problems.report_with(
                entry.place,
                format!("`{}` cannot be the name of a variable", entry.key),
                "use letters, digits and _, and begin with a letter",
            );
        }
    }
    if let Some(node) = table.value("output") {
        source.output = read_output(&table, node);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a temperature has few digits")]
    {
        source.temperature = table.number("temperature", 0.0..=2.0).map(|number| number as f32);
    }
    source.max_output_tokens = table.integer("max_output_tokens", 1..=10_000_000);
    if let Some(context) = table.table("context") {
        source.context = source.context.read(context);
    }
    source.code = CodeMode::read(&table);
    (source.stop, source.stop_tools) = Condition::read(&table);
    source.check = Completion::read(&table);
    source.guardrails = Wanted::read_all(&table);
    source.mark = table.flag("mark").unwrap_or_default();
    source.flow = flow::of_tools(&table, "flow");
    source.extract = table.flag("extract").unwrap_or(false);
    source.quarantine = names(&table, "quarantine");
    source.endorse = extraction::read_endorse(&table);
    source.narrow = table.choice("narrow", &Narrow::WORDS).flatten();
    (source.strategy, source.react) = strategy::read(&table);
    let gaps = Gaps {
        model: source.model.place.is_none(),
        tools: is_gap(&table, "tools", is_list_of_texts),
        skills: is_gap(&table, "skills", is_list_of_texts),
        variables: is_gap(&table, "variables", |node| node.entries().is_some()),
    };
    table.finish();
    gaps
}

/// Whether a key holds what it must not, or is written otherwise.
fn is_gap(table: &Table<'_>, key: &'static str, is_right: impl Fn(&Node) -> bool) -> bool {
    table.entry(key).is_some_and(|entry| !is_right(&entry.value)) || table.is_misspelt(key)
}

fn is_list_of_texts(node: &Node) -> bool {
    matches!(&node.content, Content::List(items) if items.iter().all(|item| item.as_text().is_some()))
}

fn read_name(table: &Table<'_>, file: &str, source: &mut Source) {
    let given = table.text("name");
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    source.name = given.unwrap_or(stem).to_owned();
    if table.has("name") && given.is_none() {
        return;
    }
    if let Err(error) = name::check(&source.name) {
        let place = table.value("name").map_or(Place { line: 1, column: 1 }, |node| node.place);
        let error = match given {
            Some(_) => error,
            None => {
                let message = format!("the agent is called like its file, and {}", error.message());
                Error::new(Code::ProjectInvalid, message)
                    .with_help("add a `name:` of a-z, 0-9, - and _, or give the file another name")
            }
        };
        table.problems().add(place, error);
    }
}

fn names(table: &Table<'_>, key: &'static str) -> Vec<Named> {
    let mut names: Vec<Named> = Vec::new();
    for (name, place) in table.texts(key).unwrap_or_default() {
        if names.iter().any(|other| other.name == name) {
            table.problems().report(place, format!("`{key}` names `{name}` twice"));
        } else {
            names.push(Named { name: name.to_owned(), place: Some(place) });
        }
    }
    names
}

/// The agents that it may ask: a list of names, or a table that says of each what it sees.
fn read_agents(table: &Table<'_>) -> Vec<Asked> {
    let is_table = table.entry("agents").is_some_and(|entry| entry.value.entries().is_some());
    if !is_table {
        let as_asked = |agent| Asked { agent, sees: Sees::default() };
        return names(table, "agents").into_iter().map(as_asked).collect();
    }
    let mut agents = Vec::new();
    for entry in table.named("agents") {
        let name = table.name_of(&format!("agents.{}", entry.key));
        let Some(settings) = Table::new(&entry.value, name, table.problems()) else { continue };
        let sees = settings.choice("sees", &Sees::WORDS).unwrap_or_default();
        settings.finish();
        agents.push(Asked { agent: Named { name: entry.key.clone(), place: Some(entry.place) }, sees });
    }
    agents
}

fn read_output(table: &Table<'_>, node: &Node) -> Option<serde_json::Value> {
    let Content::Table(_) = node.content else {
        table.wrong("output", node, "a JSON schema", "begin it with `type: object`");
        return None;
    };
    let output = node.to_json();
    match schema::check(&output) {
        Ok(()) => Some(output),
        Err(error) => {
            table.problems().add(node.place, error);
            None
        }
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
