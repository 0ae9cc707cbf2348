//! What can be said of a graph before it runs.

use std::collections::{BTreeMap, BTreeSet};

/// An edge, as far as its form goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    /// Whether it leads on whatever the state is.
    pub(crate) is_certain: bool,
}

/// What is wrong with the form of a graph whose edges lead to nodes that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing leads to this node.
    Unreachable(String),
    /// These nodes lead to one another for ever, whatever the state is.
    NoExit(Vec<String>),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(node) => write!(f, "nothing leads to the node `{node}`"),
            Self::NoExit(nodes) => {
                let way: Vec<_> = nodes.iter().chain(nodes.first()).map(|node| format!("`{node}`")).collect();
                write!(f, "{} go round for ever: no edge between them has a condition", way.join(" → "))
            }
        }
    }
}

/// Everything that is wrong with the form of a graph, nodes in the order of their names.
pub(crate) fn faults(begin: &[&str], nodes: &BTreeSet<&str>, links: &[Link<'_>]) -> Vec<Fault> {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = begin.to_vec();
    while let Some(node) = open.pop() {
        if reached.insert(node) {
            open.extend(links.iter().filter(|link| link.from == node).map(|link| link.to));
        }
    }
    let unreachable = nodes.difference(&reached).map(|node| Fault::Unreachable((*node).to_owned()));
    unreachable.chain(round(nodes, links).map(Fault::NoExit)).collect()
}

/// A cycle of edges without a condition.
fn round(nodes: &BTreeSet<&str>, links: &[Link<'_>]) -> Option<Vec<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for link in links.iter().filter(|link| link.is_certain) {
        next.entry(link.from).or_default().insert(link.to);
    }
    // Nodes from which no certain way leads on for ever are taken away until none is left, or only cycles and what leads there.
    let mut left: BTreeSet<&str> = nodes.clone();
    loop {
        let before = left.len();
        let goes_on = |node: &&str| {
            next.get(*node).is_some_and(|targets| targets.iter().any(|target| left.contains(target)))
        };
        left = left.iter().copied().filter(|node| goes_on(node)).collect();
        if left.len() == before {
            break;
        }
    }
    let mut way: Vec<&str> = vec![left.first()?];
    loop {
        let last = way.last()?;
        let target = next.get(last)?.iter().find(|target| left.contains(*target))?;
        if let Some(at) = way.iter().position(|node| node == target) {
            return Some(way.split_off(at).into_iter().map(str::to_owned).collect());
        }
        way.push(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with edges such as `a>b b?a`, beginning at `a`.
    fn check(edges: &str) -> String {
        let mut nodes = BTreeSet::new();
        let mut links = Vec::new();
        for edge in edges.split_whitespace() {
            let (from, to) = edge.split_once(['>', '?']).unwrap();
            nodes.extend([from, to].into_iter().filter(|node| *node != "end"));
            links.push(Link { from, to, is_certain: edge.contains('>') });
        }
        let faults: Vec<_> = faults(&["a"], &nodes, &links).iter().map(ToString::to_string).collect();
        faults.join("; ")
    }

    #[test]
    fn faults_are_found() {
        assert_eq!(check("a>b b?a b>end"), "");
        assert_eq!(check("a>b c>b"), "nothing leads to the node `c`");
        let round = "`b` → `c` → `b` go round for ever: no edge between them has a condition";
        assert_eq!(check("a>b b>c c>b c?end"), round);
        assert_eq!(check("a>a"), "`a` → `a` go round for ever: no edge between them has a condition");
        assert_eq!(check("a?b b>c c?b"), "");
    }
}
