//! OpenAI's Responses, the interface of its newer models: whole items instead of messages.
//!
//! Calls, results and reasoning are items beside the messages, and stand in one list in the order in which they were
//! made. Nothing is kept on the other side: a model's reasoning comes back encrypted and goes back with every request.
//! The fields and events are those of OpenAI's client for Python, `types/responses`, version 3.54 of 2026.

mod content;
mod decode;
mod encode;
mod hosted;
mod items;
mod outcome;
mod output;
mod schema;
mod wire;

use std::sync::Arc;

use adjutant_core::Result;
use url::Url;

use crate::provider::{Config, Interface};

/// What this interface is called in what only it understands.
const NAME: &str = "openai-responses";

/// What one server of this interface is called in what only it understands. OpenAI and each resource at Azure encrypt with
/// keys of their own, and refuse a request with what they cannot decrypt.
fn origin(url: &Url) -> String {
    format!("{NAME}@{}", url.authority())
}

/// Responses, for a server that wants its key as `Authorization: Bearer`.
///
/// Fails with `input-invalid` where the address or the key cannot be one.
pub fn interface(config: &Config) -> Result<Interface> {
    Ok(Interface { wire: Arc::new(wire::Responses::new(config)?), authorize: Arc::new(config.bearer()?) })
}
