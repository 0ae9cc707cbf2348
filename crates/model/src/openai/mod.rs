//! OpenAI's interfaces, and the many servers that speak the older of them.

pub mod azure;
pub mod chat;
mod embeddings;
mod generation;
mod parameters;
pub mod presets;
pub mod responses;

use crate::provider::{Config, Interface, Provider};
use adjutant_core::Result;

/// OpenAI, by chat completions. Its name with a `base_url` reaches any server that speaks them.
///
/// The address and both variables are those of OpenAI's client for Python, `_client.py`, 2026.
pub const OPENAI: Provider = Provider {
    name: "openai",
    base_url: "https://api.openai.com/v1",
    elsewhere: &[],
    base_url_variable: Some("OPENAI_BASE_URL"),
    key_variables: &["OPENAI_API_KEY"],
    credentials: &[],
    options: &[],
    open: open_chat,
    embed: Some(embeddings::interface),
};

/// OpenAI by Responses, which its models since GPT-5.4 need to call tools while they reason. Its name with a `base_url`
/// reaches whoever speaks them as well, such as Azure under `/openai/v1`.
pub const RESPONSES: Provider = Provider { name: "openai-responses", open: responses::interface, ..OPENAI };

fn open_chat(config: &Config) -> Result<Interface> {
    chat::interface(config, chat::Quirks::at(&config.address()?, &config.model))
}
