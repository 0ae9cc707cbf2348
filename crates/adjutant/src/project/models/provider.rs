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

    /// Every provider that is known by name. The addresses are those that each documents for OpenAI's clients.
    pub const ALL: &[Self] = &[
        Self {
            name: "openai",
            base_url: "https://api.openai.com/v1",
            base_url_variable: Some("OPENAI_BASE_URL"),
            key_variable: Some("OPENAI_API_KEY"),
        },
        local("ollama", "http://localhost:11434/v1", "OLLAMA_BASE_URL"),
        local("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_BASE_URL"),
        local("llamacpp", "http://localhost:8080/v1", "LLAMACPP_BASE_URL"),
        local("vllm", "http://localhost:8000/v1", "VLLM_BASE_URL"),
        hosted("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        hosted("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        hosted("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        hosted("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        hosted("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        hosted("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        hosted("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
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
