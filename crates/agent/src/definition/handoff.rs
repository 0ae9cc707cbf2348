//! [`Handoff`]: an agent to which another one may hand the conversation over.

use std::collections::VecDeque;

use adjutant_core::tool::{Effect, Flow, ToolSpec};
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::document::{Content, Node, Table};
use super::pinned::Definition;
use super::source::{HandsTo, Named};

/// How the names of the tools begin by which a conversation is handed over.
const PREFIX: &str = "hand_off_to_";

/// Whom an agent may hand the conversation over to, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// The agent; [`Handoff::PERSON`] for a person.
    pub agent: String,
    /// What goes with it of what was said.
    #[serde(default)]
    pub context: Passes,
    /// Whether the conversation may come back. What a person says then goes to the agent and is not its answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub returns: bool,
}

/// What goes with a handoff of what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passes {
    /// All that the person and the agents have said: their words, never the prompt, calls of tools or their results.
    #[default]
    All,
    /// A summary, which a model writes.
    Summary,
    /// Nothing but what the agent says that hands over.
    None,
    /// The latest of these, so many.
    Last(u32),
}

impl Passes {
    /// The words for it in files.
    pub const WORDS: [(&str, Self); 3] =
        [("all", Self::All), ("summary", Self::Summary), ("none", Self::None)];
}

impl Handoff {
    /// What stands in the place of an agent's name for a person.
    pub const PERSON: &str = "person";

    /// The tool by which an agent gives the conversation back to the one that had it first.
    pub const BACK: &str = "hand_back";

    /// A handoff that passes on all that was said and does not come back.
    pub fn new(agent: impl Into<String>) -> Self {
        Self { agent: agent.into(), context: Passes::default(), returns: false }
    }

    /// Says what goes with it of what was said.
    #[must_use]
    pub fn context(mut self, context: Passes) -> Self {
        self.context = context;
        self
    }

    /// Lets the conversation come back.
    #[must_use]
    pub fn returns(mut self) -> Self {
        self.returns = true;
        self
    }

    /// Whether a person is meant.
    pub fn is_to_a_person(&self) -> bool {
        self.agent == Self::PERSON
    }

    /// The name of the tool by which it is made.
    pub fn tool(&self) -> String {
        format!("{PREFIX}{}", self.agent)
    }

    /// What the model is told of it, where the other agent is described so.
    fn spec(&self, description: &str) -> ToolSpec {
        let (about, needs) = match self.is_to_a_person() {
            true => ("Asks a person, who answers in your place.".to_owned(), "What the person is asked."),
            false => (
                format!(
                    "Hands the conversation over to the agent `{}`, which answers from then on: {description}",
                    self.agent
                ),
                match self.context {
                    Passes::All | Passes::Last(_) => {
                        "What the other needs to know besides what was said: it sees no results of your tools."
                    }
                    Passes::Summary => "What the other needs to know besides a summary of what was said.",
                    Passes::None => "All that the other needs to know: it sees nothing of what was said.",
                },
            ),
        };
        tool(self.tool(), about, needs)
    }

    /// Reads `handoffs`: a list of names and tables, or a table that says of each name how.
    pub(super) fn read(table: &Table<'_>) -> Vec<HandsTo> {
        let Some(node) = table.value("handoffs") else { return Vec::new() };
        let mut found: Vec<HandsTo> = Vec::new();
        let mut add = |to: HandsTo, node: &Node| {
            if found.iter().any(|other| other.agent.name == to.agent.name) {
                table.problems().report(node.place, format!("`handoffs` names `{}` twice", to.agent.name));
            } else {
                found.push(to);
            }
        };
        match &node.content {
            Content::List(items) => {
                for item in items {
                    if let Some(to) = read_item(table, item) {
                        add(to, item);
                    }
                }
            }
            Content::Table(entries) => {
                for entry in entries {
                    let name = table.name_of(&format!("handoffs.{}", entry.key));
                    let Some(settings) = Table::new(&entry.value, name, table.problems()) else { continue };
                    let agent = Named { name: entry.key.clone(), place: Some(entry.place) };
                    add(read_settings(agent, settings), &entry.value);
                }
            }
            _ => wrong(table, node),
        }
        found
    }
}

fn read_item(table: &Table<'_>, item: &Node) -> Option<HandsTo> {
    if let Some(name) = item.as_text() {
        let agent = Named { name: name.to_owned(), place: Some(item.place) };
        return Some(HandsTo { agent, context: Passes::default(), returns: false });
    }
    if item.entries().is_none() {
        wrong(table, item);
        return None;
    }
    let settings = Table::new(item, table.name_of("handoffs"), table.problems())?;
    settings.require("agent", "say to which agent: `agent: NAME`, or `agent: person`");
    let name = settings.text("agent").map(str::to_owned);
    let place = settings.value("agent").map(|node| node.place);
    let to = read_settings(Named { name: name.clone().unwrap_or_default(), place }, settings);
    name.map(|_| to)
}

