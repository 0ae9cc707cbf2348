//! Decisions of policies, as who asks sees them.

mod decisions;
mod mistakes;
mod pack;
mod properties;
mod shop;
