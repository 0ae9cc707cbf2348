//! Runs a graph that somebody wrote as a plan.

use std::sync::{Mutex, PoisonError};

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::Result;
use adjutant_core::json::Json;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::step::{tried, whole};
use super::values::Values;
use crate::graph::{Graph, Merge, Progress, Reached, START, State, Waits, Writes};
use crate::plan::{Graphed, Merging, Node};

/// The place of a step at the root of a plan, where the run may begin a new segment.
pub(super) struct Root<'a> {
    stage: &'a Stage,
    at: usize,
    values: &'a Values,
    progress: Mutex<Option<Progress>>,
}

/// What the next segment of a run goes on with.
#[derive(Serialize, Deserialize)]
pub(super) struct Resting {
    pub(super) at: usize,
    pub(super) values: Values,
    pub(super) progress: Progress,
}

impl<'a> Root<'a> {
    /// The step at this place. `progress` is how far its graph came in the segment before.
    pub(super) fn new(stage: &'a Stage, at: usize, values: &'a Values, progress: Option<Progress>) -> Self {
        Self { stage, at, values, progress: Mutex::new(progress) }
    }

    fn progress(&self) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn rest(&self, progress: Progress) -> Result<std::convert::Infallible> {
        let resting = Resting { at: self.at, values: self.values.clone(), progress };
        self.stage.roll_over(Json::of(&resting)?)
    }
}

impl Values {
    /// The same with what the nodes of a graph see.
    fn within(&self, state: &State) -> Self {
        let mut values = self.clone();
        for (name, item) in state.named() {
            values.set(name, item.clone());
        }
        values
    }
}

/// Runs a graph, and makes of its state in the end what is said.
pub(super) async fn graph(
    stage: &Stage,
    graphed: &Graphed,
    values: &Values,
    root: Option<&Root<'_>>,
) -> Result<Item> {
    let mut progress = match root.and_then(Root::progress) {
        Some(progress) => progress,
        None => begun(stage, graphed, values).await?,
    };
    let graph = shape(graphed, values);
    let state = loop {
        match (graph.go_on(stage, progress).await?, root) {
            (Reached::End(state), _) => break state,
            (Reached::Pause(further), None) => progress = *further,
            (Reached::Pause(further), Some(root)) => match root.rest(*further)? {},
        }
    };
    match &graphed.output {
        Some(output) => values.within(&state).evaluate(stage, output).await,
        None => Ok(state.table()),
    }
}

async fn begun(stage: &Stage, graphed: &Graphed, values: &Values) -> Result<Progress> {
    let mut graph = shape(graphed, values);
    for (name, field) in &graphed.fields {
        graph = graph.start(name, values.evaluate(stage, &field.start).await?);
    }
    graph.begin(stage, Item::default()).await
}

fn shape<'a>(graphed: &'a Graphed, values: &'a Values) -> Graph<'a> {
    let mut graph = Graph::new().super_steps(graphed.super_steps).at_a_time(graphed.at_a_time);
    for (name, field) in &graphed.fields {
        graph = graph.state(name, merge(&field.merge));
        if let Some(kind) = &field.kind {
            graph = graph.typed(name, kind);
        }
    }
    for (name, node) in &graphed.nodes {
        graph = graph.node(name, move |stage, state| work(stage, node, values, state));
        graph = graph.waits(name, if node.waits_for_all { Waits::All } else { Waits::Any });
        if let Some(handler) = &node.on_error {
            graph = graph.on_error(name, handler);
        }
    }
    graph = graph.edge(START, &graphed.begin);
    for edge in &graphed.edges {
        let (from, to) = (&edge.from, &edge.to);
        graph = match (&edge.each, &edge.when) {
            (None, None) => graph.edge(from, to),
            (None, Some(when)) => graph.when(from, to, move |state| values.within(state).holds(when)),
            (Some(each), when) => graph.spread(from, to, move |stage, state| async move {
                let values = values.within(&state);
                match when {
                    Some(when) if !values.holds(when)?.0 => Ok(Item::new(Vec::<String>::new())),
                    _ => values.evaluate(&stage, each).await,
                }
            }),
        };
    }
    graph
}

fn merge(merging: &Merging) -> Merge {
    match merging {
        Merging::Replace => Merge::Replace,
        Merging::Append => Merge::Append,
        Merging::Add => Merge::Add,
        Merging::Custom(expression) => {
            let expression = expression.clone();
            Merge::custom(move |old, new| {
                let values =
                    [("old", old), ("new", new)].map(|(name, value)| (name.to_owned(), value.clone()));
                expression.evaluate(&Map::from_iter(values))
            })
        }
    }
}

async fn work(stage: Stage, node: &Node, values: &Values, state: State) -> Result<Writes> {
    let values = values.within(&state);
    // Which nodes work is decided by the state.
    let stage = stage.under([&state.table()]);
    let result = whole(tried(&stage, &node.step, &values, None).await?)?;
    let values = values.with("result", result);
    let mut writes = Writes::none();
    for (field, argument) in &node.writes {
        writes = writes.and(field, values.evaluate(&stage, argument).await?);
    }
    Ok(writes)
}
