//! What is known of servers of chat completions, one constant each.
//!
//! Each says where it was read: in the server's own source or documentation, in its maker's client, or, where these are
//! silent, in the reports of users and in clients that many use (LiteLLM 1.109.1, Vercel's AI SDK), all of autumn 2026.

use url::Url;

use super::quirks::{CallIds, Echo, Efforts, Forcing, Media, Order, Quirks, Schema};

impl Quirks {
    /// What most servers know.
    pub const COMMON: Self = Self {
        max_tokens: "max_tokens",
        stream_options: true,
        schema: Schema::Beside,
        routes: false,
        forcing: Forcing::ByName,
        parallel_switch: true,
        efforts: Efforts::Words,
        stop_while_reasoning: true,
        echo: Echo::Nowhere,
        call_ids: CallIds::Any,
        order: Order::Any,
        media: Media::OpenAi,
        media_in_results: false,
        cache_control: false,
    };

    /// OpenAI's own server, or Azure's copy of it. OpenAI calls `max_tokens` deprecated, and its reasoning models refuse
    /// it; they differ in the efforts and temperatures that they take.
    pub const OPENAI: Self =
        Self { max_tokens: "max_completion_tokens", efforts: Efforts::OpenAi, ..Self::COMMON };

    /// DeepSeek: api-docs.deepseek.com, "Thinking Mode" and "Tool Calls". Reasoning is wanted back in every message of a
    /// conversation with tools, also where there was none (the AI SDK and LiteLLM fill it in); while the model thinks,
    /// `required` is refused; and there is no `json_schema`.
    pub const DEEPSEEK: Self = Self {
        schema: Schema::InWords,
        forcing: Forcing::WithoutThinking,
        parallel_switch: false,
        efforts: Efforts::DeepSeek,
        echo: Echo::EveryTime("reasoning_content"),
        media: Media::DeepSeek,
        ..Self::COMMON
    };

    /// Groq: console.groq.com/docs, "Structured Outputs" ("streaming and tool use are not currently supported"), and the
    /// types of its client 1.7.0, where reasoning goes back as `reasoning`; `reasoning_content` is refused.
    pub const GROQ: Self = Self {
        max_tokens: "max_completion_tokens",
        schema: Schema::AloneAndWhole,
        efforts: Efforts::Groq,
        echo: Echo::Field("reasoning"),
        ..Self::COMMON
    };

    /// LiteLLM's proxy: docs.litellm.ai, "'Thinking' / 'Reasoning Content'": blocks of thinking go back as they came.
    pub const LITELLM: Self = Self { echo: Echo::Blocks, ..Self::COMMON };

    /// llama.cpp: tools/server/README.md of its repository. A tool's name in `tool_choice` is taken for `auto` (rig's
    /// client); a grammar for the answer and tools exclude each other; most templates want instructions first.
    pub const LLAMACPP: Self = Self {
        schema: Schema::Alone,
        forcing: Forcing::ByWord("required"),
        echo: Echo::Field("reasoning_content"),
        order: Order::SystemFirst,
        media_in_results: true,
        ..Self::COMMON
    };

    /// LM Studio runs llama.cpp, and answers a name in `tool_choice` with "supported string values: none, auto, required"
    /// (its bug tracker, 670).
    pub const LMSTUDIO: Self = Self { echo: Echo::Nowhere, media_in_results: false, ..Self::LLAMACPP };

    /// Mistral, whose schema is closed: Mistral's client 3.7.0, mistral-common's `validator.py` for the order of messages
    /// and the ids of calls, docs.mistral.ai, "Reasoning", for thinking. `stream_options` is answered with status 422, and
    /// tokens are counted without being asked. `any` and one tool alone are what LiteLLM and the AI SDK send.
    pub const MISTRAL: Self = Self {
        stream_options: false,
        forcing: Forcing::ByWord("any"),
        efforts: Efforts::Mistral,
        echo: Echo::Chunks,
        call_ids: CallIds::Nine,
        order: Order::Strict,
        media: Media::Mistral,
        media_in_results: true,
        ..Self::COMMON
    };

    /// Ollama: `openai/openai.go` of its repository, which reads neither `tool_choice` nor `parallel_tool_calls` in most
    /// versions. A schema keeps the model from calling tools (its issues 8095 and 11037).
    pub const OLLAMA: Self = Self {
        schema: Schema::Alone,
        forcing: Forcing::Unread,
        parallel_switch: false,
        efforts: Efforts::ToHigh,
        echo: Echo::Field("reasoning"),
        ..Self::COMMON
    };

    /// OpenRouter: openrouter.ai/docs, "Reasoning Tokens" and "Structured Outputs"; the parts are those of its client 1.3.19.
    pub const OPENROUTER: Self = Self {
        routes: true,
        echo: Echo::Details,
        media: Media::OpenRouter,
        media_in_results: true,
        cache_control: true,
        ..Self::COMMON
    };

    /// Together: the types of its client 3.1.1, which know no `parallel_tool_calls`.
    pub const TOGETHER: Self = Self { parallel_switch: false, efforts: Efforts::Together, ..Self::COMMON };

