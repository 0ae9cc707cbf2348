//! `POST /v1/chat/completions`.

mod answer;
mod messages;
mod parameters;
mod request;
mod route;
mod stream;

pub(crate) use answer::Head;
#[cfg(test)]
pub(crate) use answer::whole;
#[cfg(test)]
pub(crate) use parameters::PARAMETERS;
#[cfg(test)]
pub(crate) use request::read;
pub(crate) use request::{any_object, metadata, named, schema, single_call};
pub(super) use route::complete;
#[cfg(test)]
pub(crate) use stream::Chunks;
