//! The tokens that Google counted.
//!
//! The fields are those of `GenerateContentResponseUsageMetadata` in Google's client for Python: the prompt includes what
//! was cached, what hosted tools fed back stands beside the prompt, and thoughts stand beside the answer.

use adjutant_core::usage::Usage;
use serde_json::Value;

/// What was counted so far. Every chunk says all that is known by then; early ones leave fields out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    prompt: Option<u64>,
    hosted: Option<u64>,
    cached: Option<u64>,
    answer: Option<u64>,
    thoughts: Option<u64>,
}

impl Counts {
    /// Takes what a chunk says. What it leaves out stays.
    pub(super) fn take(&mut self, metadata: &Value) {
        let number = |name: &str| metadata.get(name).and_then(Value::as_u64);
        self.prompt = number("promptTokenCount").or(self.prompt);
        self.hosted = number("toolUsePromptTokenCount").or(self.hosted);
        self.cached = number("cachedContentTokenCount").or(self.cached);
        self.answer = number("candidatesTokenCount").or(self.answer);
        self.thoughts = number("thoughtsTokenCount").or(self.thoughts);
    }

    /// The same in our terms; none where nothing was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        if *self == Self::default() {
            return None;
        }
        let sum = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).saturating_add(b.unwrap_or(0));
        Some(Usage {
            input: sum(self.prompt, self.hosted),
            output: sum(self.answer, self.thoughts),
            cached: self.cached.unwrap_or(0),
            cache_write: 0,
            reasoning: self.thoughts.unwrap_or(0),
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_become_ours() {
        let usage = |input, output, cached, reasoning| {
            Some(Usage { input, output, cached, reasoning, cache_write: 0, ..Usage::default() })
        };
        let cases = [
            (vec![], None),
            (vec![json!(null)], None),
            (vec![json!({"promptTokenCount": -1})], None),
            (vec![json!({"promptTokenCount": 5})], usage(5, 0, 0, 0)),
            (
                vec![
                    json!({"promptTokenCount": 11, "candidatesTokenCount": 2, "thoughtsTokenCount": 49, "cachedContentTokenCount": 8,
                    "toolUsePromptTokenCount": 4, "totalTokenCount": 66}),
                ],
                usage(15, 51, 8, 49),
            ),
            (
                vec![
                    json!({"promptTokenCount": 11, "thoughtsTokenCount": 49}),
                    json!({"promptTokenCount": 11, "candidatesTokenCount": 2}),
                ],
                usage(11, 51, 0, 49),
            ),
            (
                vec![json!({"candidatesTokenCount": u64::MAX, "thoughtsTokenCount": 1})],
                usage(0, u64::MAX, 0, 1),
            ),
        ];
        for (chunks, expected) in cases {
            let mut counts = Counts::default();
            chunks.iter().for_each(|chunk| counts.take(chunk));
            assert_eq!(counts.usage(), expected, "{chunks:?}");
        }
    }
}
