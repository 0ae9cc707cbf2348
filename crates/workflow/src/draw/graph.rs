//! Draws graphs.

use std::collections::BTreeMap;

use super::diagram::{Diagram, Flow, Loose};
use crate::graph::END;
use crate::plan::{Edge, Graphed};

impl Diagram {
    /// Draws a graph: its nodes in the order in which edges lead to them.
    pub(super) fn graph(&mut self, graphed: &Graphed, group: usize) -> Flow {
        let mut flows: BTreeMap<&str, Flow> = BTreeMap::new();
        for name in order(graphed) {
            let Some(node) = graphed.nodes.get(name) else { continue };
            let own = self.group(name, Some(group));
            let flow = match &node.step.kind {
                crate::plan::Kind::Sequence(steps) => self.steps(steps, Some(own)),
                _ => Flow::default(),
            };
            flows.insert(name, flow);
        }
        let mut whole = Flow::default();
        if let Some(first) = flows.get(graphed.begin.as_str()) {
            whole.heads.clone_from(&first.heads);
        }
        for edge in &graphed.edges {
            let label = label(edge);
            let Some(from) = flows.get(edge.from.as_str()) else { continue };
            let tails = from.tails.iter().map(|tail| Loose { node: tail.node, label: label.clone() });
            let tails: Vec<Loose> = tails.collect();
            match flows.get(edge.to.as_str()) {
                Some(to) => {
                    let heads: Vec<Loose> = to.heads.iter().map(|head| Loose::of(head.node)).collect();
                    self.join(&tails, &heads);
                }
                None if edge.to == END => whole.tails.extend(tails),
                None => {}
            }
        }
        for (name, node) in &graphed.nodes {
            let Some(flow) = flows.get(name.as_str()) else { continue };
            if !graphed.edges.iter().any(|edge| edge.from == *name) {
                whole.tails.extend(flow.tails.iter().cloned());
            }
            let handler = node.on_error.as_ref().and_then(|handler| flows.get(handler.as_str()));
            for (tail, head) in flow.tails.iter().zip(handler.iter().flat_map(|handler| &handler.heads)) {
                self.arrow(tail.node, head.node, "on error", true);
            }
        }
        whole
    }
}

/// The nodes, those first that edges lead to first.
fn order(graphed: &Graphed) -> Vec<&str> {
    let mut order: Vec<&str> = vec![&graphed.begin];
    let mut at = 0;
    while let Some(node) = order.get(at).copied() {
        let handlers = graphed.nodes.get(node).and_then(|node| node.on_error.as_deref());
        let edges = graphed.edges.iter().filter(|edge| edge.from == node).map(|edge| edge.to.as_str());
        for to in edges.chain(handlers) {
            if !order.contains(&to) && graphed.nodes.contains_key(to) {
                order.push(to);
            }
        }
        at += 1;
    }
    order
}

fn label(edge: &Edge) -> String {
    let each = edge.each.as_ref().map(|_| "for each".to_owned());
    let when = edge.when.as_ref().map(|when| when.source().to_owned());
    each.into_iter().chain(when).collect::<Vec<_>>().join(", ")
}
