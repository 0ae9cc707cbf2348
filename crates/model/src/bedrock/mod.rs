//! Amazon Bedrock's Converse interface.
//!
//! What is sent is made by pure functions from the request, and what arrives is decoded by a pure state machine. The
//! format is the one of `ConverseStream` in the service description `bedrock-runtime/2023-09-30` of botocore 1.44.5
//! (November 2026). One interface carries the models of many makers, and `traits.rs` has in what they
//! differ.

mod cache;
mod call;
mod content;
mod credentials;
mod decode;
mod effort;
mod embeddings;
mod encode;
mod media;
mod profile_file;
mod sign;
mod tools;
mod traits;
mod turns;
mod usage;
mod wire;

use std::sync::Arc;

use adjutant_core::Result;

use crate::provider::{Config, Interface, Provider, Setting};

/// Amazon Bedrock. The variables are those of Amazon's own clients and tools.
pub const BEDROCK: Provider = Provider {
    name: NAME,
    base_url: "https://bedrock-runtime.{region}.amazonaws.com",
    elsewhere: &[],
    base_url_variable: Some("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
    key_variables: &["AWS_BEARER_TOKEN_BEDROCK"],
    credentials: &[
        Setting { key: "access_key_id", variables: &["AWS_ACCESS_KEY_ID"], default: None },
        Setting { key: "secret_access_key", variables: &["AWS_SECRET_ACCESS_KEY"], default: None },
        Setting { key: "session_token", variables: &["AWS_SESSION_TOKEN"], default: None },
    ],
    options: &[
        Setting { key: "region", variables: &["AWS_REGION", "AWS_DEFAULT_REGION"], default: None },
        Setting { key: "profile", variables: &["AWS_PROFILE"], default: Some("default") },
        Setting {
            key: "credentials_file",
            variables: &["AWS_SHARED_CREDENTIALS_FILE"],
            default: Some("~/.aws/credentials"),
        },
        // What stands behind the ARN of an inference profile or of throughput of one's own, which does not say it.
        Setting { key: "base_model", variables: &[], default: None },
    ],
    open: interface,
    embed: Some(embeddings::interface),
};

/// What reasoning and native parts of this interface are stamped with.
const NAME: &str = "bedrock";

/// The interface of one model.
///
/// Fails with `model-key-missing` where nobody says who asks, and with `input-invalid` where the address, the model or a
/// key cannot be one.
pub fn interface(config: &Config) -> Result<Interface> {
    Ok(Interface { wire: Arc::new(wire::Converse::new(config)?), authorize: credentials::authorize(config)? })
}
