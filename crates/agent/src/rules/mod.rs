//! What an agent may do is decided here: facts of the run in, the verdict of its pinned policies out, recorded.
//!
//! `decide` is a step of its own, so a replay reads what was decided and decides nothing anew, whatever has become of
//! the policies and of our own code since. `Queue` keeps a call waiting for those that its rules ask about, and
//! `Log` is what was done before.

mod decision;
mod forbids;
mod history;
mod log;
mod models;
mod queue;
mod reach;
mod release;

pub use decision::{Considered, DECIDE, Ruling, by_definition, within_task};
pub(crate) use decision::{decide, denied, request, vouch, why};
pub use forbids::Forbids;
pub(crate) use forbids::{Gate, denial};
pub use history::{Decided, Later, decisions, past};
pub(crate) use log::Log;
pub(crate) use models::{admit_model, begin, prepare};
pub(crate) use queue::{Place, Queue};
pub(crate) use reach::{action, concerned, reach};
pub(crate) use release::{Released, release};
