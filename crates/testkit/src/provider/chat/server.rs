//! The servers that the mock can stand for, each under a path of its own, and what each takes.
//!
//! Written from the servers' own documentation, source and clients, and from what their users report.

use serde_json::Value;

use super::own;

/// What a server takes beyond or below what OpenAI does.
#[derive(Debug)]
pub(super) struct Server {
    /// What its paths begin with.
    pub(super) root: &'static str,
    /// The fields of a body that it takes as well.
    pub(super) more: &'static [&'static str],
    /// The fields of a body that it refuses.
    pub(super) refused: &'static [&'static str],
    /// The fields of a model's message that it takes as well.
    pub(super) said: &'static [&'static str],
    /// Whether the result of a tool may be a list of parts.
    pub(super) result_parts: bool,
    /// The kinds of parts that a content may have as well.
    pub(super) parts: &'static [&'static str],
    /// The words of `tool_choice`.
    pub(super) choices: &'static [&'static str],
    /// Whether `tool_choice` may name a tool.
    pub(super) named_choice: bool,
    /// Whether instructions may stand anywhere.
    pub(super) late_system: bool,
    /// Whether an answer of a form may be asked for beside tools.
    pub(super) form_beside_tools: bool,
    /// What else is wrong there.
    pub(super) own: fn(&Value, &mut Vec<String>),
}

const OPENAI: Server = Server {
    root: "/v1",
    more: &[],
    refused: &[],
    // Any server may be reached here, so the fields of most are taken.
    said: &["refusal", "name", "audio", "reasoning", "reasoning_content"],
    result_parts: false,
    parts: &[],
    choices: &["auto", "none", "required"],
    named_choice: true,
    late_system: true,
    form_beside_tools: true,
    own: |_, _| {},
};

/// All of them; the first one stands for any that is not named.
const ALL: [Server; 11] = [
    OPENAI,
    Server { root: "/azure/openai/v1", said: &[], ..OPENAI },
    Server { root: "/azure/openai/deployments/", said: &[], ..OPENAI },
    Server {
        root: "/deepseek",
        more: &["thinking", "user_id"],
        refused: &["max_completion_tokens", "parallel_tool_calls", "seed", "user"],
        said: &["reasoning_content", "prefix"],
        own: own::deepseek,
        ..OPENAI
    },
    Server {
        root: "/groq/openai/v1",
        more: &["reasoning_format", "include_reasoning"],
        refused: &["logprobs", "logit_bias", "top_logprobs", "store", "metadata"],
        said: &["reasoning"],
        form_beside_tools: false,
        own: own::groq,
        ..OPENAI
    },
    Server {
        root: "/litellm/v1",
        said: &["thinking_blocks", "reasoning_content"],
        own: own::litellm,
        ..OPENAI
    },
    Server {
        root: "/llamacpp/v1",
        said: &["reasoning_content"],
        result_parts: true,
        named_choice: false,
        late_system: false,
        form_beside_tools: false,
        ..OPENAI
    },
    Server {
        root: "/mistral/v1",
        more: &["random_seed", "safe_prompt", "prompt_mode", "guardrails"],
        refused: &[
            "stream_options",
            "max_completion_tokens",
            "seed",
            "user",
            "store",
            "logit_bias",
            "verbosity",
            "safety_identifier",
            "modalities",
            "audio",
        ],
        said: &["prefix"],
        result_parts: true,
        parts: &["thinking", "document_url", "input_audio"],
        choices: &["auto", "none", "any", "required"],
        late_system: false,
        own: own::mistral,
        ..OPENAI
    },
    Server {
        root: "/ollama/v1",
        refused: &["max_completion_tokens"],
        said: &["reasoning"],
        form_beside_tools: false,
        ..OPENAI
    },
    Server {
        root: "/openrouter/api/v1",
        more: &["provider", "reasoning", "cache_control"],
        said: &["reasoning", "reasoning_details"],
        result_parts: true,
        own: own::openrouter,
        ..OPENAI
    },
    Server {
        root: "/vllm/v1",
        said: &["reasoning", "reasoning_content"],
        late_system: false,
        form_beside_tools: false,
        ..OPENAI
    },
];

impl Server {
    /// The server of a path that ends with the name of the interface; none where nobody is there.
    pub(super) fn at(path: &str) -> Option<&'static Self> {
        static SERVERS: [Server; 11] = ALL;
        let base = path.strip_suffix("/chat/completions")?;
        SERVERS.iter().find(|server| match server.root.ends_with('/') {
            // The name of a deployment follows.
            true => {
                base.strip_prefix(server.root).is_some_and(|name| !name.is_empty() && !name.contains('/'))
            }
            false => base == server.root,
        })
    }

    /// The server that stands for any.
    pub(super) fn common() -> &'static Self {
        static COMMON: Server = OPENAI;
        &COMMON
    }
}
