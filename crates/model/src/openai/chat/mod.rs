//! Chat completions, as OpenAI and many others speak them: Ollama, vLLM, LM Studio, llama.cpp, gateways.
//!
//! What is sent is made by pure functions from the request, and what arrives is decoded by a pure state machine, so both
//! are tested without a network. The format is the one of OpenAI's API reference (chat completions, streaming), with
//! the deviations that other servers are known for.

mod calls;
mod content;
mod decode;
mod effort;
mod encode;
mod media;
pub mod quirks;
mod reasoning;
mod servers;
mod stop;
mod tools;
mod transcript;
mod usage;
mod wire;

pub use quirks::Quirks;

use std::sync::Arc;

use adjutant_core::Result;

use crate::provider::{Config, Interface};

/// The interface of a server that speaks chat completions and wants its key as `Authorization: Bearer`.
///
/// Fails with `input-invalid` where the address or the key cannot be one.
pub fn interface(config: &Config, quirks: Quirks) -> Result<Interface> {
    Ok(Interface { wire: Arc::new(wire::Chat::new(config, quirks)?), authorize: Arc::new(config.bearer()?) })
}
