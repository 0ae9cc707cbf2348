//! Draws crews.

use std::collections::BTreeMap;

use super::diagram::{Diagram, Flow, Form, Loose};
use crate::plan::{Assignment, Crewed};

impl Diagram {
    /// Draws a crew: its tasks, each with who does it, and who looks at the results.
    pub(super) fn crew(&mut self, crewed: &Crewed, group: usize) -> Flow {
        let inner = Some(group);
        let manager = crewed.manager.as_ref().map(|_| self.node(&["manager"], Form::Work, inner));
        let mut flows: BTreeMap<&str, Flow> = BTreeMap::new();
        for task in order(&crewed.tasks) {
            let by = task.by.as_ref().map_or_else(|| "a member".to_owned(), |by| format!("member {by}"));
            let node = self.node(&[&task.id, &by], Form::Work, inner);
            let flow = Flow { heads: vec![Loose::of(node)], tails: vec![Loose::of(node)] };
            let flow = match &task.gate {
                Some(gate) => self.gate(gate, flow, inner),
                None => flow,
            };
            if let Some(manager) = manager {
                self.arrow(node, manager, "reviewed", true);
            }
            flows.insert(&task.id, flow);
        }
        let mut whole = Flow::default();
        for task in &crewed.tasks {
            let Some(flow) = flows.get(task.id.as_str()) else { continue };
            for before in task.needs().filter_map(|before| flows.get(before)) {
                self.join(&before.tails, &flow.heads);
            }
            if task.needs().next().is_none() {
                whole.heads.extend(flow.heads.iter().cloned());
            }
            let is_needed = |other: &Assignment| other.needs().any(|before| before == task.id);
            if !crewed.tasks.iter().any(is_needed) {
                whole.tails.extend(flow.tails.iter().cloned());
            }
        }
        if let Some(manager) = manager {
            self.join(&[Loose { node: manager, label: "assigned".to_owned() }], &whole.heads);
            whole.heads = vec![Loose::of(manager)];
        }
        whole
    }
}

/// The tasks, each behind those that it needs.
fn order(tasks: &[Assignment]) -> Vec<&Assignment> {
    let mut order: Vec<&Assignment> = Vec::new();
    let mut left: Vec<&Assignment> = tasks.iter().collect();
    while !left.is_empty() {
        let is_ready = |task: &&Assignment| {
            !task.needs().any(|before| left.iter().any(|other| other.id == before && other.id != task.id))
        };
        let (ready, later): (Vec<&Assignment>, Vec<&Assignment>) = left.iter().copied().partition(is_ready);
        if ready.is_empty() {
            // They wait for one another, which is told where they are read.
            order.extend(later);
            break;
        }
        order.extend(ready);
        left = later;
    }
    order
}
