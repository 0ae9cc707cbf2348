//! [`Graph`]: nodes, edges and fields, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::{Code, Error, Result, nearest};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::shape::{Link, faults};
use super::state::{Fields, Merge, State, Type, Writes};

/// Where a graph begins: edges lead from it to the first nodes.
pub const START: &str = "start";
/// Where a graph ends: an edge may lead there, which calls nothing.
pub const END: &str = "end";

type Work<'a> = Box<dyn Fn(Stage, State) -> BoxFuture<'a, Result<Writes>> + Send + Sync + 'a>;
type Condition<'a> = Box<dyn Fn(&State) -> Result<(bool, Item)> + Send + Sync + 'a>;
type Choose<'a> = Box<dyn Fn(&State) -> Vec<String> + Send + Sync + 'a>;
type Spread<'a> = Box<dyn Fn(Stage, State) -> BoxFuture<'a, Result<Item>> + Send + Sync + 'a>;

/// A graph of nodes that share a state.
///
/// ```
/// use adjutant_workflow::graph::{END, Graph, Merge, START, Writes};
///
/// let graph = Graph::new()
///     .state("drafts", Merge::Append)
///     .state("verdict", Merge::Replace)
///     .node("write", |stage, state| async move {
///         Ok(Writes::to("drafts", stage.ask("writer", state.get("verdict")).await?))
///     })
///     .agent("review", "critic", "drafts", "verdict")
///     .edge(START, "write")
///     .edge("write", "review")
///     .branch("review", ["write", END], |state| match state.get("verdict").value == "good" {
///         true => vec![END],
///         false => vec!["write"],
///     });
/// graph.check().unwrap();
/// ```
pub struct Graph<'a> {
    pub(super) fields: Fields,
    /// What is wrong with types that were declared.
    faults: Vec<String>,
    pub(super) starts: BTreeMap<String, Item>,
    pub(super) nodes: BTreeMap<String, Node<'a>>,
    pub(super) edges: Vec<Edge<'a>>,
    pub(super) most: u32,
    pub(super) at_a_time: usize,
}

/// When a node works that several edges lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waits {
    /// When any of them leads there.
    #[default]
    Any,
    /// When one has led there from each node that has one.
    All,
}

pub(super) struct Node<'a> {
    pub(super) work: Work<'a>,
    pub(super) waits: Waits,
    pub(super) on_error: Option<String>,
}

pub(super) struct Edge<'a> {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) fires: Fires<'a>,
}

