//! The tokens that a server counted.
//!
//! The fields are those of `CompletionUsage` in OpenAI's API description, as its official clients carry it. There,
//! `completion_tokens` includes the reasoning and `total_tokens` is the sum of both sides. xAI counts reasoning to the
//! total only (docs.x.ai, "Consumption and Rate Limits", as Vercel's AI SDK quotes it), so the total decides.

use adjutant_core::usage::Usage;
use serde_json::Value;

/// Where the tokens are counted that a cache served: OpenAI's place, DeepSeek's, and two that the AI SDK knows of Mistral.
const CACHED: [&str; 4] = [
    "/prompt_tokens_details/cached_tokens",
    "/prompt_cache_hit_tokens",
    "/num_cached_tokens",
    "/prompt_token_details/cached_tokens",
];

/// Reads the `usage` of an answer; none where the server does not count.
pub(super) fn read(usage: &Value) -> Option<Usage> {
    let number = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let (input, output) = (number("/prompt_tokens"), number("/completion_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let reasoning = number("/completion_tokens_details/reasoning_tokens").unwrap_or(0);
    let counted = input.saturating_add(output);
    // Nothing but reasoning is left out: a total that is off by another number says nothing that can be trusted.
    let left_out = number("/total_tokens").and_then(|total| total.checked_sub(counted)) == Some(reasoning);
    Some(Usage {
        input,
        output: if left_out { output.saturating_add(reasoning) } else { output },
        cached: CACHED.iter().find_map(|path| number(path)).unwrap_or(0),
        cache_write: number("/prompt_tokens_details/cache_write_tokens").unwrap_or(0),
        reasoning,
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_are_read_where_there_are_any() {
        let usage = |input, output, cached, reasoning| {
            Some(Usage { input, output, cached, reasoning, ..Usage::default() })
        };
        let cases = [
            (json!(null), None),
            (json!({}), None),
            (json!({"prompt_tokens": -1}), None),
            (json!({"prompt_tokens": 5}), usage(5, 0, 0, 0)),
            (
                json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "prompt_tokens_details": {"cached_tokens": 4},
                    "completion_tokens_details": {"reasoning_tokens": 2}}),
                usage(5, 3, 4, 2),
            ),
            (
                json!({"prompt_tokens": 5, "completion_tokens": 3, "prompt_cache_hit_tokens": 1}),
                usage(5, 3, 1, 0),
            ),
            (
                json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8,
                    "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 4, "audio_tokens": 0}}),
                Some(Usage {
                    input: 5,
                    output: 3,
                    cached: 1,
                    cache_write: 4,
                    reasoning: 0,
                    ..Usage::default()
                }),
            ),
            (json!({"prompt_tokens": 5, "completion_tokens": 3, "num_cached_tokens": 2}), usage(5, 3, 2, 0)),
            (
                json!({"prompt_tokens": 5, "completion_tokens": 3, "prompt_token_details": {"cached_tokens": 2}}),
                usage(5, 3, 2, 0),
            ),
            // The reasoning stands beside the output.
            (
                json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 15,
                    "completion_tokens_details": {"reasoning_tokens": 7}}),
                usage(5, 10, 0, 7),
            ),
            // A total that nothing explains changes nothing.
            (
                json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 99,
                    "completion_tokens_details": {"reasoning_tokens": 2}}),
                usage(5, 3, 0, 2),
            ),
            (
                json!({"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX, "total_tokens": 1}),
                usage(u64::MAX, u64::MAX, 0, 0),
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(read(&value), expected, "{value}");
        }
    }
}
