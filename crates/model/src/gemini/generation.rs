//! What a model's name says of what it takes.
//!
//! Google's names say the generation: `gemini-2.5-pro`, `gemini-3-flash-preview`, `gemini-4-argon`. A name that says none
//! (an alias, a tuned model, one of the future) is taken for one of the newest.

use serde_json::{Value, json};

use crate::request::Effort;

/// The generations, by what changed in the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Generation {
    /// Up to Gemini 2.5, and Gemma: calls have no ids, results no media; there is no schema for the answer and no tool of
    /// Google's own beside functions.
    Second,
    /// From Gemini 3: all of that, and calls are signed (ai.google.dev/gemini-api/docs/thought-signatures).
    Third,
    /// From Gemini 3.6 Flash and 3.5 Flash-Lite: the temperature is ignored and about to be refused, and the last word must
    /// not be the model's (ai.google.dev/gemini-api/docs/generate-content/whats-new-gemini-3.6).
    Latest,
}

/// How a model is told how much to think (ai.google.dev/gemini-api/docs/thinking).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It does not think, and refuses to be told.
    None,
    /// By a number of tokens: the least, and the most. `on` says whether it thinks without being told.
    Budget { least: u32, most: u32, on: bool },
    /// By a word, `minimal` among them or not.
    Level { minimal: bool },
}

/// What a model's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) generation: Generation,
    pub(super) thinking: Thinking,
}

impl Traits {
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let has = |piece: &str| name.split('-').any(|word| word == piece);
        let flash_lite = has("flash") && has("lite");
        let (major, minor) = match version(&name) {
            Some(version) => version,
            None if name.starts_with("gemma") => (1, 0),
            None => (u32::MAX, 0),
        };
        let generation = match (major, minor) {
            (..=2, _) => Generation::Second,
            (3, 5) if flash_lite => Generation::Latest,
            (3, ..=5) => Generation::Third,
            _ => Generation::Latest,
        };
        let thinking = match (major, minor) {
            _ if has("image") || has("tts") => Thinking::None,
            (..=1, _) | (2, ..=4) => Thinking::None,
            (2, _) if has("pro") => Thinking::Budget { least: 128, most: 32_768, on: true },
            (2, _) => Thinking::Budget { least: 0, most: 24_576, on: !flash_lite },
            (3, ..=6) => Thinking::Level { minimal: has("flash") },
            _ => Thinking::Level { minimal: false },
        };
        Self { generation, thinking }
    }

    /// The `thinkingConfig` for an effort; none where the model does not think. What it thinks is asked for wherever it
    /// thinks: otherwise it shows nothing of it.
    pub(super) fn thinking_config(&self, effort: Option<Effort>) -> Option<Value> {
        match (self.thinking, effort) {
            (Thinking::None, _) | (Thinking::Budget { on: false, .. }, None) => None,
            (_, None) => Some(json!({"includeThoughts": true})),
            (Thinking::Budget { least, most, .. }, Some(effort)) => Some(match budget(effort, least, most) {
                0 => json!({"thinkingBudget": 0}),
                tokens => json!({"includeThoughts": true, "thinkingBudget": tokens}),
            }),
            (Thinking::Level { minimal }, Some(effort)) => {
                Some(json!({"includeThoughts": true, "thinkingLevel": level(effort, minimal)}))
            }
        }
    }
}

