//! OpenAI's chat completions, as OpenAI and many others speak it: Ollama, vLLM, LM Studio, llama.cpp, gateways.
//!
//! [`Chat`] is the model; what it sends is made by pure functions from the request, and what arrives is decoded by a
//! pure state machine, so both are tested without a network. The format is the one of OpenAI's API reference
//! (chat completions, streaming), with the deviations that other servers are known for.

mod chat;
mod config;
mod content;
mod decode;
mod encode;
mod usage;

pub use chat::Chat;
pub use config::Config;
