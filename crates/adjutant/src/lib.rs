//! Adjutant as a library: agents that survive their process.
//!
//! An [`Agent`] is a prompt, a model, tools and limits. [`Adjutant`] runs it: every step is recorded before it counts,
//! so a run that is interrupted, by a crash or by a wait of days, goes on where it was.
//!
//! ```
//! use adjutant::prelude::*;
//!
//! /// Finds an order by its number.
//! #[tool(pure)]
//! async fn order(
//!     /// The number on the receipt.
//!     number: u32,
//! ) -> Result<String, ToolError> {
//!     match number {
//!         1042 => Ok("Order 1042 left our warehouse yesterday.".to_owned()),
//!         _ => Err(ToolError::new(format!("there is no order {number}"))),
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> adjutant::Result<()> {
//! let adjutant = Adjutant::builder().in_memory().model("main", Offline::new()).build()?;
//! let desk = Agent::new("desk").instructions("You run the service desk of a shop.").tool(order).limit(steps(20));
//!
//! let reply = adjutant.run(&desk, "Where is order 1042?").await?;
//! assert!(reply.text.contains("left our warehouse"));
//! # Ok(())
//! # }
//! ```
//!
//! - [`Adjutant::builder`] puts one together in Rust; [`Adjutant::open`] takes a [`Project`]: a folder with
//!   `adjutant.toml` and `agents/*.md`.
//! - [`Adjutant::run`] asks and waits. [`Adjutant::start`] gives the [`Run`]: to watch, approve, steer, cancel, fork.
//! - [`Adjutant::session`] is a conversation. [`Task::id`] makes a task happen once, also over crashes.
//! - [`Adjutant::approvals`] is what waits for a person, over all runs.
//! - [`Adjutant::gateway`] is the models themselves, for clients that ask them without an agent.
//! - [`Adjutant::versions`] is what was published of agents and workflows, with labels such as `stable`.
//! - [`Adjutant::triggers`] is what begins runs without a person: schedules and folders.
//! - [`Adjutant::decisions`] is the decision point by itself, for programs that run a loop of their own.
//! - [`Adjutant::keys`] is with what a service is asked: keys with roles, of each tenant.
//! - [`Adjutant::audit`] is who did what, and whether all is as it was recorded.
//! - [`Adjutant::back_up`] copies the store and the files of runs while they go on, [`Project::restore`] puts a copy back.
//! - [`Adjutant::serve`] drives every run that can go on, also those that dead processes left behind.

/// The examples of the page on other frameworks, which are compiled as those of this crate are.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from.md")]
struct ComingFrom;

/// Those of the page on workflows.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/workflows.md")]
struct OfWorkflows;

mod adjutant;
mod approvals;
mod assembly;
mod audit;
pub mod backup;
mod builder;
mod decisions;
mod difference;
pub mod gateway;
mod hand;
mod keys;
pub mod project;
mod reload;
mod route;
mod run;
mod runnable;
mod session;
mod steps;
mod takeover;
mod task;
mod transcript;
mod triggers;
mod updates;
mod usage;
mod versions;
mod watcher;
mod work;

/// The words that everything shares: messages, events, money, errors.
pub use adjutant_core as core;
/// The spine: what an engine records, and code that is written over it.
pub use adjutant_durable as durable;
/// The brain: models.
pub use adjutant_model as model;
/// The rules: decisions, labels, detectors.
pub use adjutant_policy as policy;
/// The hands: tools.
pub use adjutant_tool as tool;
/// Workflows: the patterns, and plans.
pub use adjutant_workflow as workflow;

pub use adjutant_agent as agent;
pub use adjutant_agent::{Agent, Reply, Stop};
pub use adjutant_core::{Code, Error, Result};
pub use adjutant_durable::WhenBusy;
pub use adjutant_store::{Options as StoreOptions, SystemClock};
pub use adjutant_workflow::Coded as Workflow;

pub use crate::adjutant::Adjutant;
pub use approvals::{Approval, Approvals, Holds, Verdict};
pub use audit::{Audit, AuditEvent, AuditFilter, AuditPage};
pub use builder::Builder;
pub use decisions::{Asked, Decision, Decisions, Word};
pub use difference::Difference;
pub use hand::call_tool;
pub use keys::{Keys, NewKey, NewToken};
pub use project::Project;
pub use reload::Reloaded;
pub use route::Routed;
pub use run::{Rest, Run, TakenBack};
pub use runnable::Runnable;
pub use session::{Session, SessionInfo};
pub use task::Task;
pub use transcript::SentRequest;
pub use triggers::{Message as TriggerMessage, Missed, Received, Schedule, Triggers, Watch};
pub use updates::{Update, Updates};
pub use usage::{AgentUsed, Days, UsageReport};
pub use versions::{FILES, Published, VersionEvent, Versions, version_of};
pub use watcher::Watcher;

/// What most programs need: `use adjutant::prelude::*;`.
pub mod prelude {
    pub use adjutant_agent::definition::{
        errors, idle_time, money, parallel, repeats, steps, tokens, wall_time,
    };
    pub use adjutant_agent::workflow::{Item, Stage};
    pub use adjutant_agent::{Agent, Reply, Stop};
    pub use adjutant_core::event::{Event, EventKind};
    pub use adjutant_model::offline::Offline;
    pub use adjutant_tool::{Context, ToolError, tool};
    pub use adjutant_workflow::{graph, pattern};

    pub use crate::{Adjutant, Project, Run, Session, Task, Update, Workflow};
}
