//! Anthropic's format: Messages, as its client for Python 2.12 of November 2026 speaks it.

mod answer;
mod blocks;
mod fault;
mod messages;
mod parameters;
mod request;
mod stream;

pub(crate) use answer::whole;
pub(crate) use fault::{body as fault_body, status as fault_status};
#[cfg(test)]
pub(crate) use parameters::PARAMETERS;
pub(crate) use request::{Asked, read, read_to_count};
pub(crate) use stream::Events;

/// What reasoning and native parts of Anthropic's are stamped with.
const OWN: &str = "anthropic";
