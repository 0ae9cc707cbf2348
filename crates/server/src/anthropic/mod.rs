//! Anthropic's format: Messages, as its client for Python 2.12 of November 2026 speaks it.

mod answer;
mod blocks;
mod fault;
mod messages;
mod parameters;
mod request;
mod route;
mod stream;

#[cfg(test)]
pub(crate) use answer::whole;
pub(crate) use fault::{body as fault_body, status as fault_status};
#[cfg(test)]
pub(crate) use parameters::PARAMETERS;
#[cfg(test)]
pub(crate) use request::read;
pub(crate) use route::routes;
#[cfg(test)]
pub(crate) use stream::Events;

/// What reasoning and native parts of Anthropic's are stamped with.
const OWN: &str = "anthropic";
