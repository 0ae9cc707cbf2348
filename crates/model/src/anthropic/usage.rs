//! The tokens that the provider counted.
//!
//! `input_tokens` is only what was neither read from the cache nor written to it; `output_tokens` includes the thinking.

use adjutant_core::usage::Usage;
use serde_json::{Map, Value};

/// The counts so far. Those of a later event replace the same ones of an earlier event; the others stay.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    fields: Map<String, Value>,
}

impl Counts {
    /// Takes the `usage` of an event.
    pub(super) fn take(&mut self, usage: &Value) {
        let told = usage.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        self.fields.extend(told.map(|(name, value)| (name.clone(), value.clone())));
    }

    /// The tokens; none where nobody counts them.
    pub(super) fn usage(&self) -> Option<Usage> {
        let number = |name: &str| self.fields.get(name).and_then(Value::as_u64);
        let (input, output) = (number("input_tokens"), number("output_tokens"));
        if input.is_none() && output.is_none() {
            return None;
        }
        let cached = number("cache_read_input_tokens").unwrap_or(0);
        let cache_write = number("cache_creation_input_tokens").unwrap_or(0);
        let kept = self.fields.get("cache_creation");
        let kept_long = kept.and_then(|kept| kept.get("ephemeral_1h_input_tokens")).and_then(Value::as_u64);
        let details = self.fields.get("output_tokens_details");
        let thought = details.and_then(|details| details.get("thinking_tokens")).and_then(Value::as_u64);
        Some(Usage {
            input: input.unwrap_or(0).saturating_add(cached).saturating_add(cache_write),
            output: output.unwrap_or(0),
            cached,
            cache_write,
            cache_write_long: kept_long.unwrap_or(0).min(cache_write),
            reasoning: thought.unwrap_or(0),
        })
    }

    /// What was used beside tokens, such as searches, which cost extra.
    pub(super) fn tools(&self) -> Option<&Value> {
        self.fields.get("server_tool_use")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_added_up_and_replaced() {
        let cases = [
            (vec![json!(null)], None),
            (vec![json!({"input_tokens": -1})], None),
            (
                vec![json!({"input_tokens": 1, "cache_creation_input_tokens": 90, "cache_creation": {
                    "ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 60}})],
                Some(Usage { input: 91, cache_write: 90, cache_write_long: 60, ..Usage::default() }),
            ),
            (
                vec![json!({"input_tokens": 25, "output_tokens": 1}), json!({"output_tokens": 15})],
                Some(Usage { input: 25, output: 15, ..Usage::default() }),
            ),
            (
                vec![
                    json!({"input_tokens": 10, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 90,
                        "output_tokens": 1}),
                    json!({"input_tokens": 20, "cache_read_input_tokens": null, "output_tokens": 60,
                        "output_tokens_details": {"thinking_tokens": 40}}),
                ],
                Some(Usage {
                    input: 1_010,
                    output: 60,
                    cached: 900,
                    cache_write: 90,
                    reasoning: 40,
                    ..Usage::default()
                }),
            ),
            (
                vec![json!({"input_tokens": u64::MAX, "cache_read_input_tokens": 5, "output_tokens": 1})],
                Some(Usage { input: u64::MAX, output: 1, cached: 5, ..Usage::default() }),
            ),
        ];
        for (events, expected) in cases {
            let mut counts = Counts::default();
            events.iter().for_each(|usage| counts.take(usage));
            assert_eq!(counts.usage(), expected, "{events:?}");
        }
    }
}
