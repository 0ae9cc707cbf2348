//! `POST /v1/responses`, and what is kept of responses: themselves, and conversations.

mod again;
mod answer;
mod background;
mod conversations;
mod held;
mod items;
mod parameters;
mod request;
mod resume;
mod route;
mod store;
mod stream;
mod work;

#[cfg(test)]
pub(crate) use answer::{Frame, whole};
pub(crate) use background::Background;
#[cfg(test)]
pub(crate) use parameters::PARAMETERS;
#[cfg(test)]
pub(crate) use request::read;
pub(crate) use resume::take_over;
pub(super) use route::routes;
#[cfg(test)]
pub(crate) use stream::Events;
