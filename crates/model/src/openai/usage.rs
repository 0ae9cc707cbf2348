//! The tokens that a server counted.

use adjutant_core::usage::Usage;
use serde_json::Value;

/// Reads the `usage` of an answer; none where the server does not count.
pub(super) fn read(usage: &Value) -> Option<Usage> {
    let number = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let (input, output) = (number("/prompt_tokens"), number("/completion_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        cached: number("/prompt_tokens_details/cached_tokens")
            .or_else(|| number("/prompt_cache_hit_tokens"))
            .unwrap_or(0),
        cache_write: number("/prompt_tokens_details/cache_write_tokens").unwrap_or(0),
        reasoning: number("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
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
        ];
        for (value, expected) in cases {
            assert_eq!(read(&value), expected, "{value}");
        }
    }
}
