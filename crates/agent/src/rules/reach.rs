//! What calls of an agent touch and depend on.

use std::collections::BTreeSet;

use adjutant_policy::cedar::Policies;
use adjutant_policy::facts::Action;

use super::queue::Reach;
use crate::definition::{Code, Definition};

/// What a call of that name is for the policies: that of an agent, or of a tool.
pub(crate) fn action(definition: &Definition, name: &str) -> Action {
    match definition.agent_of(name) {
        Some(agent) => Action::Agent(agent.to_owned()),
        None => Action::Tool(name.to_owned()),
    }
}

/// What a call of that name touches and depends on: with a program or another agent, all that these may call.
pub(crate) fn reach(definition: &Definition, policies: Option<&Policies>, name: &str) -> Reach {
    let Some(policies) = policies else { return Reach::default() };
    let mut reach = Reach { touches: BTreeSet::from([name.to_owned()]), depends: BTreeSet::new() };
    reach.depends.extend(policies.depends_on(&action(definition, name)));
    let within: Vec<&str> = match definition.agents.iter().find(|asked| asked.definition.name == name) {
        Some(asked) => {
            let agents = std::iter::once(&asked.definition).chain(asked.definition.nested());
            agents.flat_map(|agent| agent.tools.iter().map(|tool| tool.name.as_str())).collect()
        }
        None if name == Code::TOOL && definition.code.is_some() => {
            let others = definition.tools.iter().map(|tool| tool.name.as_str());
            others.filter(|other| *other != name).collect()
        }
        None => Vec::new(),
    };
    for tool in within {
        reach.touches.insert(tool.to_owned());
        reach.depends.extend(policies.depends_on(&action(definition, tool)));
    }
    reach
}

/// The tools whose calls some policy asks about. Whoever calls one of them counts it, also where only a policy for another
/// agent asks: for the one that it works for, or that has the next turn of the session.
pub(crate) fn concerned(policies: Option<&Policies>) -> BTreeSet<String> {
    policies.map(Policies::depended_on).unwrap_or_default()
}
