//! A run in front of a person: shown while it goes, asked about when it asks.

mod approval;
mod follow;
mod interrupts;
mod people;
mod question;
mod queue;
mod show;
mod waiting;

pub(crate) use approval::{details, time_left};
pub(crate) use follow::{Followed, Manners, follow};
pub(crate) use interrupts::{Interrupt, Interrupts};
pub(crate) use people::People;
pub(crate) use question::{Put, put};
pub(crate) use queue::explain_ahead;
pub(crate) use show::{Show, summary, to_do};
pub(crate) use waiting::{asked, explain, is_event};
