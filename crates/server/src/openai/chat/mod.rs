//! `POST /v1/chat/completions`.

mod answer;
mod messages;
mod parameters;
mod request;
mod stream;

pub(crate) use answer::{Head, whole};
#[cfg(test)]
pub(crate) use parameters::PARAMETERS;
pub(crate) use request::{Asked, any_object, metadata, named, read, schema, single_call};
pub(crate) use stream::Chunks;
