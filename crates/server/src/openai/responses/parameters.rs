//! The parameters of a response: those of `CreateResponse` in OpenAI's API description.

use crate::wire::How::{Only, Read, Refused};
use crate::wire::Parameter;

/// Each of them.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "input",
        how: Read(
            "what is said: a text, or items: messages with texts, images and files, calls, results, reasoning",
        ),
    },
    Parameter { name: "model", how: Read("a model of the project, by its role or id, or `agent/NAME`") },
    Parameter { name: "instructions", how: Read("what is said before everything else, this time only") },
    Parameter { name: "stream", how: Read("whether the answer comes in events") },
    Parameter {
        name: "stream_options",
        how: Only(&["{}", "{\"include_obfuscation\":false}"], "events are not padded"),
    },
    Parameter { name: "store", how: Read("whether the response is kept; it is, where nothing is said") },
    Parameter { name: "background", how: Read("whether it goes on without its client; only with `store`") },
    Parameter { name: "previous_response_id", how: Read("the response that this one follows") },
    Parameter { name: "conversation", how: Read("the conversation that this is a turn of") },
    Parameter {
        name: "include",
        how: Read("`reasoning.encrypted_content`; what else there is would be of tools that are not taken"),
    },
    Parameter {
        name: "tools",
        how: Read(
            "functions that the client calls, with `strict` where the provider can; other kinds are refused",
        ),
    },
    Parameter {
        name: "tool_choice",
        how: Read("whether one may, must or must not be called; lists of allowed ones are refused"),
    },
    Parameter {
        name: "parallel_tool_calls",
        how: Read("false: one call at a time, refused for providers that cannot be told"),
    },
    Parameter {
        name: "text",
        how: Read(
            "`format`: text, any JSON object, or JSON by a schema; `verbosity` only where it is `medium`",
        ),
    },
    Parameter {
        name: "reasoning",
        how: Read("`effort`: how much the model thinks; `summary` as the provider shows it"),
    },
    Parameter { name: "max_output_tokens", how: Read("the most tokens of the answer, reasoning included") },
    Parameter { name: "temperature", how: Read("how freely words are chosen") },
    Parameter { name: "top_p", how: Read("how freely words are chosen, in the provider's words for it") },
    Parameter {
        name: "metadata",
        how: Read("texts that are kept with the response; the provider is not told"),
    },
    Parameter {
        name: "user",
        how: Read("who asks, as the record of the call says it; the provider is not told"),
    },
    Parameter { name: "safety_identifier", how: Read("the same, by its newer name") },
    Parameter { name: "prompt_cache_key", how: Read("taken over by the model's own `prompt_cache`") },
    Parameter { name: "prompt_cache_retention", how: Read("taken over by the model's own `prompt_cache`") },
    Parameter { name: "prompt_cache_options", how: Read("taken over by the model's own `prompt_cache`") },
    Parameter {
        name: "truncation",
        how: Only(&["\"disabled\""], "nothing of a conversation is left out in silence"),
    },
    Parameter {
        name: "service_tier",
        how: Only(&["\"auto\"", "\"default\""], "the project's own settings decide it"),
    },
    Parameter { name: "top_logprobs", how: Only(&["0"], "answers carry no likelihoods") },
    Parameter {
        name: "max_tool_calls",
        how: Refused("it limits tools that the provider runs; these are set in the model's `provider_tools`"),
    },
    Parameter {
        name: "prompt",
        how: Refused("prompts that OpenAI keeps are not here; an agent has its own"),
    },
    Parameter { name: "moderation", how: Refused("the project's guardrails decide it") },
    Parameter {
        name: "context_management",
        how: Refused("an agent makes room by itself; a model is sent what it is sent"),
    },
    Parameter { name: "background_options", how: Refused("what goes on in the background begins at once") },
    Parameter { name: "access_programs", how: Refused("they are OpenAI's own") },
    Parameter { name: "image", how: Refused("models answer in text") },
];
