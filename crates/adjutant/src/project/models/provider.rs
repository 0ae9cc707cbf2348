//! Providers that are known by name.

use std::fmt;

/// A provider that is known by name: where it is, and which variables speak of it. All of them speak OpenAI's chat
/// completions; whoever else does is reached by `provider = "openai"` with a `base_url`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// The name, which begins the ids of its models.
    pub name: &'static str,
    /// Where it is.
    pub base_url: &'static str,
    /// The environment variable that names another place.
    pub base_url_variable: Option<&'static str>,
    /// The environment variable that holds its key; none for a server that wants none.
    pub key_variable: Option<&'static str>,
}

const fn hosted(name: &'static str, base_url: &'static str, key_variable: &'static str) -> Provider {
    Provider { name, base_url, base_url_variable: None, key_variable: Some(key_variable) }
}

const fn local(name: &'static str, base_url: &'static str, base_url_variable: &'static str) -> Provider {
    Provider { name, base_url, base_url_variable: Some(base_url_variable), key_variable: None }
}

impl Provider {
    /// The built-in model that is no LLM. It is no provider, but stands where one does.
    pub const OFFLINE: &str = "offline";

    /// Every provider that is known by name. Beside each stands the page that its address and the variable of its key
    /// were read on, and the date of the copy where it has one. Variables for another address are our own, but for
    /// OpenAI's (its clients read it) and Ollama's (Pydantic AI reads it).
    pub const ALL: &[Self] = &[
        // OpenAI's client for Python, `_client.py`, 2026: the address and both variables.
        Self {
            name: "openai",
            base_url: "https://api.openai.com/v1",
            base_url_variable: Some("OPENAI_BASE_URL"),
            key_variable: Some("OPENAI_API_KEY"),
        },
        // docs.ollama.com, "OpenAI compatibility", and docs/openai.md of its repository.
        local("ollama", "http://localhost:11434/v1", "OLLAMA_BASE_URL"),
        // lmstudio.ai/docs, "OpenAI Compatible Endpoints".
        local("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_BASE_URL"),
        // llama.cpp, "llama-server": it listens on port 8080 and serves `/v1/chat/completions`; Promptfoo's default too.
        local("llamacpp", "http://localhost:8080/v1", "LLAMACPP_BASE_URL"),
        // docs.vllm.ai, "OpenAI-Compatible Server", version 0.8.1.
        local("vllm", "http://localhost:8000/v1", "VLLM_BASE_URL"),
        // platform.claude.com/docs, "OpenAI SDK compatibility"; meant by Anthropic for trying models out.
        hosted("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        // api-docs.deepseek.com, "Your First API Call", of 2026. Its copies of 2025 allow a `/v1`, which means nothing.
        hosted("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        // ai.google.dev/gemini-api/docs/openai, "OpenAI compatibility".
        hosted("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        // console.groq.com/docs/openai, "OpenAI Compatibility".
        hosted("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        // docs.mistral.ai/api, "Chat Completion"; the key in the README of Mistral's client for Python.
        hosted("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        // openrouter.ai/docs, "Using the OpenAI SDK".
        hosted("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        // docs.together.ai, "OpenAI compatibility". Older clients have `api.together.xyz`.
        hosted("together", "https://api.together.ai/v1", "TOGETHER_API_KEY"),
        // docs.x.ai, "Integrations" and "Quickstart".
        hosted("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    ];

    /// The provider of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|provider| provider.name == name)
    }

    /// What may stand for `provider`: every name and `offline`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|provider| provider.name).chain([Self::OFFLINE])
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
