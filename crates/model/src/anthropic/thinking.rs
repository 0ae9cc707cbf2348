//! How much a model shall think, in the words of its generation.

use serde_json::{Value, json};

use super::generation::{Efforts, Generation, Rest, Thinking};
use super::kind_of;
use crate::request::Effort;

/// The fewest tokens of a budget that the interface takes.
const SMALLEST_BUDGET: u32 = 1_024;

/// What a body says of thinking.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// The field `thinking`.
    pub(crate) thinking: Option<Value>,
    /// The field `effort` of `output_config`.
    pub(crate) effort: Option<&'static str>,
}

impl Plan {
    /// What is said for a wish; `most` is the most tokens of the answer, which thinking is part of. A step that the model
    /// lacks is the nearest one that it has.
    pub(crate) fn of(generation: &Generation, effort: Option<Effort>, most: u32) -> Self {
        match (generation.thinking, effort) {
            (Thinking::None, _) => Self::default(),
            (_, None | Some(Effort::Off)) if !generation.thinks_unasked => Self::default(),
            (_, None) => Self { thinking: Some(adaptive()), effort: None },
            (_, Some(Effort::Off)) => rest(generation),
            (Thinking::Budget, Some(wish)) => Self {
                thinking: budget(wish, most)
                    .map(|tokens| json!({"type": "enabled", "budget_tokens": tokens})),
                effort: word(generation.efforts, wish),
            },
            (Thinking::Adaptive, Some(wish)) => {
                Self { thinking: Some(adaptive()), effort: word(generation.efforts, wish) }
            }
        }
    }

    /// Whether the model thinks.
    pub(crate) fn thinks(&self) -> bool {
        self.thinking.as_ref().is_some_and(|thinking| kind_of(thinking) != "disabled")
    }
}

/// Newer models hide what they think unless they are asked to show a summary of it; it costs the same.
fn adaptive() -> Value {
    json!({"type": "adaptive", "display": "summarized"})
}

fn rest(generation: &Generation) -> Plan {
    match generation.rest {
        Rest::Never => Plan { thinking: Some(adaptive()), effort: word(generation.efforts, Effort::Low) },
        Rest::Disabled => Plan { thinking: Some(json!({"type": "disabled"})), effort: None },
        Rest::BetweenTools => Plan { thinking: Some(json!({"type": "between_tools"})), effort: None },
    }
}

fn word(efforts: Efforts, wish: Effort) -> Option<&'static str> {
    Some(match (efforts, wish) {
        (Efforts::None, _) => return None,
        (_, Effort::Off | Effort::Minimal | Effort::Low) => "low",
        (_, Effort::Medium) => "medium",
        (Efforts::ToMax, Effort::Max) => "max",
        (_, Effort::High | Effort::Max) => "high",
    })
}

/// A budget that leaves half of the tokens to the answer; none where that is too few to think with.
fn budget(wish: Effort, most: u32) -> Option<u32> {
    let wanted = match wish {
        Effort::Off => return None,
        Effort::Minimal => SMALLEST_BUDGET,
        Effort::Low => 4_096,
        Effort::Medium => 8_192,
        Effort::High => 16_384,
        Effort::Max => 32_768,
    };
    Some(wanted.min(most / 2)).filter(|tokens| *tokens >= SMALLEST_BUDGET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_said_in_the_words_of_the_generation() {
        let adaptive = || Some(adaptive());
        let enabled = |tokens: u32| Some(json!({"type": "enabled", "budget_tokens": tokens}));
        let kind = |kind: &str| Some(json!({"type": kind}));
        let cases = [
            ("claude-3-5-sonnet-latest", Some(Effort::High), 8_000, None, None),
            ("claude-sonnet-4-5", None, 8_000, None, None),
            ("claude-sonnet-4-5", Some(Effort::Off), 8_000, None, None),
            ("claude-sonnet-4-5", Some(Effort::Minimal), 8_000, enabled(1_024), None),
            ("claude-sonnet-4-5", Some(Effort::Max), 64_000, enabled(32_000), None),
            ("claude-sonnet-4-5", Some(Effort::High), 2_047, None, None),
            ("claude-opus-4-5", Some(Effort::Max), 64_000, enabled(32_000), Some("high")),
            ("claude-opus-4-6", None, 8_000, None, None),
            ("claude-opus-4-6", Some(Effort::Max), 8_000, adaptive(), Some("max")),
            ("claude-opus-4-8", Some(Effort::Off), 8_000, None, None),
            ("claude-opus-5", None, 8_000, adaptive(), None),
            ("claude-opus-5", Some(Effort::Off), 8_000, kind("disabled"), None),
            ("claude-sonnet-5-5", Some(Effort::Off), 8_000, kind("between_tools"), None),
            ("claude-opus-5-5", Some(Effort::Off), 8_000, adaptive(), Some("low")),
            ("claude-opus-5-5", Some(Effort::Medium), 8_000, adaptive(), Some("medium")),
            ("claude-fable-9", Some(Effort::Minimal), 8_000, adaptive(), Some("low")),
        ];
        for (model, wish, most, thinking, effort) in cases {
            let plan = Plan::of(&Generation::of(model), wish, most);
            assert_eq!(plan, Plan { thinking, effort }, "{model} {wish:?}");
        }
    }

    #[test]
    fn only_who_is_told_to_rest_rests() {
        let thinks = |model, wish| Plan::of(&Generation::of(model), wish, 8_000).thinks();
        assert!(thinks("claude-opus-5", None) && thinks("claude-sonnet-5-5", Some(Effort::Off)));
        assert!(!thinks("claude-opus-5", Some(Effort::Off)) && !thinks("claude-opus-4-8", None));
    }
}