    /// vLLM: `chat_completion/protocol.py` of its repository. A schema keeps the model from calling tools (its issue 39929);
    /// templates such as Qwen's want instructions first.
    pub const VLLM: Self = Self {
        schema: Schema::Alone,
        echo: Echo::Field("reasoning"),
        order: Order::SystemFirst,
        ..Self::COMMON
    };

    /// xAI: docs.x.ai, "Reasoning", where models that reason refuse `stop`; the efforts by model are on the models' pages.
    pub const XAI: Self = Self {
        max_tokens: "max_completion_tokens",
        efforts: Efforts::Xai,
        stop_while_reasoning: false,
        ..Self::COMMON
    };

    /// Whose server is at a host, or under it.
    const HOSTS: [(&'static str, Self); 13] = [
        ("openai.com", Self::OPENAI),
        ("openai.azure.com", Self::OPENAI),
        ("services.ai.azure.com", Self::OPENAI),
        ("cognitiveservices.azure.com", Self::OPENAI),
        ("openai.azure.us", Self::OPENAI),
        ("openai.azure.cn", Self::OPENAI),
        ("deepseek.com", Self::DEEPSEEK),
        ("groq.com", Self::GROQ),
        ("mistral.ai", Self::MISTRAL),
        ("openrouter.ai", Self::OPENROUTER),
        ("together.ai", Self::TOGETHER),
        ("together.xyz", Self::TOGETHER),
        ("x.ai", Self::XAI),
    ];

    /// What is known of the server at an address, asked for that model.
    pub fn at(url: &Url, model: &str) -> Self {
        let host = url.host_str().unwrap_or_default();
        let is_of = |name: &str| {
            host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        match Self::HOSTS.iter().find(|(name, _)| is_of(name)) {
            Some((name, _)) if name.contains(".azure.") => Self::azure(model, None),
            Some((_, quirks)) => *quirks,
            None => Self::COMMON,
        }
    }

    /// Azure, in a version of its older interface where there is one: learn.microsoft.com, "API version lifecycle".
    ///
    /// Azure hands on to models of other makers, and Mistral's keep their ways. A deployment usually has its model's name.
    pub fn azure(model: &str, api_version: Option<&str>) -> Self {
        let name = model.to_ascii_lowercase();
        if ["mistral", "ministral", "codestral", "magistral", "pixtral"].iter().any(|own| name.contains(own))
        {
            return Self::MISTRAL;
        }
        // Versions are dates, with a word behind some of them.
        let is_before = |date: &str| {
            api_version
                .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()) && version < date)
        };
        Self {
            max_tokens: if is_before("2024-12-01") { "max_tokens" } else { "max_completion_tokens" },
            stream_options: !is_before("2024-09-01"),
            schema: if is_before("2024-08-01") { Schema::ByTool } else { Schema::Beside },
            ..Self::OPENAI
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
            ("https://x.cognitiveservices.azure.com/openai/v1", Quirks::OPENAI),
            ("https://notopenai.com/v1", Quirks::COMMON),
            ("https://openai.com.example.org/v1", Quirks::COMMON),
            ("https://api.mistral.ai/v1", Quirks::MISTRAL),
            ("https://api.eu.mistral.ai/v1", Quirks::MISTRAL),
            ("https://api.deepseek.com", Quirks::DEEPSEEK),
            ("https://api.together.xyz/v1", Quirks::TOGETHER),
            ("https://api.x.ai/v1", Quirks::XAI),
            ("https://max.ai/v1", Quirks::COMMON),
            ("http://localhost:11434/v1", Quirks::COMMON),
        ];
        for (url, quirks) in cases {
            assert_eq!(Quirks::at(&Url::parse(url).unwrap(), "m"), quirks, "{url}");
        }
        let foundry = Url::parse("https://x.services.ai.azure.com/openai/v1").unwrap();
        assert_eq!(Quirks::at(&foundry, "Mistral-Large-3"), Quirks::MISTRAL);
    }

    #[test]
    fn azure_goes_by_its_version() {
        let of = |version| {
            let quirks = Quirks::azure("gpt-5", version);
            (quirks.max_tokens, quirks.stream_options, quirks.schema)
        };
        let cases = [
            (None, ("max_completion_tokens", true, Schema::Beside)),
            (Some("preview"), ("max_completion_tokens", true, Schema::Beside)),
            (Some("2025-04-01-preview"), ("max_completion_tokens", true, Schema::Beside)),
            (Some("2024-12-01-preview"), ("max_completion_tokens", true, Schema::Beside)),
            (Some("2024-10-21"), ("max_tokens", true, Schema::Beside)),
            (Some("2024-08-01-preview"), ("max_tokens", false, Schema::Beside)),
            (Some("2024-02-01"), ("max_tokens", false, Schema::ByTool)),
        ];
        for (version, expected) in cases {
            assert_eq!(of(version), expected, "{version:?}");
        }
    }
}
