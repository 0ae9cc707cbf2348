//! Runs a graph: super-step after super-step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use adjutant_agent::workflow::{Item, Stage, Workflow, is_failure};
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Effects, work};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::build::{END, Fires, Graph, START, Waits};
use super::state::{Change, ERROR, INDEX, ITEM, State, Writes, old};
use crate::pattern::{Fan, parallel};

/// The step that records what a super-step has changed.
pub(super) const STATE: &str = "state";
/// The scope of what the nodes of one super-step do.
const SUPER_STEP: &str = "super_step";
/// The field that a graph is started with.
const INPUT: &str = "input";
/// After so many super-steps a graph at the root of a run begins a new segment of it.
const SEGMENT: u32 = 1_000;

/// How far a graph has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    super_step: u32,
    fields: BTreeMap<String, Item>,
    next: Vec<Call>,
    /// Who has led to nodes that wait for others as well.
    arrived: BTreeMap<String, BTreeSet<String>>,
    /// What the edges have looked at: it has had a say in all that is written.
    steered: Item,
}

/// That a node works.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Call {
    node: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<(usize, Item)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Item>,
}

/// Where a graph has come to.
pub(crate) enum Reached {
    /// Its end.
    End(State),
    /// A place where a new segment of the run may begin.
    Pause(Box<Progress>),
}

/// What a node has come to.
enum Done {
    Wrote(Vec<(String, Item)>),
    Failed(String, Item),
}

