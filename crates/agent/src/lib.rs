//! The loop of Adjutant: agents as data, and what runs them.

mod builder;
pub mod definition;

pub use builder::Agent;
pub use definition::{Definition, Source};
