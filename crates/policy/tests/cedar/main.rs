//! Decisions of policies, as who asks sees them.

// Says to clippy that all of it, not only what is marked `#[test]`, may panic.
#![cfg(test)]

mod decisions;
mod mistakes;
mod pack;
mod properties;
mod shop;