impl Graph<'_> {
    /// Runs the graph within a workflow, as one of its parts. `input` is what its field `input` begins with, where it has one.
    ///
    /// Fails where its [form](Self::check) is wrong, where a node fails that no other stands in for, and after the
    /// [most super-steps](Self::super_steps).
    pub async fn run(&self, stage: &Stage, input: impl Into<Item>) -> Result<State> {
        self.check()?;
        let mut progress = self.begin(stage, input.into()).await?;
        loop {
            match self.go_on(stage, progress).await? {
                Reached::End(state) => return Ok(state),
                Reached::Pause(further) => progress = *further,
            }
        }
    }

    /// The progress of a graph that has not done anything.
    pub(crate) async fn begin(&self, stage: &Stage, input: Item) -> Result<Progress> {
        let mut starts: Vec<(String, Item)> =
            self.starts.iter().map(|(field, item)| (field.clone(), item.clone())).collect();
        if self.fields.merges.contains_key(INPUT) && !self.starts.contains_key(INPUT) {
            starts.push((INPUT.to_owned(), input));
        }
        let set: Map<String, Value> =
            starts.iter().map(|(field, item)| (field.clone(), item.value.clone())).collect();
        set.iter().try_for_each(|(field, value)| self.fields.can_begin(field, value))?;
        let digest = digest(&set)?;
        let change = Change { set, ..Change::default() };
        let change = recorded(stage, 0, digest, move || Ok(change.clone())).await?;
        let mut fields = starts.into_iter().collect::<BTreeMap<_, _>>();
        for (field, value) in change.set {
            if fields.get(&field).is_none_or(|item| item.value != value) {
                fields.insert(field, Item::new(value));
            }
        }
        let mut progress = Progress {
            super_step: 0,
            fields,
            next: Vec::new(),
            arrived: BTreeMap::new(),
            steered: Item::default(),
        };
        progress.next = self.next(stage, &BTreeSet::from([START.to_owned()]), &mut progress).await?;
        Ok(progress)
    }

    /// Goes on until the end, or until a new segment should begin.
    pub(crate) async fn go_on(&self, stage: &Stage, mut progress: Progress) -> Result<Reached> {
        let mut here = 0;
        while !progress.next.is_empty() {
            if progress.super_step >= self.most {
                let open: BTreeSet<_> = progress.next.iter().map(|call| format!("`{}`", call.node)).collect();
                let open = open.into_iter().collect::<Vec<_>>().join(", ");
                let message =
                    format!("the graph has done {} super-steps, and {open} would be next", self.most);
                let help = "set `super_steps` higher, or see to it that its cycles end";
                return Err(Error::new(Code::ToolFailed, message).with_help(help));
            }
            if here >= SEGMENT {
                return Ok(Reached::Pause(Box::new(progress)));
            }
            self.super_step(stage, &mut progress).await?;
            here += 1;
        }
        if let Some((node, arrived)) = progress.arrived.iter().find(|(_, arrived)| !arrived.is_empty()) {
            let missing: Vec<_> =
                self.before(node).difference(arrived).map(|from| format!("`{from}`")).collect();
            let message =
                format!("the graph is at rest, and its node `{node}` still waits for {}", missing.join(", "));
            return Err(Error::new(Code::ToolFailed, message));
        }
        Ok(Reached::End(State { fields: Arc::new(progress.fields), ..State::default() }))
    }

    /// Has all nodes work that are next, merges what they write, and looks at their edges.
    async fn super_step(&self, stage: &Stage, progress: &mut Progress) -> Result<()> {
        progress.super_step += 1;
        let calls = std::mem::take(&mut progress.next);
        let fields = Arc::new(std::mem::take(&mut progress.fields));
        let scope = stage.scope(SUPER_STEP);
        let branches = calls.iter().map(|call| {
            let (fields, steered) = (Arc::clone(&fields), &progress.steered);
            move |stage: Stage| self.call(stage, call, fields, steered)
        });
        let fan = Fan::default().at_a_time(self.at_a_time);
        let done: Vec<Done> = parallel(&scope, fan, branches).await?.into_iter().flatten().collect();

        let (mut writes, mut failed, mut worked) = (Vec::new(), Vec::new(), Vec::new());
        for (call, done) in calls.iter().zip(done) {
            match done {
                Done::Wrote(wrote) => {
                    writes.extend(wrote);
                    worked.push(call.node.clone());
                }
                Done::Failed(handler, error) => {
                    failed.push(Call { node: handler, item: None, error: Some(error) });
                }
            }
        }
        let values: Vec<_> = writes.iter().map(|(field, item)| (field.clone(), item.value.clone())).collect();
        let (declared, before) = (self.fields.clone(), old(&self.fields.merges, &fields, &writes));
        let (nodes, number) = (worked.clone(), progress.super_step);
        let change = recorded(stage, number, digest(&values)?, move || {
            Change::merge(number, nodes.clone(), &declared, &before, &values)
        });
        let change = change.await?;
        progress.fields = Arc::unwrap_or_clone(fields);
        change.apply(&self.fields.merges, &mut progress.fields, &writes)?;
        progress.next = self.next(stage, &worked.into_iter().collect(), progress).await?;
        progress.next.extend(failed);
        // Nodes work, and what they write is merged, in the order of their names, whichever edge led there first.
        progress.next.sort_by(|one, other| one.node.cmp(&other.node));
        Ok(())
    }

    /// Has one node work.
    async fn call(
        &self,
        stage: Stage,
        call: &Call,
        fields: Arc<BTreeMap<String, Item>>,
        steered: &Item,
    ) -> Result<Done> {
        let Some(node) = self.nodes.get(&call.node) else {
            return Err(Error::new(Code::ToolFailed, format!("the graph has no node `{}`", call.node)));
        };
        let mut besides = BTreeMap::new();
        if let Some((index, item)) = &call.item {
            besides.insert(ITEM, item.clone());
            besides.insert(INDEX, Item::new(*index));
        }
        besides.extend(call.error.iter().map(|error| (ERROR, error.clone())));
        let state = State { fields, besides };
        let known = state.named().map(|(_, item)| item).chain([steered]);
        let stage = stage.apart(&call.node, known);
        match ((node.work)(stage.clone(), state).await, &node.on_error) {
            (Ok(Writes(writes)), _) => {
                let had_a_say = call.item.iter().map(|(_, item)| item).chain(&call.error).chain([steered]);
                let had_a_say: Vec<&Item> = had_a_say.collect();
                let writes = writes
                    .into_iter()
                    .map(|(field, item)| (field, item.influenced_by(had_a_say.iter().copied())));
                Ok(Done::Wrote(writes.collect()))
            }
            (Err(error), Some(handler)) if is_failure(&error) => {
                let told = json!({ "node": call.node, "message": error.message() });
                Ok(Done::Failed(
                    handler.clone(),
                    Item::from_outside(ERROR, told).influenced_by([&stage.failures()]),
                ))
            }
            (Err(error), _) => Err(of_node(&call.node, &error)),
        }
    }

    /// What works next, now that these nodes have worked.
    async fn next(
        &self,
        stage: &Stage,
        worked: &BTreeSet<String>,
        progress: &mut Progress,
    ) -> Result<Vec<Call>> {
        let fields = Arc::new(std::mem::take(&mut progress.fields));
        let state = State { fields: Arc::clone(&fields), ..State::default() };
        let (mut plain, mut calls) = (BTreeSet::new(), Vec::new());
        for edge in self.edges.iter().filter(|edge| worked.contains(&edge.from)) {
            let targets = match &edge.fires {
                Fires::Always => edge.to.clone(),
                Fires::When(condition) => {
                    let (holds, looked_at) = condition(&state)?;
                    progress.steer(&looked_at);
                    if holds { edge.to.clone() } else { Vec::new() }
                }
                Fires::To(choose) => {
                    let chosen = choose(&state);
                    progress.steer(&Item::made_of(Value::Null, state.fields.values()));
                    if let Some(other) = chosen.iter().find(|chosen| !edge.to.contains(chosen)) {
                        let message = format!("a branch of the node `{}` has chosen `{other}`", edge.from);
                        let help = format!("it said that it would choose of {}", edge.to.join(", "));
                        return Err(Error::new(Code::ToolFailed, message).with_help(help));
                    }
                    chosen
                }
                Fires::Each(list) => {
                    let list = list(stage.clone(), state.clone()).await?;
                    let Value::Array(members) = &list.value else {
                        let message =
                            format!("an edge of the node `{}` leads on for each of a list", edge.from);
                        let help = format!("it got {}", list.value);
                        return Err(Error::new(Code::ToolFailed, message).with_help(help));
                    };
                    for (index, member) in members.iter().enumerate() {
                        let item = Some((index, list.part(member.clone())));
                        calls.extend(edge.to.iter().map(|to| Call {
                            node: to.clone(),
                            item: item.clone(),
                            error: None,
                        }));
                    }
                    Vec::new()
                }
            };
            for to in targets.into_iter().filter(|to| to != END) {
                if self.nodes.get(&to).is_some_and(|node| node.waits == Waits::All) {
                    progress.arrived.entry(to).or_default().insert(edge.from.clone());
                } else {
                    plain.insert(to);
                }
            }
        }
        drop(state);
        progress.fields = Arc::unwrap_or_clone(fields);
        for (node, arrived) in &mut progress.arrived {
            if !arrived.is_empty() && self.before(node).is_subset(arrived) {
                arrived.clear();
                plain.insert(node.clone());
            }
        }
        calls.extend(plain.into_iter().map(|node| Call { node, item: None, error: None }));
        calls.sort_by(|one, other| one.node.cmp(&other.node));
        Ok(calls)
    }

    /// The nodes that have an edge to this one.
    fn before(&self, node: &str) -> BTreeSet<String> {
        let edges = self.edges.iter().filter(|edge| edge.to.iter().any(|to| to == node));
        edges.map(|edge| edge.from.clone()).collect()
    }
}