/// The major and the minor number that a name begins with, after `gemini-`.
fn version(name: &str) -> Option<(u32, u32)> {
    let word = name.strip_prefix("gemini-")?.split('-').next()?;
    let (major, minor) = word.split_once('.').unwrap_or((word, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn level(effort: Effort, minimal: bool) -> &'static str {
    match effort {
        Effort::Off | Effort::Minimal if minimal => "minimal",
        Effort::Off | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Max => "high",
    }
}

/// Tokens to think with. The steps between the least and the most are our own; Google names none.
fn budget(effort: Effort, least: u32, most: u32) -> u32 {
    match effort {
        Effort::Off => least,
        Effort::Minimal => 512,
        Effort::Low => 1_024,
        Effort::Medium => 8_192,
        Effort::High => 24_576,
        Effort::Max => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_model_takes() {
        use Generation::{Latest, Second, Third};
        let level = |minimal| Thinking::Level { minimal };
        let budget = |least, most, on| Thinking::Budget { least, most, on };
        let cases = [
            ("gemini-1.5-flash", Second, Thinking::None),
            ("gemini-2.0-flash-001", Second, Thinking::None),
            ("gemini-2.5-pro", Second, budget(128, 32_768, true)),
            ("gemini-2.5-flash", Second, budget(0, 24_576, true)),
            ("gemini-2.5-flash-preview-09-2025", Second, budget(0, 24_576, true)),
            ("gemini-2.5-flash-lite", Second, budget(0, 24_576, false)),
            ("gemini-2.5-flash-image", Second, Thinking::None),
            ("gemma-3-27b-it", Second, Thinking::None),
            ("gemini-3-flash-preview", Third, level(true)),
            ("gemini-3.1-pro-preview", Third, level(false)),
            ("gemini-3.1-flash-lite", Third, level(true)),
            ("gemini-3.5-flash", Third, level(true)),
            ("gemini-3.5-flash-lite", Latest, level(true)),
            ("gemini-3.6-flash", Latest, level(true)),
            ("gemini-3.8-flash", Latest, level(false)),
            ("gemini-4-argon", Latest, level(false)),
            ("publishers/google/models/Gemini-2.5-Pro", Second, budget(128, 32_768, true)),
            ("gemini-flash-latest", Latest, level(false)),
            ("gemini-99999999999-x", Latest, level(false)),
            ("tunedModels/mine", Latest, level(false)),
            ("", Latest, level(false)),
        ];
        for (model, generation, thinking) in cases {
            assert_eq!(Traits::of(model), Traits { generation, thinking }, "{model}");
        }
    }

    #[test]
    fn an_effort_has_its_place_on_the_scale_of_each_model() {
        use Effort::{High, Low, Max, Medium, Minimal, Off};
        let shown = |model: &str, effort| {
            let config = Traits::of(model).thinking_config(effort);
            let Some(config) = config else { return "nothing".to_owned() };
            let shows = if config["includeThoughts"] == true { "shown " } else { "" };
            let value = config.get("thinkingLevel").or(config.get("thinkingBudget"));
            format!("{shows}{}", value.map_or(String::new(), ToString::to_string))
        };
        let efforts = [None, Some(Off), Some(Minimal), Some(Low), Some(Medium), Some(High), Some(Max)];
        let cases = [
            ("gemini-2.0-flash", ["nothing"; 7]),
            (
                "gemini-2.5-pro",
                [
                    "shown ",
                    "shown 128",
                    "shown 512",
                    "shown 1024",
                    "shown 8192",
                    "shown 24576",
                    "shown 32768",
                ],
            ),
            (
                "gemini-2.5-flash-lite",
                ["nothing", "0", "shown 512", "shown 1024", "shown 8192", "shown 24576", "shown 24576"],
            ),
            (
                "gemini-3.6-flash",
                [
                    "shown ",
                    r#"shown "minimal""#,
                    r#"shown "minimal""#,
                    r#"shown "low""#,
                    r#"shown "medium""#,
                    r#"shown "high""#,
                    r#"shown "high""#,
                ],
            ),
            (
                "gemini-4-argon",
                [
                    "shown ",
                    r#"shown "low""#,
                    r#"shown "low""#,
                    r#"shown "low""#,
                    r#"shown "medium""#,
                    r#"shown "high""#,
                    r#"shown "high""#,
                ],
            ),
        ];
        for (model, expected) in cases {
            assert_eq!(efforts.map(|effort| shown(model, effort)), expected, "{model}");
        }
    }
}
