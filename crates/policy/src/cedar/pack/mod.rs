//! Policies that come along: those that a new project begins with, and those of a locked one.

/// The policies that a new project begins with: they go by what tools do, whatever they are called.
pub const PACK: &str = include_str!("default.cedar");

/// What is added to the policies of a project that is locked down.
pub const LOCKDOWN: &str = include_str!("lockdown.cedar");
