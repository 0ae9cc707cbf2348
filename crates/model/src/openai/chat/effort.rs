//! How much a model shall think, in the words of each server.

use adjutant_core::Result;
use serde_json::{Value, json};

use super::quirks::Efforts;
use crate::openai::generation::Generation;
use crate::request::Effort;

/// The fields that say how much a model shall think. A step that a server or a model lacks is the nearest that it has. Fails
/// with `model-unsupported` where the model is known not to think.
pub(super) fn fields(efforts: Efforts, model: &str, effort: Effort) -> Result<Vec<(&'static str, Value)>> {
    let word = |word: &str| vec![("reasoning_effort", Value::from(word))];
    Ok(match efforts {
        Efforts::OpenAi => {
            Generation::of(model).asked_effort(model, Some(effort))?.map(word).unwrap_or_default()
        }
        Efforts::Words => word(openai(effort)),
        Efforts::ToHigh => word(to_high(effort)),
        Efforts::DeepSeek => deepseek(effort),
        // GPT-OSS thinks in any case, and Qwen 3 before 3.8 knows no degrees (console.groq.com/docs/reasoning).
        Efforts::Groq if has_switch(model) => word(if effort == Effort::Off { "none" } else { "default" }),
        Efforts::Groq if model.contains("gpt-oss") => word(from_low(effort)),
        Efforts::Groq => word(to_high(effort)),
        Efforts::Mistral => word(mistral(model, effort)),
        Efforts::Together if effort == Effort::Off => vec![("reasoning", json!({"enabled": false}))],
        Efforts::Together => word(from_low(effort)),
        Efforts::Xai => word(xai(model, effort)),
    })
}

/// What keeps a model's reasoning apart from its answer, where that is not so anyway: Qwen's writes it into the answer at Groq.
pub(super) fn apart(efforts: Efforts, model: &str) -> Option<(&'static str, Value)> {
    (efforts == Efforts::Groq && model.contains("qwen")).then(|| ("reasoning_format", "parsed".into()))
}

/// Whether a model of xAI's reasons: all do by now but those that say so, and those before the fourth generation.
pub(super) fn always_reasons(model: &str) -> bool {
    let is_early = model.starts_with("grok-2") || (model.starts_with("grok-3") && !model.contains("mini"));
    !model.contains("non-reasoning") && !is_early
}

/// The words of OpenAI's models of 2026, which know all of them.
fn openai(effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    }
}

fn to_high(effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        other => from_low(other),
    }
}

fn from_low(effort: Effort) -> &'static str {
    match effort {
        Effort::Off | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Max => "high",
    }
}

/// `thinking` is the switch; of the degrees there are `low`, `high` and `max` (api-docs.deepseek.com, "Thinking Mode").
fn deepseek(effort: Effort) -> Vec<(&'static str, Value)> {
    let degree = match effort {
        Effort::Off => return vec![("thinking", json!({"type": "disabled"}))],
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium | Effort::High => "high",
        Effort::Max => "max",
    };
    vec![("thinking", json!({"type": "enabled"})), ("reasoning_effort", degree.into())]
}

/// Large models know degrees, the others a switch (docs.mistral.ai, "Adjustable reasoning").
fn mistral(model: &str, effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        _ if model.contains("large") => from_low(effort),
        Effort::Minimal => "none",
        _ => "high",
    }
}

/// Of those that can be told, Grok 4.3 knows `none`, and those from 4.6 on `xhigh` (docs.x.ai, the pages of the models).
fn xai(model: &str, effort: Effort) -> &'static str {
    match effort {
        Effort::Off if model.contains("4.3") => "none",
        Effort::Max if !model.contains("4.3") && !model.contains("4.5") => "xhigh",
        other => from_low(other),
    }
}

/// Whether a model of Groq's thinks or does not, without degrees.
fn has_switch(model: &str) -> bool {
    model.contains("qwen") && !model.contains("3.8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_words() {
        const ALL: [Effort; 6] =
            [Effort::Off, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Max];
        let cases = [
            (Efforts::Words, "m", "none minimal low medium high xhigh"),
            (Efforts::OpenAi, "my-deployment", "none minimal low medium high xhigh"),
            (Efforts::OpenAi, "gpt-5.6-sol", "none low low medium high max"),
            (Efforts::OpenAi, "gpt-5-mini", "minimal minimal low medium high high"),
            (Efforts::OpenAi, "o3", "low low low medium high high"),
            (Efforts::ToHigh, "m", "none low low medium high high"),
            (Efforts::DeepSeek, "m", "disabled low low high high max"),
            (Efforts::Groq, "openai/gpt-oss-120b", "low low low medium high high"),
            (Efforts::Groq, "qwen/qwen3-32b", "none default default default default default"),
            (Efforts::Groq, "qwen/qwen3.8-27b", "none low low medium high high"),
            (Efforts::Mistral, "mistral-large-4", "none low low medium high high"),
            (Efforts::Mistral, "mistral-medium-3-5", "none none high high high high"),
            (Efforts::Together, "m", "false low low medium high high"),
            (Efforts::Xai, "grok-4.6", "low low low medium high xhigh"),
            (Efforts::Xai, "grok-4.5", "low low low medium high high"),
            (Efforts::Xai, "grok-4.3", "none low low medium high high"),
        ];
        for (efforts, model, expected) in cases {
            let said = ALL.map(|effort| {
                let fields = fields(efforts, model, effort).unwrap();
                let (_, value) = fields.last().unwrap();
                let inner = value.get("type").or_else(|| value.get("enabled")).unwrap_or(value);
                inner.as_str().map_or_else(|| inner.to_string(), str::to_owned)
            });
            assert_eq!(said.join(" "), expected, "{efforts:?} {model}");
        }
    }
}
