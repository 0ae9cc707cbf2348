//! In what servers of chat completions differ.

use url::Url;

/// In what a server of chat completions differs from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The parameter for the most tokens of an answer.
    pub max_tokens: &'static str,
    /// Whether it takes `stream_options`; who refuses the field counts tokens without being asked.
    pub stream_options: bool,
    /// The field in which it wants a model's earlier reasoning back.
    pub reasoning_field: Option<&'static str>,
}

impl Quirks {
    /// What most servers know.
    pub const COMMON: Self = Self { max_tokens: "max_tokens", stream_options: true, reasoning_field: None };

    /// OpenAI's own server, or Azure's copy of it. OpenAI calls `max_tokens` deprecated, and its reasoning models refuse
    /// it.
    pub const OPENAI: Self = Self { max_tokens: "max_completion_tokens", ..Self::COMMON };

    /// Mistral's server answers `stream_options` with status 422, "extra inputs are not permitted", as users of several
    /// clients report, and sends its count without being asked.
    pub const MISTRAL: Self = Self { stream_options: false, ..Self::COMMON };

    /// What is known of the server at an address.
    pub fn at(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let is_of = |names: &[&str]| {
            names.iter().any(|name| {
                host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            })
        };
        if is_of(&["openai.com", "openai.azure.com", "services.ai.azure.com"]) {
            Self::OPENAI
        } else if is_of(&["mistral.ai"]) {
            Self::MISTRAL
        } else {
            Self::COMMON
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirks_go_by_the_host() {
        let cases = [
            ("https://api.openai.com/v1", Quirks::OPENAI),
            ("https://eu.api.openai.com/v1", Quirks::OPENAI),
            ("https://x.openai.azure.com/openai/v1", Quirks::OPENAI),
            ("https://notopenai.com/v1", Quirks::COMMON),
            ("https://openai.com.example.org/v1", Quirks::COMMON),
            ("https://api.mistral.ai/v1", Quirks::MISTRAL),
            ("http://localhost:11434/v1", Quirks::COMMON),
        ];
        for (url, quirks) in cases {
            assert_eq!(Quirks::at(&Url::parse(url).unwrap()), quirks, "{url}");
        }
    }
}
