//! Reads lists of steps.

use adjutant_agent::definition::document::{Content, Node, Table};

use super::scope::Scope;
use super::{DEEPEST, Reader};
use crate::deep::with_stack;
use crate::plan::Step;

impl Reader<'_> {
    /// Steps that are done one after the other: a list, or one step alone. The names of those that are done are there for
    /// later ones.
    pub(super) fn steps(&self, key: &str, node: &Node, scope: &mut Scope, depth: usize) -> Vec<Step> {
        if depth >= DEEPEST {
            self.problems.report(node.place, format!("steps are nested more than {DEEPEST} deep here"));
            return Vec::new();
        }
        let nodes = match &node.content {
            Content::List(items) => items.as_slice(),
            Content::Table(_) => std::slice::from_ref(node),
            other => {
                let message = format!("`{key}` must be a list of steps, not {other}");
                self.problems.report_with(node.place, message, "write one as `- agent: writer`");
                return Vec::new();
            }
        };
        if nodes.is_empty() {
            self.problems.report(node.place, format!("`{key}` has no steps"));
        }
        let mut steps = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("{key}[{}]", index + 1);
            let Some(table) = Table::new(node, path, self.problems) else { continue };
            steps.extend(self.step(&table, index, scope, depth));
            table.finish();
        }
        steps
    }

    /// Steps within another one: what they make is known within alone.
    pub(super) fn inner(&self, key: &str, node: &Node, scope: &Scope, depth: usize) -> Vec<Step> {
        with_stack(|| self.steps(key, node, &mut scope.clone(), depth + 1))
    }
}
