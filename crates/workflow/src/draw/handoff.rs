//! Draws who hands a conversation over to whom.

use std::collections::BTreeMap;

use adjutant_agent::Definition;
use adjutant_agent::definition::{Handoff, Passes};

use super::diagram::{Diagram, Form};

/// The agents that may have a conversation which begins with one, and a person where one may; none where it hands nothing over.
pub(super) fn diagram(first: &Definition) -> Option<Diagram> {
    if first.handoffs.is_empty() {
        return None;
    }
    let mut diagram = Diagram::default();
    let begin = diagram.node(&["conversation"], Form::End, None);
    let all = || std::iter::once(first).chain(&first.team);
    let mut nodes: BTreeMap<&str, usize> =
        all().map(|agent| (agent.name.as_str(), diagram.node(&[&agent.name], Form::Work, None))).collect();
    if all().flat_map(|agent| &agent.handoffs).any(Handoff::is_to_a_person) {
        nodes.insert(Handoff::PERSON, diagram.node(&[Handoff::PERSON], Form::Choice, None));
    }
    if let Some(first) = nodes.get(first.name.as_str()) {
        diagram.arrow(begin, *first, "", false);
    }
    for agent in all() {
        for handoff in &agent.handoffs {
            let (from, to) = (nodes.get(agent.name.as_str()), nodes.get(handoff.agent.as_str()));
            let Some((from, to)) = from.copied().zip(to.copied()) else { continue };
            let context = match handoff.context {
                Passes::All => "all that was said".to_owned(),
                Passes::Summary => "a summary".to_owned(),
                Passes::Last(most) => format!("the latest {most}"),
                Passes::None => String::new(),
            };
            diagram.arrow(from, to, &context, false);
            if handoff.returns {
                diagram.arrow(to, from, "back", true);
            }
        }
    }
    Some(diagram)
}
