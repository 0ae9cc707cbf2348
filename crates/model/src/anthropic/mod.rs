//! Anthropic's Messages interface.
//!
//! What is sent is made by pure functions from the request, and what arrives is decoded by a pure state machine. The
//! format is the one of platform.claude.com/docs/en/api/messages, as Anthropic's client for Python 2.12.0 (November 2026)
//! carries it.

mod block;
mod cache;
mod content;
mod decode;
mod encode;
pub(crate) mod generation;
pub(crate) mod schema;
pub(crate) mod thinking;
mod turns;
mod usage;
mod wire;

use std::sync::Arc;

use adjutant_core::Result;
use serde_json::Value;

use crate::provider::{Config, Interface, Provider, Setting};

/// Anthropic. The variables are those of its own clients; the one for another address may leave out the `/v1`, as theirs
/// do.
pub const ANTHROPIC: Provider = Provider {
    name: NAME,
    base_url: "https://api.anthropic.com/v1",
    elsewhere: &[],
    base_url_variable: Some("ANTHROPIC_BASE_URL"),
    key_variables: &["ANTHROPIC_API_KEY"],
    credentials: &[],
    // The model that a deployment of another name is, such as `claude-opus-4-8`: its name tells what it takes.
    options: &[Setting { key: "base_model", variables: &[], default: None }],
    open: interface,
    embed: None,
};

/// What reasoning and native parts of this interface are stamped with.
const NAME: &str = "anthropic";

/// What a block, a piece or an event is; empty where it does not say.
fn kind_of(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// The interface of a server that speaks Messages and wants its key as `x-api-key`.
///
/// Fails with `input-invalid` where the address or the key cannot be one.
pub fn interface(config: &Config) -> Result<Interface> {
    Ok(Interface {
        wire: Arc::new(wire::Messages::new(config)?),
        authorize: Arc::new(config.key_in("x-api-key")?),
    })
}
