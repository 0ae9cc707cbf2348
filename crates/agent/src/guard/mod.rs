//! Guardrails: what goes in and out of a run, and of its tools, is looked at on its way.
//!
//! What needs nobody else is looked for in one step (`guard`); a judge and a service are asked in a step each (`judge`,
//! `moderate`). What was found, and what was made of the text, is read from these records ever after. All of it is a
//! signal: whoever knows a guardrail writes around it. What an agent may do is decided by the policies.

mod check;
mod direct;
mod judge;
mod look;
mod mark;
mod opinion;
mod points;
mod ruling;
mod service;
mod subject;
mod watch;

pub(crate) use check::GUARD;
pub use direct::Direct;
pub(crate) use judge::JUDGE;
pub(crate) use mark::{EXPLAINED, marked};
pub use opinion::Opinion;
pub(crate) use points::{
    Agreement, KEPT, answer, arguments, begin, hear, heard_at, held_back, left, looks_at_arguments, prompt,
    restored, result, said_at,
};
pub(crate) use ruling::names;
pub use ruling::{Blocked, Did, Found, Ruling, Verdict};
pub(crate) use service::MODERATE;
pub(crate) use watch::Watch;
