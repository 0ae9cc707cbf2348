//! In what the generations of OpenAI's models differ.
//!
//! Efforts are those of the models' pages (developers.openai.com/api/docs/models) and of LiteLLM's table of models,
//! both of autumn 2026; that sampling goes with no reasoning only, those of OpenAI's guides of GPT-5.1 to GPT-6.

use adjutant_core::{Code, Error, Result};
use serde_json::Value;

use super::parameters::decimal;
use crate::request::Effort;

/// What the models of one generation take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    /// The words for how much it reasons, the weakest first; none for a model that does not.
    efforts: &'static [Step],
    /// When it takes a temperature.
    pub(super) sampling: Sampling,
    /// Whether it can be told to call one tool at a time.
    pub(super) parallel_switch: bool,
    /// Whether it is one of OpenAI's own.
    pub(super) known: bool,
    /// Whether it can be told how to cache, which is when writing to the cache costs.
    pub(super) cache_options: bool,
}

/// When a model takes a temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// Always.
    Always,
    /// While it does not reason; `by_default`, where it does so without being told.
    Unreasoned { by_default: bool },
    /// Never.
    Never,
}

/// A word for an effort, and its place on the scale of them all.
type Step = (&'static str, u8);

const NONE: Step = ("none", 0);
const MINIMAL: Step = ("minimal", 1);
const LOW: Step = ("low", 2);
const MEDIUM: Step = ("medium", 3);
const HIGH: Step = ("high", 4);
const XHIGH: Step = ("xhigh", 5);
const MAX: Step = ("max", 6);

impl Generation {
    /// The newest: it always reasons, and takes no temperature.
    const NEWEST: Self = Self {
        efforts: &[LOW, MEDIUM, HIGH, XHIGH, MAX],
        sampling: Sampling::Never,
        parallel_switch: true,
        known: true,
        cache_options: true,
    };

    /// GPT-5.6 and those of GPT-6 that need not reason.
    const OPTIONAL: Self = Self {
        efforts: &[NONE, LOW, MEDIUM, HIGH, XHIGH, MAX],
        sampling: Sampling::Unreasoned { by_default: false },
        ..Self::NEWEST
    };

    /// GPT-5 of autumn 2025, the oldest that reasons by this scale.
    const FIRST: Self = Self { efforts: &[MINIMAL, LOW, MEDIUM, HIGH], cache_options: false, ..Self::NEWEST };

    /// The models that do not reason: GPT-4 and the chat models of GPT-5.
    const PLAIN: Self = Self { efforts: &[], sampling: Sampling::Always, ..Self::FIRST };

    /// The o-series.
    const O: Self = Self { efforts: &[LOW, MEDIUM, HIGH], parallel_switch: false, ..Self::FIRST };

    /// A model that is not one of OpenAI's by its name, such as a deployment at Azure: nothing is held back from it.
    const FOREIGN: Self = Self {
        efforts: &[NONE, MINIMAL, LOW, MEDIUM, HIGH, XHIGH],
        sampling: Sampling::Always,
        parallel_switch: true,
        known: false,
        cache_options: false,
    };

    /// What is known of a model by its name. One of OpenAI's that is not known is taken for one of the newest.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let name = name.strip_prefix("ft:").unwrap_or(&name);
        let name = name.strip_prefix("chat").unwrap_or(name);
        let is_o = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if is_o {
            return Self::O;
        }
        match name.strip_prefix("gpt-").and_then(version) {
            Some((version, variant)) => Self::of_gpt(version, variant),
            None => Self::FOREIGN,
        }
    }

    fn of_gpt(version: (u32, u32), variant: &str) -> Self {
        let is = |word: &str| variant.split('-').any(|part| part == word);
        let unreasoned = |efforts: &'static [Step], by_default: bool| Self {
            efforts,
            sampling: Sampling::Unreasoned { by_default },
            ..Self::FIRST
        };
        match version {
            (0..=4, _) => Self::PLAIN,
            (5, _) if is("chat") => Self::PLAIN,
            (5, 0) if is("pro") => Self { efforts: &[HIGH], ..Self::FIRST },
            (5, 0) => Self::FIRST,
            (5, 1..=5) if is("pro") => Self { efforts: &[MEDIUM, HIGH, XHIGH], ..Self::FIRST },
            (5, 1) => unreasoned(&[NONE, LOW, MEDIUM, HIGH], true),
            (5, 2..=4) => unreasoned(&[NONE, LOW, MEDIUM, HIGH, XHIGH], true),
            (5, 5) => unreasoned(&[NONE, LOW, MEDIUM, HIGH, XHIGH], false),
            (5, 6) if !is("pro") => Self::OPTIONAL,
            (6, 0) if is("sol") || is("luna") => Self::OPTIONAL,
            (6, 1) if is("terra") => Self::OPTIONAL,
            _ => Self::NEWEST,
        }
    }

    /// Whether it reasons.
    pub(super) fn reasons(&self) -> bool {
        !self.efforts.is_empty()
    }

    /// The word for an effort that is asked for; none where nothing need be said. Fails with `model-unsupported` where the
    /// model does not reason.
    pub(super) fn asked_effort(&self, model: &str, effort: Option<Effort>) -> Result<Option<&'static str>> {
        match effort {
            None => Ok(None),
            Some(Effort::Off) if !self.reasons() => Ok(None),
            Some(effort) => self.effort(effort).map(Some).ok_or_else(|| {
                Error::new(Code::ModelUnsupported, format!("the model `{model}` does not reason"))
                    .with_help("take its `effort` out, or use a model that reasons")
            }),
        }
    }

    /// The temperature that is asked for; none where nothing need be said. Fails with `model-unsupported` where the model
    /// takes none while it reasons so much.
    pub(super) fn asked_temperature(
        &self,
        model: &str,
        temperature: Option<f32>,
        effort: Option<Effort>,
    ) -> Result<Option<Value>> {
        let Some(temperature) = temperature else { return Ok(None) };
        if self.takes_temperature(effort) {
            return Ok(Some(decimal(temperature)));
        }
        // What holds anyway need not be said.
        if (temperature - 1.0).abs() < f32::EPSILON {
            return Ok(None);
        }
        let (when, help) = match self.takes_temperature(Some(Effort::Off)) {
            true => (" while it reasons", "take `temperature` out, or set the model's `effort = \"off\"`"),
            false => ("", "take `temperature` out"),
        };
        let message = format!("the model `{model}` takes no temperature{when}");
        Err(Error::new(Code::ModelUnsupported, message).with_help(help))
    }

    /// Its word for an effort: the nearest that it has, the stronger of two. None where it does not reason.
    fn effort(&self, effort: Effort) -> Option<&'static str> {
        let (_, wanted) = match effort {
            Effort::Off => NONE,
            Effort::Minimal => MINIMAL,
            Effort::Low => LOW,
            Effort::Medium => MEDIUM,
            Effort::High => HIGH,
            Effort::Max => MAX,
        };
        let nearest = self.efforts.iter().rev().min_by_key(|(_, place)| place.abs_diff(wanted));
        nearest.map(|(word, _)| *word)
    }

    /// Whether it takes a temperature while it reasons so much.
    fn takes_temperature(&self, effort: Option<Effort>) -> bool {
        match (self.sampling, effort) {
            (Sampling::Always, _) => true,
            (Sampling::Unreasoned { by_default }, None) => by_default,
            (Sampling::Unreasoned { .. }, Some(effort)) => self.effort(effort) == Some("none"),
            (Sampling::Never, _) => false,
        }
    }
}

