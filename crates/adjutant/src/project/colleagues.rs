//! Agents that ask other agents of their project.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_agent::definition::{Asked, Definition, Handoff, Source};
use adjutant_core::{Code, Error, nearest};

use adjutant_workflow::plan::Plan;

use super::agents::Agents;

/// How many agents an agent may ask, with those that they ask in turn: each is part of its definition.
const MOST: usize = 200;

/// Makes definitions of all agents, each with the agents that it asks. Reports agents that ask each other in a circle:
/// none of them could ever be pinned.
pub(super) fn define(
    agents: &BTreeMap<String, Source>,
    define: impl Fn(&Source) -> Result<Definition, Vec<Error>>,
    errors: &mut Vec<Error>,
) -> BTreeMap<String, Definition> {
    let mut definitions = BTreeMap::new();
    let mut failed = BTreeSet::new();
    // One that asks nobody is ready, then those that ask only these, and so on. What never gets ready is in a circle,
    // or asks somebody who is.
    let mut rest: Vec<&Source> = agents.values().collect();
    loop {
        let known = |asked: &Asked| {
            let name = &asked.agent.name;
            definitions.contains_key(name) || failed.contains(name) || !agents.contains_key(name)
        };
        let (ready, later): (Vec<&Source>, Vec<&Source>) =
            rest.iter().partition(|source| source.agents.iter().all(known));
        if ready.is_empty() {
            break;
        }
        rest = later;
        let mut made = Vec::new();
        for source in ready {
            match define(source).and_then(|definition| complete(source, definition, &definitions, &define)) {
                Ok(definition) => made.push((source.name.clone(), definition)),
                Err(found) => {
                    failed.insert(source.name.clone());
                    errors.extend(found);
                }
            }
        }
        definitions.extend(made);
    }
    errors.extend(rest.iter().filter_map(|source| circle(source, agents)));
    let handing = agents.values().filter(|source| !source.handoffs.is_empty());
    let handing: Vec<_> = handing.filter_map(|source| team(source, &definitions, errors)).collect();
    definitions.extend(handing);
    definitions
}

/// Gives a definition the agents that its author named, as far as they are there: what is wrong with the others is told
/// with them, or by [`strangers`].
fn complete(
    source: &Source,
    mut definition: Definition,
    definitions: &BTreeMap<String, Definition>,
    define: impl Fn(&Source) -> Result<Definition, Vec<Error>>,
) -> Result<Definition, Vec<Error>> {
    let mut there = source.clone();
    there.agents.retain(|asked| definitions.contains_key(&asked.agent.name));
    there.resolve_agents(&mut definition, |name| {
        let found = definitions.get(name).cloned();
        found.ok_or_else(|| Error::new(Code::NotFound, format!("there is no agent `{name}`")))
    })?;
    if there.agents.len() < source.agents.len() {
        return Err(Vec::new());
    }
    if let Some(plan) = source.workflow.as_ref().and_then(|plan| Plan::read(plan).ok()) {
        plan.equip(&mut definition, define)?;
        let wrong: Vec<_> =
            plan.check(&definition).into_iter().map(|error| source.placed(error, None)).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
    }
    let nested = definition.nested().count();
    if nested > MOST {
        let message = format!("the agent `{}` asks {nested} agents in all; {MOST} are the most", source.name);
        return Err(vec![source.placed(Error::new(Code::ProjectInvalid, message), None)]);
    }
    Ok(definition)
}

/// An agent with all those that may get its conversation. None where one of them is not there: what is wrong with it is told
/// with it, or by [`strangers`].
fn team(
    source: &Source,
    definitions: &BTreeMap<String, Definition>,
    errors: &mut Vec<Error>,
) -> Option<(String, Definition)> {
    let mut definition = definitions.get(&source.name)?.clone();
    let find = |name: &str| {
        let found = definitions.get(name).cloned();
        found.ok_or_else(|| Error::new(Code::NotFound, format!("there is no agent `{name}`")))
    };
    match source.resolve_handoffs(&mut definition, find) {
        Ok(()) => Some((source.name.clone(), definition)),
        Err(error) if error.code() == Code::NotFound => None,
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

/// The error of an agent that asks itself, over others or not; none for one that only asks somebody who does.
fn circle(source: &Source, agents: &BTreeMap<String, Source>) -> Option<Error> {
    let asked = source.agents.iter().find(|asked| leads_to(&asked.agent.name, &source.name, agents))?;
    let over = match asked.agent.name == source.name {
        true => String::new(),
        false => format!(", over `{}`", asked.agent.name),
    };
    let error = Error::new(Code::ProjectInvalid, format!("the agent `{}` asks itself{over}", source.name))
        .with_help("let the one that has the overview ask the others, and none of them ask it");
    Some(source.placed(error, asked.agent.place))
}

/// Whether an agent is another one, or asks it, over others or not.
fn leads_to(from: &str, to: &str, agents: &BTreeMap<String, Source>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            let asked = agents.get(name).into_iter().flat_map(|source| &source.agents);
            next.extend(asked.map(|asked| asked.agent.name.as_str()));
        }
    }
    false
}

/// The names under `agents` and `handoffs` that no agent of the project has.
pub(super) fn strangers(agents: &Agents) -> Vec<Error> {
    let names: BTreeSet<&str> = agents
        .all()
        .map(|source| source.name.as_str())
        .chain(agents.unread.iter().map(String::as_str))
        .collect();
    let unknown = agents.all().flat_map(|source| {
        let handed = source.handoffs.iter().map(|to| &to.agent).filter(|to| to.name != Handoff::PERSON);
        let asked = source.agents.iter().map(|asked| &asked.agent).chain(handed);
        asked.filter(|agent| !names.contains(agent.name.as_str())).map(move |agent| (source, agent))
    });
    unknown
        .map(|(source, agent)| {
            let error = Error::new(Code::ProjectInvalid, format!("there is no agent `{}`", agent.name));
            let error = match nearest(&agent.name, names.iter().copied()) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error.with_help(format!("write it: `agents/{}.md`", agent.name)),
            };
            source.placed(error, agent.place)
        })
        .collect()
}
