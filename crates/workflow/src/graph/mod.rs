//! Graphs: nodes that share a state, and edges that say which work next.
//!
//! A graph works in super-steps. All nodes that edges have led to work at the same time, each on the state as it was; what they
//! write is merged in the order of their names; then the edges of those that have worked are looked at. It is over where no edge
//! leads on.

mod build;
mod history;
mod run;
mod shape;
mod state;

pub use build::{END, Graph, START, Waits};
pub use history::{Snapshot, history};
pub use run::Progress;
pub(crate) use run::Reached;
pub(crate) use shape::{Fault, Link, faults};
pub use state::{Change, Merge, State, Writes};
pub(crate) use state::{ERROR, INDEX, ITEM};
