//! Workflows: the patterns that production runs on, as plain async code.
//!
//! [`pattern`] has them as functions over a [`Stage`](adjutant_agent::workflow::Stage): an author who writes Rust calls them,
//! in any nesting. [`graph`] has nodes that share a state. [`plan`] has them as data that people write in YAML; whoever runs one calls the same functions.

mod coded;
pub mod crew;
mod deep;
mod draw;
mod expression;
mod fit;
pub mod graph;
pub mod pattern;
mod perform;
pub mod plan;
pub mod schema;
mod strategy;

pub use coded::{Coded, Codes};
pub use draw::Handoffs;
pub use expression::{Expression, Mistake};
pub use perform::{Planned, Plans};
