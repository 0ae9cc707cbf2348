//! In what the generations of Claude differ, by the model's name.
//!
//! Sources: platform.claude.com/docs, "Models overview" and the pages on thinking, effort, tool choice and structured
//! outputs; the skill `claude-api` of github.com/anthropics/skills (October 2026). A Claude whose name says no generation
//! is taken for the newest one, which refuses most: what it can do after all is asked for by `extra`. What is no Claude
//! is a model of another vendor that is served by this interface.

/// What a generation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    /// How it is asked to think.
    pub(crate) thinking: Thinking,
    /// Whether it thinks where nobody asks it to.
    pub(crate) thinks_unasked: bool,
    /// How it is asked not to think.
    pub(crate) rest: Rest,
    /// Which words for effort it knows.
    pub(crate) efforts: Efforts,
    /// Whether it takes `temperature`, `top_p` and `top_k`.
    pub(crate) sampling: bool,
    /// Whether it can be made to call a tool.
    pub(crate) forced: Forced,
    /// Whether it answers in the form of a schema.
    pub(crate) output_format: bool,
    /// Whether it refuses its own thinking where what was said before has changed since.
    pub(crate) binds_thinking: bool,
    /// Whether it thinks between tool calls only where a beta header says so.
    pub(crate) interleaves_by_header: bool,
    /// The most tokens of an answer, where no profile says: at most the model's own limit.
    pub(crate) most_output: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// It does not think.
    None,
    /// For so many tokens.
    Budget,
    /// As much as it sees fit.
    Adaptive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It always thinks.
    Never,
    /// It need not think at all.
    Disabled,
    /// It can be held to thinking between tool calls.
    BetweenTools,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Efforts {
    /// It knows none.
    None,
    /// `low`, `medium` and `high`.
    ToHigh,
    /// These and `max`.
    ToMax,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forced {
    /// It can.
    Always,
    /// It can while it does not think.
    WithoutThinking,
    /// It cannot.
    Never,
}

impl Generation {
    /// Fable, Mythos from 5.1 and Opus 5.5; and whatever comes after them.
    pub(crate) const NEWEST: Self = Self {
        thinking: Thinking::Adaptive,
        thinks_unasked: true,
        rest: Rest::Never,
        efforts: Efforts::ToMax,
        sampling: false,
        forced: Forced::Never,
        output_format: true,
        binds_thinking: true,
        interleaves_by_header: false,
        most_output: 64_000,
    };

    /// The first of the fifth generation.
    const FIFTH: Self =
        Self { rest: Rest::Disabled, forced: Forced::Always, binds_thinking: false, ..Self::NEWEST };

    /// 4.7 and 4.8.
    const LATE_FOURTH: Self = Self { thinks_unasked: false, forced: Forced::WithoutThinking, ..Self::FIFTH };

    /// 4.6.
    const SIXTH_OF_FOURTH: Self = Self { sampling: true, ..Self::LATE_FOURTH };

    /// 4.5.
    const FIFTH_OF_FOURTH: Self = Self {
        thinking: Thinking::Budget,
        efforts: Efforts::None,
        interleaves_by_header: true,
        ..Self::SIXTH_OF_FOURTH
    };

    /// 4 and 4.1.
    const EARLY_FOURTH: Self = Self { output_format: false, most_output: 32_000, ..Self::FIFTH_OF_FOURTH };

    /// 3.7.
    const LATE_THIRD: Self = Self { interleaves_by_header: false, ..Self::EARLY_FOURTH };

    /// 3.5.
    const MIDDLE_THIRD: Self =
        Self { thinking: Thinking::None, forced: Forced::Always, most_output: 8_192, ..Self::LATE_THIRD };

    /// 3 and older.
    const EARLY_THIRD: Self = Self { most_output: 4_096, ..Self::MIDDLE_THIRD };

    /// Another vendor's model: what the interface has had for long, and nothing unasked.
    pub(crate) const OTHER: Self =
        Self { thinking: Thinking::Budget, output_format: true, most_output: 8_192, ..Self::MIDDLE_THIRD };

    /// The generation of a model.
    pub(crate) fn of(model: &str) -> Self {
        let lower = model.to_ascii_lowercase();
        let Some((_, name)) = lower.split_once("claude") else { return Self::OTHER };
        let Some((family, version)) = family_and_version(name) else { return Self::NEWEST };
        match (family, version) {
            (_, (..=2, _) | (3, ..=4)) => Self::EARLY_THIRD,
            (_, (3, 5..=6)) => Self::MIDDLE_THIRD,
            (_, (3, _)) => Self::LATE_THIRD,
            (_, (4, ..=4)) => Self::EARLY_FOURTH,
            ("opus", (4, 5)) => Self { efforts: Efforts::ToHigh, ..Self::FIFTH_OF_FOURTH },
            (_, (4, 5)) => Self::FIFTH_OF_FOURTH,
            (_, (4, 6)) => Self::SIXTH_OF_FOURTH,
            (_, (4, _)) => Self::LATE_FOURTH,
            ("opus" | "sonnet", (5, 0)) => Self::FIFTH,
            ("fable" | "mythos", (5, 0)) => Self { rest: Rest::Never, ..Self::FIFTH },
            ("sonnet", (5, 5)) => Self { rest: Rest::BetweenTools, ..Self::NEWEST },
            ("haiku", (5, 5)) => Self { rest: Rest::Disabled, ..Self::NEWEST },
            _ => Self::NEWEST,
        }
    }
}

/// What `claude-opus-4-5-20251101`, `claude-3-7-sonnet-latest`, `eu.anthropic.claude-sonnet-4-20250514-v1:0` and
/// `anthropic/claude-opus-4.6` say of themselves after `claude`; none where they say no version.
fn family_and_version(name: &str) -> Option<(&'static str, (u32, u32))> {
    const FAMILIES: [&str; 5] = ["opus", "sonnet", "haiku", "fable", "mythos"];
    let words = || name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    // A date has eight digits.
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| word.len() <= 2);
    let mut numbers = words().map(number).skip_while(Option::is_none).map_while(|number| number);
    let version = (numbers.next()?, numbers.next().unwrap_or(0));
    let family = words().find_map(|word| FAMILIES.into_iter().find(|family| *family == word));
    Some((family.unwrap_or_default(), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_from_the_name() {
        let opus_4_5 = Generation { efforts: Efforts::ToHigh, ..Generation::FIFTH_OF_FOURTH };
        let cases = [
            ("claude-3-opus-20240229", Generation::EARLY_THIRD),
            ("claude-2.1", Generation::EARLY_THIRD),
            ("claude-3-5-haiku-latest", Generation::MIDDLE_THIRD),
            ("claude-3-7-sonnet-20250219", Generation::LATE_THIRD),
            ("claude-sonnet-4-20250514", Generation::EARLY_FOURTH),
            ("eu.anthropic.claude-sonnet-4-20250514-v1:0", Generation::EARLY_FOURTH),
            ("claude-opus-4-1", Generation::EARLY_FOURTH),
            ("claude-opus-4-5-20251101", opus_4_5),
            ("claude-opus-4-5@20251101", opus_4_5),
            ("anthropic/claude-sonnet-4.5", Generation::FIFTH_OF_FOURTH),
            ("claude-haiku-4-5", Generation::FIFTH_OF_FOURTH),
            ("claude-opus-4-6", Generation::SIXTH_OF_FOURTH),
            ("claude-sonnet-4-6", Generation::SIXTH_OF_FOURTH),
            ("claude-opus-4-7", Generation::LATE_FOURTH),
            ("claude-opus-4-8", Generation::LATE_FOURTH),
            ("claude-opus-5", Generation::FIFTH),
            ("Claude-Sonnet-5", Generation::FIFTH),
            ("claude-fable-5", Generation { rest: Rest::Never, ..Generation::FIFTH }),
            ("claude-fable-5-2", Generation::NEWEST),
            ("claude-mythos-5-1", Generation::NEWEST),
            ("claude-opus-5-5", Generation::NEWEST),
            ("claude-sonnet-5-5", Generation { rest: Rest::BetweenTools, ..Generation::NEWEST }),
            ("claude-haiku-5-5", Generation { rest: Rest::Disabled, ..Generation::NEWEST }),
            ("claude-sonnet-6", Generation::NEWEST),
            ("claude-opus-latest", Generation::NEWEST),
            ("deepseek-v4", Generation::OTHER),
            ("", Generation::OTHER),
        ];
        for (model, generation) in cases {
            assert_eq!(Generation::of(model), generation, "{model}");
        }
    }

    #[test]
    fn what_a_generation_takes_is_what_the_documentation_says() {
        let of = |model| {
            let it = Generation::of(model);
            (it.thinks_unasked, it.sampling, it.forced, it.efforts, it.output_format)
        };
        use Forced::{Always, Never, WithoutThinking};
        let cases = [
            ("claude-3-5-sonnet-20241022", (false, true, Always, Efforts::None, false)),
            ("claude-sonnet-4-5", (false, true, WithoutThinking, Efforts::None, true)),
            ("claude-opus-4-6", (false, true, WithoutThinking, Efforts::ToMax, true)),
            ("claude-opus-4-7", (false, false, WithoutThinking, Efforts::ToMax, true)),
            ("claude-opus-5", (true, false, Always, Efforts::ToMax, true)),
            ("claude-opus-5-5", (true, false, Never, Efforts::ToMax, true)),
            ("deepseek-v4", (false, true, Always, Efforts::None, true)),
        ];
        for (model, expected) in cases {
            assert_eq!(of(model), expected, "{model}");
        }
    }
}
