//! [`Strategy`]: how an agent goes about a task, where that is more than the plain loop.

mod bound;
mod helper;
mod pure;
mod settings;
mod tree;

pub(super) use pure::{asks_impure, impure};
pub use settings::Strategy;
pub(super) use settings::read;
pub use tree::{Over, Tree};
