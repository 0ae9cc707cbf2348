//! The parameters of a message: those of `MessageCreateParams` in Anthropic's client.

use crate::wire::How::{Only, Read, Refused};
use crate::wire::Parameter;

/// Each of them.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "messages",
        how: Read("the conversation: texts, images, documents, calls and their results, thinking"),
    },
    Parameter { name: "model", how: Read("a model of the project, by its role or id, or `agent/NAME`") },
    Parameter { name: "max_tokens", how: Read("the most tokens of the answer, thinking included") },
    Parameter { name: "system", how: Read("the instructions, as a text or as blocks of text") },
    Parameter { name: "stream", how: Read("whether the answer comes in events") },
    Parameter {
        name: "tools",
        how: Read(
            "tools that the client calls, with `strict` where the provider can; Anthropic's own are refused",
        ),
    },
    Parameter {
        name: "tool_choice",
        how: Read("whether one may, must or must not be called, and whether one at a time"),
    },
    Parameter {
        name: "thinking",
        how: Read("how much the model thinks: a budget is the nearest step that we have"),
    },
    Parameter { name: "output_config", how: Read("`effort` and `format`") },
    Parameter { name: "stop_sequences", how: Read("texts that end the answer") },
    Parameter { name: "temperature", how: Read("how freely words are chosen") },
    Parameter { name: "top_p", how: Read("how freely words are chosen, in the provider's words for it") },
    Parameter {
        name: "top_k",
        how: Read("how freely words are chosen, refused for providers that have no word for it"),
    },
    Parameter {
        name: "metadata",
        how: Read("`user_id`: who asks, as the record of the call says it; the provider is not told"),
    },
    Parameter {
        name: "cache_control",
        how: Read("taken over by the model's own `prompt_cache`, here and on blocks"),
    },
    Parameter {
        name: "service_tier",
        how: Only(&["\"auto\"", "\"standard_only\""], "the project's own settings decide it"),
    },
    Parameter { name: "speed", how: Only(&["\"standard\""], "the project's own settings decide it") },
    Parameter {
        name: "container",
        how: Refused(
            "containers are for tools that Anthropic runs; these are set in the model's `provider_tools`",
        ),
    },
    Parameter { name: "mcp_servers", how: Refused("servers of tools are the project's") },
    Parameter {
        name: "context_management",
        how: Refused("a model is sent what it is sent; an agent makes room by itself"),
    },
    Parameter { name: "inference_geo", how: Refused("where a model runs is set with the model") },
    Parameter { name: "diagnostics", how: Refused("the project's own records say what happened") },
    Parameter { name: "fallbacks", how: Refused("the project's own `fallback` of a model decides it") },
];
