//! The tokens that were counted: `TokenUsage` in the service description.

use adjutant_core::usage::Usage;
use serde_json::Value;

/// Reads the `usage` of an answer; none where there is no count.
///
/// The tokens of the cache stand beside the input, and reasoning is part of the output without a number of its own.
pub(super) fn read(usage: &Value) -> Option<Usage> {
    let number = |key: &str| usage.get(key).and_then(Value::as_u64);
    let (input, output) = (number("inputTokens"), number("outputTokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    // The longer names are those of 2024.
    let either = |key: &str, old: &str| number(key).or_else(|| number(old)).unwrap_or(0);
    let cached = either("cacheReadInputTokens", "cacheReadInputTokenCount");
    let cache_write = either("cacheWriteInputTokens", "cacheWriteInputTokenCount");
    let details = usage.get("cacheDetails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kept_long = details.iter().filter(|detail| detail.get("ttl").is_some_and(|ttl| ttl == "1h"));
    let kept_long = kept_long.filter_map(|detail| detail.get("inputTokens").and_then(Value::as_u64));
    Some(Usage {
        cache_write_long: kept_long.fold(0, u64::saturating_add).min(cache_write),
        input: input.unwrap_or(0).saturating_add(cached).saturating_add(cache_write),
        output: output.unwrap_or(0),
        cached,
        cache_write,
        reasoning: 0,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_input_holds_what_was_cached() {
        let usage = |input, output, cached, cache_write| {
            Some(Usage { input, output, cached, cache_write, reasoning: 0, ..Usage::default() })
        };
        let cases = [
            (json!(null), None),
            (json!({"totalTokens": 5}), None),
            (
                json!({"inputTokens": 1, "cacheWriteInputTokens": 90, "cacheDetails": [
                    {"ttl": "5m", "inputTokens": 30}, {"ttl": "1h", "inputTokens": 60}]}),
                Some(Usage { input: 91, cache_write: 90, cache_write_long: 60, ..Usage::default() }),
            ),
            (json!({"inputTokens": 5, "outputTokens": 3, "totalTokens": 8}), usage(5, 3, 0, 0)),
            (
                json!({"inputTokens": 5, "outputTokens": 3, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}),
                usage(125, 3, 100, 20),
            ),
            (
                json!({"inputTokens": 5, "outputTokens": 3, "cacheReadInputTokenCount": 100}),
                usage(105, 3, 100, 0),
            ),
            (
                json!({"inputTokens": u64::MAX, "cacheReadInputTokens": u64::MAX}),
                usage(u64::MAX, 0, u64::MAX, 0),
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(read(&value), expected, "{value}");
        }
    }
}
