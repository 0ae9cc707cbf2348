//! The parameters of a chat completion: those of `CreateChatCompletionRequest` in OpenAI's API description.

use crate::wire::How::{Only, Read, Refused};
use crate::wire::Parameter;

/// Each of them.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "messages",
        how: Read("the conversation: texts, images, sounds, files, calls and their results, reasoning"),
    },
    Parameter { name: "model", how: Read("a model of the project, by its role or id, or `agent/NAME`") },
    Parameter { name: "stream", how: Read("whether the answer comes in chunks") },
    Parameter {
        name: "stream_options",
        how: Read("`include_usage`; `include_obfuscation` only where it is false"),
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
    Parameter { name: "response_format", how: Read("text, any JSON object, or JSON by a schema") },
    Parameter {
        name: "max_completion_tokens",
        how: Read("the most tokens of the answer, reasoning included"),
    },
    Parameter { name: "max_tokens", how: Read("the same, by its older name") },
    Parameter {
        name: "reasoning_effort",
        how: Read("how much the model thinks; a step that it lacks is the nearest that it has"),
    },
    Parameter { name: "temperature", how: Read("how freely words are chosen") },
    Parameter { name: "top_p", how: Read("how freely words are chosen, in the provider's words for it") },
    Parameter { name: "seed", how: Read("the seed, refused for providers that know none") },
    Parameter { name: "presence_penalty", how: Read("the penalty, refused for providers that know none") },
    Parameter { name: "frequency_penalty", how: Read("the penalty, refused for providers that know none") },
    Parameter { name: "stop", how: Read("one to four texts that end the answer") },
    Parameter {
        name: "user",
        how: Read("who asks, as the record of the call says it; the provider is not told"),
    },
    Parameter { name: "safety_identifier", how: Read("the same, by its newer name") },
    Parameter {
        name: "metadata",
        how: Read("texts by which the record of the call is found; the provider is not told"),
    },
    Parameter { name: "prompt_cache_key", how: Read("taken over by the model's own `prompt_cache`") },
    Parameter { name: "prompt_cache_retention", how: Read("taken over by the model's own `prompt_cache`") },
    Parameter { name: "prompt_cache_options", how: Read("taken over by the model's own `prompt_cache`") },
    Parameter { name: "n", how: Only(&["1"], "there is one answer to a request") },
    Parameter { name: "store", how: Only(&["false"], "chat completions are not kept; Responses are") },
    Parameter {
        name: "service_tier",
        how: Only(&["\"auto\"", "\"default\""], "the project's own settings decide it"),
    },
    Parameter { name: "modalities", how: Only(&["[\"text\"]"], "models answer in text") },
    Parameter {
        name: "verbosity",
        how: Only(&["\"medium\""], "say in the instructions how long the answer shall be"),
    },
    Parameter { name: "logprobs", how: Only(&["false"], "answers carry no likelihoods") },
    Parameter { name: "top_logprobs", how: Only(&["0"], "answers carry no likelihoods") },
    Parameter { name: "logit_bias", how: Only(&["{}"], "tokens have other numbers at each model") },
    Parameter { name: "audio", how: Refused("models answer in text") },
    Parameter { name: "prediction", how: Refused("answers are not predicted") },
    Parameter {
        name: "web_search_options",
        how: Refused("a model's own tools are set in its `provider_tools`"),
    },
    Parameter { name: "moderation", how: Refused("the project's guardrails decide it") },
    Parameter { name: "functions", how: Refused("it was replaced by `tools`") },
    Parameter { name: "function_call", how: Refused("it was replaced by `tool_choice`") },
];
