//! `POST /v1/responses`.

mod answer;
mod items;
mod parameters;
mod request;
mod stream;

pub(crate) use answer::{Frame, failed, output, whole};
pub(crate) use items::messages;
#[cfg(test)]
pub(crate) use parameters::PARAMETERS;
pub(crate) use request::{Asked, Before, read};
pub(crate) use stream::Events;
