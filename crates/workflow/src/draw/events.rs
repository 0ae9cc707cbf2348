//! Draws steps that wait for events.

use std::collections::BTreeMap;

use super::diagram::{Diagram, Flow, Form, Loose};
use crate::pattern::Event;
use crate::plan::{Does, Eventful, Reaction};

impl Diagram {
    /// Draws steps that wait for events, in the order in which these lead to them, with the kinds at the arrows.
    pub(super) fn events(&mut self, eventful: &Eventful, group: usize) -> Flow {
        let mut flows: BTreeMap<&str, Flow> = BTreeMap::new();
        for (name, reaction) in order(eventful) {
            let flow = match &reaction.does {
                Does::Steps { steps, .. } if !steps.is_empty() => {
                    let title = match reaction.workers {
                        1 => name.to_owned(),
                        workers => format!("{name}, {workers} at a time"),
                    };
                    let own = self.group(&title, Some(group));
                    self.steps(steps, Some(own))
                }
                Does::Steps { .. } => self.alone(&[name], group),
                Does::Outside { .. } => self.alone(&[name, "waits for somebody outside"], group),
            };
            flows.insert(name, flow);
        }
        let mut whole = Flow::default();
        for (name, reaction) in &eventful.steps {
            let Some(flow) = flows.get(name.as_str()) else { continue };
            for (kind, count) in reaction.on.takes() {
                let label = if count > 1 { format!("{count} {kind}") } else { kind.to_owned() };
                let heads = flow.heads.iter().map(|head| Loose { node: head.node, label: label.clone() });
                let heads: Vec<Loose> = heads.collect();
                for from in giving(eventful, kind).filter_map(|from| flows.get(from)) {
                    self.join(&from.tails, &heads);
                }
                if eventful.first.contains_key(kind) {
                    whole.heads.extend(heads);
                }
            }
            if reaction.does.gives().contains(&Event::END) {
                let ends =
                    flow.tails.iter().map(|tail| Loose { node: tail.node, label: Event::END.to_owned() });
                whole.tails.extend(ends);
            }
        }
        whole
    }

    fn alone(&mut self, lines: &[&str], group: usize) -> Flow {
        let node = self.node(lines, Form::Work, Some(group));
        Flow { heads: vec![Loose::of(node)], tails: vec![Loose::of(node)] }
    }
}

/// The steps that give rise to events of a kind.
fn giving<'a>(eventful: &'a Eventful, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let gives = eventful.steps.iter().filter(move |(_, reaction)| reaction.does.gives().contains(&kind));
    gives.map(|(name, _)| name.as_str())
}

/// The steps, those first to which the first events lead.
fn order(eventful: &Eventful) -> Vec<(&str, &Reaction)> {
    let mut kinds: Vec<&str> = eventful.first.keys().map(String::as_str).collect();
    let mut order: Vec<(&str, &Reaction)> = Vec::new();
    let mut at = 0;
    while let Some(kind) = kinds.get(at).copied() {
        at += 1;
        for (name, reaction) in &eventful.steps {
            let takes = reaction.on.takes().any(|(taken, _)| taken == kind);
            if takes && !order.iter().any(|(known, _)| known == name) {
                order.push((name, reaction));
                let further = reaction.does.gives().into_iter();
                let further: Vec<&str> = further.filter(|kind| !kinds.contains(kind)).collect();
                kinds.extend(further);
            }
        }
    }
    order
}
