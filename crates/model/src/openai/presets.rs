//! Servers that speak chat completions, by name.
//!
//! Beside each stands the page that its address and the variable of its key were read on, and the date of the copy where
//! it has one. Variables for another address are our own, but for Ollama's (Pydantic AI reads it).

use adjutant_core::Result;

use super::chat::{self, Quirks};
use super::embeddings;
use crate::provider::{Config, Interface, Provider};

const fn hosted(
    name: &'static str,
    base_url: &'static str,
    key_variables: &'static [&'static str],
    open: fn(&Config) -> Result<Interface>,
) -> Provider {
    Provider {
        name,
        base_url,
        elsewhere: &[],
        base_url_variable: None,
        key_variables,
        credentials: &[],
        options: &[],
        open,
        embed: Some(embeddings::interface),
    }
}

const fn local(
    name: &'static str,
    base_url: &'static str,
    base_url_variable: &'static str,
    open: fn(&Config) -> Result<Interface>,
) -> Provider {
    Provider { base_url_variable: Some(base_url_variable), ..hosted(name, base_url, &[], open) }
}

/// DeepSeek: api-docs.deepseek.com, "Your First API Call", of 2026. Its copies of 2025 allow a `/v1`, which means nothing.
pub const DEEPSEEK: Provider = Provider {
    embed: None,
    ..hosted("deepseek", "https://api.deepseek.com", &["DEEPSEEK_API_KEY"], |config| {
        chat::interface(config, Quirks::DEEPSEEK)
    })
};

/// Groq: console.groq.com/docs/openai, "OpenAI Compatibility".
pub const GROQ: Provider = Provider {
    embed: None,
    ..hosted("groq", "https://api.groq.com/openai/v1", &["GROQ_API_KEY"], |config| {
        chat::interface(config, Quirks::GROQ)
    })
};

/// LiteLLM's proxy: docs.litellm.ai, "LiteLLM Proxy"; the variables are those of its client 1.109.1. It serves what its owner
/// put behind it, so what is known of a model must be said.
pub const LITELLM: Provider = Provider {
    key_variables: &["LITELLM_PROXY_API_KEY"],
    ..local("litellm", "http://localhost:4000/v1", "LITELLM_PROXY_API_BASE", |config| {
        chat::interface(config, Quirks::LITELLM)
    })
};

/// llama.cpp's server: llama.cpp, "llama-server": it listens on port 8080 and serves `/v1/chat/completions`; Promptfoo's default too.
pub const LLAMACPP: Provider = local("llamacpp", "http://localhost:8080/v1", "LLAMACPP_BASE_URL", |config| {
    chat::interface(config, Quirks::LLAMACPP)
});

/// LM Studio: lmstudio.ai/docs, "OpenAI Compatible Endpoints".
pub const LMSTUDIO: Provider = local("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_BASE_URL", |config| {
    chat::interface(config, Quirks::LMSTUDIO)
});

/// Mistral: docs.mistral.ai/api, "Chat Completion"; the key in the README of Mistral's client for Python.
pub const MISTRAL: Provider =
    hosted("mistral", "https://api.mistral.ai/v1", &["MISTRAL_API_KEY"], |config| {
        chat::interface(config, Quirks::MISTRAL)
    });

/// Ollama: docs.ollama.com, "OpenAI compatibility", and docs/openai.md of its repository.
pub const OLLAMA: Provider = local("ollama", "http://localhost:11434/v1", "OLLAMA_BASE_URL", |config| {
    chat::interface(config, Quirks::OLLAMA)
});

/// OpenRouter: openrouter.ai/docs, "Using the OpenAI SDK".
pub const OPENROUTER: Provider =
    hosted("openrouter", "https://openrouter.ai/api/v1", &["OPENROUTER_API_KEY"], |config| {
        chat::interface(config, Quirks::OPENROUTER)
    });

/// Together: docs.together.ai, "OpenAI compatibility". Older clients have `api.together.xyz`.
pub const TOGETHER: Provider =
    hosted("together", "https://api.together.ai/v1", &["TOGETHER_API_KEY"], |config| {
        chat::interface(config, Quirks::TOGETHER)
    });

/// vLLM: docs.vllm.ai, "OpenAI-Compatible Server", version 0.8.1.
pub const VLLM: Provider = local("vllm", "http://localhost:8000/v1", "VLLM_BASE_URL", |config| {
    chat::interface(config, Quirks::VLLM)
});

/// xAI: docs.x.ai, "Integrations" and "Quickstart".
pub const XAI: Provider = Provider {
    embed: None,
    ..hosted("xai", "https://api.x.ai/v1", &["XAI_API_KEY"], |config| chat::interface(config, Quirks::XAI))
};