/// The version that a name begins with, and what follows: `5.6-sol`, `4o`. Names such as `oss-20b` or `35-turbo` are
/// other people's.
fn version(name: &str) -> Option<((u32, u32), &str)> {
    let number = |text: &str| -> Option<(u32, usize)> {
        let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let digits = text.get(..length)?;
        Some((digits.parse().ok().filter(|_| length <= 2)?, length))
    };
    let (major, length) = number(name)?;
    let rest = name.get(length..).filter(|_| length == 1)?;
    match rest.strip_prefix('.').and_then(|rest| Some((rest, number(rest)?))) {
        Some((rest, (minor, length))) => Some(((major, minor), rest.get(length..)?)),
        None => Some(((major, 0), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_goes_by_the_name() {
        let all = "none low medium high xhigh max";
        let newest = "low medium high xhigh max";
        let sometimes = |by_default| Sampling::Unreasoned { by_default };
        let cases = [
            ("gpt-6.2-sol", newest, Sampling::Never),
            ("gpt-6.2-astra", newest, Sampling::Never),
            ("gpt-6.1-sol", newest, Sampling::Never),
            ("gpt-6.1-terra", all, sometimes(false)),
            ("gpt-6-sol", all, sometimes(false)),
            ("gpt-6-sol-2026-10-20", all, sometimes(false)),
            ("gpt-6-luna", all, sometimes(false)),
            ("gpt-6-astra", newest, Sampling::Never),
            ("gpt-7", newest, Sampling::Never),
            ("openai/gpt-5.10-sol", newest, Sampling::Never),
            ("gpt-5.6-terra", all, sometimes(false)),
            ("gpt-5.5", "none low medium high xhigh", sometimes(false)),
            ("gpt-5.5-pro", "medium high xhigh", Sampling::Never),
            ("gpt-5.4-mini", "none low medium high xhigh", sometimes(true)),
            ("gpt-5.1", "none low medium high", sometimes(true)),
            ("GPT-5-mini", "minimal low medium high", Sampling::Never),
            ("gpt-5-pro", "high", Sampling::Never),
            ("gpt-5-2025-08-07", "minimal low medium high", Sampling::Never),
            ("gpt-5-chat-latest", "", Sampling::Always),
            ("o3", "low medium high", Sampling::Never),
            ("gpt-4.1-mini", "", Sampling::Always),
            ("ft:gpt-4.1-mini-2025-04-14:acme::1", "", Sampling::Always),
            ("chatgpt-4o-latest", "", Sampling::Always),
            ("gpt-4o", "", Sampling::Always),
            ("gpt-oss-120b", "none minimal low medium high xhigh", Sampling::Always),
            ("gpt-35-turbo", "none minimal low medium high xhigh", Sampling::Always),
            ("my-deployment", "none minimal low medium high xhigh", Sampling::Always),
            ("opus", "none minimal low medium high xhigh", Sampling::Always),
            ("", "none minimal low medium high xhigh", Sampling::Always),
        ];
        for (model, efforts, sampling) in cases {
            let generation = Generation::of(model);
            let words: Vec<&str> = generation.efforts.iter().map(|(word, _)| *word).collect();
            assert_eq!((words.join(" ").as_str(), generation.sampling), (efforts, sampling), "{model}");
        }
        let caches = |model: &str| (Generation::of(model).known, Generation::of(model).cache_options);
        assert_eq!(
            ["gpt-6.2-sol", "gpt-5.6-sol", "gpt-5.5", "gpt-4.1", "mine"].map(caches),
            [(true, true), (true, true), (true, false), (true, false), (false, false)]
        );
    }

    #[test]
    fn an_effort_is_the_nearest_that_there_is() {
        use Effort::{High, Low, Max, Medium, Minimal, Off};
        let all = [Off, Minimal, Low, Medium, High, Max];
        let cases = [
            ("gpt-6.2-sol", "low low low medium high max"),
            ("gpt-5.6-sol", "none low low medium high max"),
            ("gpt-5.4", "none low low medium high xhigh"),
            ("gpt-5.1", "none low low medium high high"),
            ("gpt-5", "minimal minimal low medium high high"),
            ("gpt-5.5-pro", "medium medium medium medium high xhigh"),
            ("mine", "none minimal low medium high xhigh"),
        ];
        for (model, words) in cases {
            let got = all.map(|effort| Generation::of(model).effort(effort).unwrap());
            assert_eq!(got.join(" "), words, "{model}");
        }
        assert_eq!(Generation::of("gpt-4.1").effort(High), None);
    }

    #[test]
    fn a_temperature_goes_with_no_reasoning() {
        let cases = [
            ("gpt-4.1", None, true),
            ("gpt-5.4", None, true),
            ("gpt-5.4", Some(Effort::Low), false),
            ("gpt-5.6-sol", None, false),
            ("gpt-5.6-sol", Some(Effort::Off), true),
            ("gpt-6.2-sol", Some(Effort::Off), false),
            ("mine", Some(Effort::High), true),
        ];
        for (model, effort, takes) in cases {
            assert_eq!(Generation::of(model).takes_temperature(effort), takes, "{model} {effort:?}");
        }
    }
}