fn read_settings(agent: Named, settings: Table<'_>) -> HandsTo {
    let latest = |node: &Node| matches!(node.content, Content::Integer(_));
    let context = match settings.value("context").is_some_and(latest) {
        true => settings.integer("context", 1..=1_000).map(Passes::Last),
        false => settings.choice("context", &Passes::WORDS),
    };
    let (context, returns) = (context.unwrap_or_default(), settings.flag("returns").unwrap_or_default());
    settings.finish();
    HandsTo { agent, context, returns }
}

fn wrong(table: &Table<'_>, node: &Node) {
    let help = "write `handoffs: [billing, { agent: returns, context: summary }]`";
    table.wrong("handoffs", node, "a list of agents", help);
}

/// Gives an agent the tools by which it hands over, and all agents that may get the conversation so, each once: those to which it hands
/// over, and those to which these do. `find` gives an agent by its name.
///
/// Fails with the place in [`Definition::handoffs`] of what is wrong, where it is one of this agent's own.
pub(super) fn assemble(
    definition: &mut Definition,
    mut find: impl FnMut(&str) -> Result<Definition>,
) -> Result<(), (usize, Error)> {
    let mut team: Vec<Definition> = Vec::new();
    let mut next: VecDeque<(usize, String)> = named(definition).enumerate().collect();
    while let Some((place, name)) = next.pop_front() {
        if name == Handoff::PERSON || name == definition.name || team.iter().any(|one| one.name == name) {
            continue;
        }
        let found = find(&name).and_then(chosen).map_err(|error| (place, error))?;
        next.extend(named(&found).map(|name| (place, name)));
        team.push(Definition { team: Vec::new(), ..found });
    }
    let described = |name: &str| {
        let all = team.iter().chain(std::iter::once(&*definition));
        all.filter(|one| one.name == name).map(|one| one.description.trim().to_owned()).next()
    };
    let specs = |of: &Definition| -> Vec<ToolSpec> {
        let spec = |handoff: &Handoff| handoff.spec(&described(&handoff.agent).unwrap_or_default());
        of.handoffs.iter().map(spec).collect()
    };
    let returns = |name: &str| {
        let all = team.iter().chain(std::iter::once(&*definition));
        all.flat_map(|one| &one.handoffs).any(|handoff| handoff.agent == name && handoff.returns)
    };
    let back = || {
        let about = "Gives the conversation back to the agent that had it first, which answers from then on.";
        tool(Handoff::BACK.to_owned(), about.to_owned(), "What it needs to know of what you have done.")
    };
    let given: Vec<Vec<ToolSpec>> = team
        .iter()
        .map(|one| specs(one).into_iter().chain(returns(&one.name).then(back)).collect())
        .collect();
    let own = specs(definition);
    for (one, given) in team.iter_mut().zip(given) {
        equip(one, given).map_err(|error| (0, error))?;
    }
    equip(definition, own).map_err(|error| (0, error))?;
    definition.team = team;
    Ok(())
}

fn named(definition: &Definition) -> impl Iterator<Item = String> {
    definition.handoffs.iter().map(|handoff| handoff.agent.clone()).collect::<Vec<_>>().into_iter()
}

/// An agent that a model can choose.
fn chosen(definition: Definition) -> Result<Definition> {
    let open = definition.variables.iter().find(|(_, value)| value.is_null());
    if let Some((variable, _)) = open {
        let message = format!(
            "the agent `{}` is to be handed a conversation, and its variable `{variable}` has no value",
            definition.name
        );
        return Err(Error::new(Code::ProjectInvalid, message).with_help("give it one under `variables`"));
    }
    if !definition.description.trim().is_empty() {
        return Ok(definition);
    }
    let message =
        format!("the agent `{}` is to be handed a conversation and has no description", definition.name);
    Err(Error::new(Code::ProjectInvalid, message)
        .with_help("say in its `description` what it is for: models choose it by that"))
}

fn equip(definition: &mut Definition, specs: Vec<ToolSpec>) -> Result<()> {
    for spec in specs {
        if definition.tool(&spec.name).is_some() {
            let message = format!(
                "a tool of the agent `{}` is called `{}`, as the one by which it hands over",
                definition.name, spec.name
            );
            return Err(Error::new(Code::ProjectInvalid, message).with_help("give that tool another name"));
        }
        definition.tools.push(spec);
    }
    Ok(())
}

fn tool(name: String, description: String, needs: &str) -> ToolSpec {
    let text = |about: &str| json!({ "type": "string", "minLength": 1, "description": about });
    ToolSpec {
        name,
        description,
        parameters: json!({
            "type": "object",
            "properties": { "reason": text("Why."), "needs": text(needs) },
            "required": ["reason", "needs"],
            "additionalProperties": false,
        }),
        effect: Effect::Idempotent,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: Flow::default(),
    }
}
