//! Models and agents for clients that exist already: what the vendors' formats have in common.
//!
//! A request is taken in ([`intake`]), read by the format it is in ([`openai`](crate::openai), [`anthropic`](crate::anthropic)), and
//! put to a [`Talk`]: a model of the project by the library's gateway, or an agent as a durable run. What comes back is told in the
//! format that was asked.

mod agent;
mod intake;
mod pump;
mod question;
mod reply;
mod talk;
mod words;

pub(crate) use intake::{Given, Vendor, take};
pub(crate) use pump::{Tell, pump};
pub(crate) use reply::{Tells, failed, json, streamed};
pub(crate) use talk::{Asks, Heard, Talk, Target, no_models, reaches};

use axum::Router;

use crate::service::Service;
use crate::{anthropic, openai};

/// The vendors' routes.
pub(crate) fn routes() -> Router<Service> {
    openai::routes().merge(anthropic::routes())
}