/// When an edge leads on.
pub(super) enum Fires<'a> {
    Always,
    When(Condition<'a>),
    /// To those of its targets that are chosen.
    To(Choose<'a>),
    /// Once for each item of a list.
    Each(Spread<'a>),
}

impl Default for Graph<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Graph<'a> {
    /// The most super-steps of a graph whose author says nothing.
    pub const MOST: u32 = 100;

    /// A graph of nothing.
    pub fn new() -> Self {
        Self {
            fields: Fields::default(),
            faults: Vec::new(),
            starts: BTreeMap::new(),
            nodes: BTreeMap::new(),
            edges: Vec::new(),
            most: Self::MOST,
            at_a_time: crate::pattern::Fan::default().at_a_time,
        }
    }

    /// Declares a field of the state, and how what nodes write goes into it.
    #[must_use]
    pub fn state(mut self, field: impl Into<String>, merge: Merge) -> Self {
        self.fields.merges.insert(field.into(), merge);
        self
    }

    /// Says by a JSON schema what a field may hold; what its members may be, where it is appended to. A node that writes anything
    /// else fails the graph.
    #[must_use]
    pub fn typed(mut self, field: impl Into<String>, schema: &Value) -> Self {
        let field = field.into();
        match Type::new(schema) {
            Ok(kind) => drop(self.fields.types.insert(field, kind)),
            Err(why) => self.faults.push(format!("the type of the field `{field}` is no JSON schema: {why}")),
        }
        self
    }

    /// Says what a field is at the beginning. A field called `input` is what the graph is started with where nothing is said.
    #[must_use]
    pub fn start(mut self, field: impl Into<String>, value: impl Into<Item>) -> Self {
        self.starts.insert(field.into(), value.into());
        self
    }

    /// Adds a node: code that sees the state and says what it writes.
    #[must_use]
    pub fn node<F, R>(mut self, name: impl Into<String>, work: F) -> Self
    where
        F: Fn(Stage, State) -> R + Send + Sync + 'a,
        R: Future<Output = Result<Writes>> + Send + 'a,
    {
        let work: Work<'a> = Box::new(move |stage, state| work(stage, state).boxed());
        self.nodes.insert(name.into(), Node { work, waits: Waits::Any, on_error: None });
        self
    }

    /// Adds a node that asks an agent: its task is one field, or the item that it is called for, and another takes its answer.
    #[must_use]
    pub fn agent(
        self,
        name: impl Into<String>,
        agent: impl Into<String>,
        task: impl Into<String>,
        answer: impl Into<String>,
    ) -> Self {
        let (agent, task, answer) = (agent.into(), task.into(), answer.into());
        self.node(name, move |stage, state| {
            let (agent, answer) = (agent.clone(), answer.clone());
            let task = state.item().cloned().unwrap_or_else(|| state.get(&task));
            async move { Ok(Writes::to(answer, stage.ask(&agent, task).await?)) }
        })
    }

    /// Has a node wait until each node has led there that has an edge to it, or not.
    #[must_use]
    pub fn waits(mut self, node: &str, waits: Waits) -> Self {
        if let Some(node) = self.nodes.get_mut(node) {
            node.waits = waits;
        }
        self
    }

    /// Has another node work next where one fails; its own edges are not looked at then.
    #[must_use]
    pub fn on_error(mut self, node: &str, handler: impl Into<String>) -> Self {
        if let Some(node) = self.nodes.get_mut(node) {
            node.on_error = Some(handler.into());
        }
        self
    }

    /// Leads from a node to another.
    #[must_use]
    pub fn edge(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.add(from, [to], Fires::Always)
    }

    /// Leads from a node to those of these that are chosen.
    #[must_use]
    pub fn branch<T, C, N>(self, from: impl Into<String>, to: impl IntoIterator<Item = T>, choose: C) -> Self
    where
        T: Into<String>,
        C: Fn(&State) -> Vec<N> + Send + Sync + 'a,
        N: Into<String>,
    {
        let choose = move |state: &State| choose(state).into_iter().map(Into::into).collect();
        self.add(from, to, Fires::To(Box::new(choose)))
    }

    /// Leads from a node to another once for each member of the list that a function makes of the state.
    #[must_use]
    pub fn each(
        self,
        from: impl Into<String>,
        to: impl Into<String>,
        list: impl Fn(&State) -> Item + Send + Sync + 'a,
    ) -> Self {
        self.spread(from, to, move |_, state| {
            let list = list(&state);
            async move { Ok(list) }
        })
    }

    pub(crate) fn spread<F, R>(self, from: impl Into<String>, to: impl Into<String>, list: F) -> Self
    where
        F: Fn(Stage, State) -> R + Send + Sync + 'a,
        R: Future<Output = Result<Item>> + Send + 'a,
    {
        self.add(from, [to], Fires::Each(Box::new(move |stage, state| list(stage, state).boxed())))
    }

    pub(crate) fn when<F>(self, from: impl Into<String>, to: impl Into<String>, condition: F) -> Self
    where
        F: Fn(&State) -> Result<(bool, Item)> + Send + Sync + 'a,
    {
        self.add(from, [to], Fires::When(Box::new(condition)))
    }

    fn add<T: Into<String>>(
        mut self,
        from: impl Into<String>,
        to: impl IntoIterator<Item = T>,
        fires: Fires<'a>,
    ) -> Self {
        let to = to.into_iter().map(Into::into).collect();
        self.edges.push(Edge { from: from.into(), to, fires });
        self
    }

    /// Ends it with a failure after so many super-steps.
    #[must_use]
    pub fn super_steps(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// Lets so many nodes work at a time.
    #[must_use]
    pub fn at_a_time(self, at_a_time: usize) -> Self {
        Self { at_a_time, ..self }
    }

    /// Says what is wrong with it, before it runs: an edge that leads to a node that is not there, a node that nothing leads to, a
    /// cycle without a condition. Fails with [`Code::ProjectInvalid`].
    pub fn check(&self) -> Result<()> {
        let invalid = |message: String| Error::new(Code::ProjectInvalid, message);
        let names: BTreeSet<&str> = self.nodes.keys().map(String::as_str).collect();
        let mut links = Vec::new();
        for edge in &self.edges {
            let is_certain = matches!(edge.fires, Fires::Always);
            links.extend(edge.to.iter().map(|to| Link { from: &edge.from, to, is_certain }));
        }
        for (from, node) in &self.nodes {
            links.extend(node.on_error.iter().map(|to| Link { from, to, is_certain: false }));
        }
        let mut ends = links.iter().flat_map(|link| [(link.from, START), (link.to, END)]);
        if let Some((name, _)) = ends.find(|(name, besides)| name != besides && !names.contains(name)) {
            let error = invalid(format!("an edge names the node `{name}`, which the graph does not have"));
            return Err(match nearest(name, names.iter().copied()) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error,
            });
        }
        if let Some(fault) = self.faults.first() {
            return Err(invalid(fault.clone()));
        }
        if let Some(field) = self.fields.types.keys().find(|field| !self.fields.merges.contains_key(*field)) {
            return Err(invalid(format!("the graph has no field `{field}` that could have a type")));
        }
        if let Some(field) = self.starts.keys().find(|field| !self.fields.merges.contains_key(*field)) {
            return Err(invalid(format!("the graph has no field `{field}` that could begin with a value")));
        }
        let begin: Vec<&str> = links.iter().filter(|link| link.from == START).map(|link| link.to).collect();
        match faults(&begin, &names, &links).first() {
            Some(fault) => Err(invalid(fault.to_string())),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Graph<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let edges: Vec<_> = self.edges.iter().map(|edge| (&edge.from, &edge.to)).collect();
        f.debug_struct("Graph")
            .field("nodes", &self.nodes.keys())
            .field("edges", &edges)
            .finish_non_exhaustive()
    }
}