impl Progress {
    fn steer(&mut self, looked_at: &Item) {
        self.steered = Item::made_of(Value::Null, [&self.steered, looked_at]).condensed("condition");
    }
}

/// A graph is a workflow: at the root of a run, which it divides into segments. It makes a table of its fields.
impl Workflow for Graph<'static> {
    fn run(&self, stage: Stage, input: Item, state: Option<Json>) -> BoxFuture<'_, Result<Item>> {
        async move {
            self.check()?;
            let progress = match state {
                Some(state) => state.to()?,
                None => self.begin(&stage, input).await?,
            };
            match self.go_on(&stage, progress).await? {
                Reached::End(state) => Ok(state.table()),
                Reached::Pause(progress) => match stage.roll_over(Json::of(&progress)?)? {},
            }
        }
        .boxed()
    }
}

/// What a super-step has changed: recorded once, so that a replay reads it, and a fork may edit it.
async fn recorded(
    stage: &Stage,
    super_step: u32,
    writes: Digest,
    merge: impl Fn() -> Result<Change> + Send + Sync + 'static,
) -> Result<Change> {
    let input = Json::of(&json!({ "super_step": super_step, "writes": writes.to_string() }))?;
    let merged = work(move |_| std::future::ready(merge().and_then(|change| Json::of(&change))));
    stage.ctx().effect(STATE, Effects::pure(), input, merged).await?.to()
}

fn digest(values: &impl Serialize) -> Result<Digest> {
    Ok(Digest::of(Json::of(values)?.as_str().as_bytes()))
}

/// The error of a node, with its name.
fn of_node(node: &str, error: &Error) -> Error {
    if !is_failure(error) {
        return error.clone();
    }
    let named = Error::new(error.code(), format!("node {node}: {}", error.message()));
    match error.help() {
        Some(help) => named.with_help(help),
        None => named,
    }
}
