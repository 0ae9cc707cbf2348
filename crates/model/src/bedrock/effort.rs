//! How much a model shall think, in the words of its maker.

use serde_json::{Map, Value, json};

use super::traits::{EffortField, Traits};
use crate::anthropic::thinking;
use crate::request::{Effort, Request};

/// What a body says of thinking.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Of `additionalModelRequestFields`.
    pub(super) additional: Map<String, Value>,
    /// The field `effort` of `outputConfig`.
    pub(super) effort: Option<&'static str>,
    /// Whether a Claude thinks, which forbids it other things.
    pub(super) claude_thinks: bool,
}

impl Plan {
    /// What is said for a wish. A step that the model lacks is the nearest one that it has.
    pub(super) fn of(traits: &Traits, wish: Option<Effort>, request: &Request) -> Self {
        let additional = |field: &str, value: Value| Self {
            additional: Map::from_iter([(field.to_owned(), value)]),
            ..Self::default()
        };
        match (traits.effort, wish) {
            (EffortField::Claude, wish) => claude(traits, wish, request),
            (_, None) | (EffortField::Nowhere, _) => Self::default(),
            (EffortField::Output | EffortField::Nova, Some(Effort::Off)) => Self::default(),
            (EffortField::Output, Some(wish)) => Self { effort: Some(up_to_max(wish)), ..Self::default() },
            (EffortField::Nova, Some(wish)) => {
                let effort = nova(wish, request);
                additional("reasoningConfig", json!({"type": "enabled", "maxReasoningEffort": effort}))
            }
            (EffortField::Word, Some(wish)) => additional("reasoning_effort", up_to_high(wish).into()),
            (EffortField::OpenAi, Some(wish)) => additional("reasoning", json!({"effort": openai(wish)})),
        }
    }
}

fn claude(traits: &Traits, wish: Option<Effort>, request: &Request) -> Plan {
    let Some(generation) = &traits.claude else { return Plan::default() };
    let most = request.max_output_tokens.unwrap_or(generation.most_output);
    let plan = thinking::Plan::of(generation, wish, most);
    Plan {
        claude_thinks: plan.thinks(),
        effort: plan.effort,
        additional: plan.thinking.map(|thinking| ("thinking".to_owned(), thinking)).into_iter().collect(),
    }
}

/// At its most, Nova wants neither a limit nor a temperature, so with one of them it thinks a step less.
fn nova(wish: Effort, request: &Request) -> &'static str {
    let is_bound = request.max_output_tokens.is_some() || request.temperature.is_some();
    match up_to_high(wish) {
        "high" if is_bound => "medium",
        word => word,
    }
}

fn up_to_high(wish: Effort) -> &'static str {
    match wish {
        Effort::Off | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Max => "high",
    }
}

fn up_to_max(wish: Effort) -> &'static str {
    if wish == Effort::Max { "max" } else { up_to_high(wish) }
}

fn openai(wish: Effort) -> &'static str {
    match wish {
        Effort::Off => "none",
        Effort::Minimal => "minimal",
        Effort::Max => "xhigh",
        other => up_to_high(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_said_in_the_words_of_the_maker() {
        use Effort::{High, Low, Max, Medium, Minimal, Off};
        let bound = Request { max_output_tokens: Some(8_000), ..Request::default() };
        let free = Request::default;
        let nova =
            |effort: &str| json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}});
        let nothing = || json!({});
        let enabled = |tokens: u32| json!({"thinking": {"type": "enabled", "budget_tokens": tokens}});
        let cases = [
            ("amazon.nova-2-lite-v1:0", Some(Max), free(), nova("high"), None),
            ("amazon.nova-2-lite-v1:0", Some(Max), bound.clone(), nova("medium"), None),
            ("amazon.nova-2-lite-v1:0", Some(Off), free(), nothing(), None),
            ("amazon.nova-lite-v1:0", Some(High), free(), nothing(), None),
            ("openai.gpt-oss-20b-1:0", Some(Off), free(), json!({"reasoning_effort": "low"}), None),
            ("openai.gpt-6-sol", Some(Max), free(), json!({"reasoning": {"effort": "xhigh"}}), None),
            ("openai.gpt-6-sol", None, free(), nothing(), None),
            ("deepseek.r1-v1:0", Some(High), free(), nothing(), None),
            ("somebody.new", Some(Minimal), free(), nothing(), Some("low")),
            ("somebody.new", Some(Off), free(), nothing(), None),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                Some(Medium),
                bound.clone(),
                enabled(4_000),
                None,
            ),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some(Low), free(), enabled(4_096), None),
            ("anthropic.claude-3-5-sonnet-20241022-v2:0", Some(Low), free(), nothing(), None),
        ];
        for (model, wish, request, additional, effort) in cases {
            let plan = Plan::of(&Traits::of(model), wish, &request);
            assert_eq!(
                (Value::Object(plan.additional), plan.effort),
                (additional, effort),
                "{model} {wish:?}"
            );
        }
    }

    #[test]
    fn a_claude_of_today_is_told_by_its_effort() {
        let plan =
            Plan::of(&Traits::of("us.anthropic.claude-opus-4-6-v1"), Some(Effort::Max), &Request::default());
        assert_eq!(plan.additional["thinking"]["type"], "adaptive");
        assert_eq!((plan.effort, plan.claude_thinks), (Some("max"), true));
        let plan = Plan::of(&Traits::of("us.anthropic.claude-opus-4-6-v1"), None, &Request::default());
        assert_eq!(plan, Plan::default());
    }
}
