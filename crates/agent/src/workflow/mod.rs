//! Workflows: agents, tools and people directed by code instead of by a model.
//!
//! A workflow is a [`Definition`] as an agent is: it has tools, agents that it may ask, limits, policies and guardrails.
//! What it does next is said by a [`Workflow`], which is plain async code over a [`Stage`]. Whatever it does passes the same
//! choke point as the calls of a model.

mod item;
mod likeness;
mod perform;
mod progress;
mod stage;
mod todo;

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::json::Json;
use futures::future::BoxFuture;

use crate::definition::Definition;

pub use item::Item;
pub(crate) use perform::perform;
pub use stage::{Stage, is_failure};
pub(crate) use todo::event as todo_event;

/// What directs a run instead of a model: code that is the same on every replay.
///
/// The rules of a [`Ctx`](adjutant_durable::Ctx) hold for it: no clocks, no chance, no waiting for anything else.
pub trait Workflow: Send + Sync + 'static {
    /// Does the work with what the run was started with. `state` is what the segment before has left, where the run has
    /// [rolled over](Stage::roll_over).
    fn run(&self, stage: Stage, input: Item, state: Option<Json>) -> BoxFuture<'_, Result<Item>>;
}

/// Brings the code of workflows.
pub trait Workflows: Send + Sync + 'static {
    /// The code of a definition that has one. Fails with
    /// [`Code::RunDefinitionMissing`](adjutant_core::Code::RunDefinitionMissing) where it is not here.
    fn find(&self, definition: &Definition) -> Result<Arc<dyn Workflow>>;
}
