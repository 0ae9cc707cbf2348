//! [`history`]: how the state of graphs went, out of the records of a run.

use std::collections::BTreeMap;

use adjutant_core::id::StepKey;
use adjutant_durable::{Entry, Record};
use serde_json::{Map, Value};

use super::run::STATE;
use super::state::Change;

/// The state of a graph after one super-step.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The step that recorded it: a run can be forked from there, and what it recorded be edited.
    pub step: StepKey,
    /// The segment of the run that the step stands in.
    pub segment: u32,
    /// Which super-step it was; 0 is what the graph began with.
    pub super_step: u32,
    /// The nodes that have worked.
    pub nodes: Vec<String>,
    /// All fields.
    pub state: Map<String, Value>,
}

/// The states of all graphs of a run, in the order of its records. Those of one graph stand below the same scope.
pub fn history(records: &[Record]) -> Vec<Snapshot> {
    let mut graphs: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut snapshots = Vec::new();
    for record in records {
        let (key, outcome) = match &record.entry {
            Entry::Completed { key, outcome } | Entry::Answered { key, outcome, .. } => (key, outcome),
            _ => continue,
        };
        let Some((scope, last)) = key.as_str().rsplit_once('/') else { continue };
        if last.split('#').next() != Some(STATE) {
            continue;
        }
        let Some(change) = outcome.as_ref().ok().and_then(|json| json.to::<Change>().ok()) else { continue };
        let state = graphs.entry(scope.to_owned()).or_default();
        if change.super_step == 0 {
            state.clear();
        }
        change.play(state);
        snapshots.push(Snapshot {
            step: key.clone(),
            segment: record.segment,
            super_step: change.super_step,
            nodes: change.nodes,
            state: state.clone(),
        });
    }
    snapshots
}
