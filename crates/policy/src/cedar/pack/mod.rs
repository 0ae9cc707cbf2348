//! The policies that a new project begins with.

/// The policies that a new project begins with: they go by what tools do, whatever they are called.
pub const PACK: &str = include_str!("default.cedar");
