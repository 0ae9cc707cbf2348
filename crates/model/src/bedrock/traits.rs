//! In what the models of the makers differ, by the model's name.
//!
//! Sources: the field descriptions of `ToolChoice`, `ToolResultBlock` and `ToolResultContentBlock` in the service
//! description; docs.aws.amazon.com/bedrock, "Prompt caching", "Structured outputs" and "Use a tool to complete a model
//! response"; for the words of each maker's effort, LiteLLM 1.109.1. For Claude the rules are those of its maker. What a
//! name does not tell is taken for what every model takes: `base_model` tells it, and `extra` can say everything.

use crate::anthropic::generation::{Generation, Thinking};

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// The generation, if it is Claude.
    pub(super) claude: Option<Generation>,
    /// Where it takes marks of the prompt cache.
    pub(super) cache: Cache,
    /// Whether it can be made to call a tool by the field for that.
    pub(super) forced_choice: bool,
    /// Whether it takes schemas of answers.
    pub(super) schemas: bool,
    /// What it takes in results of tools.
    pub(super) results: Results,
    /// Whether it wants its signed reasoning back.
    pub(super) reasoning_back: bool,
    /// How it is told how much to think.
    pub(super) effort: EffortField,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// Nowhere: a mark is refused.
    Nowhere,
    /// Behind the instructions.
    System,
    /// Everywhere, for some minutes.
    Minutes,
    /// Everywhere, for an hour where that is asked.
    Hour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Results {
    /// Whether there is a mark for a failure.
    pub(super) status: bool,
    /// Images and documents.
    pub(super) media: bool,
    /// Whether a text of the user may stand beside them in one message.
    pub(super) with_text: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EffortField {
    /// It cannot be told.
    Nowhere,
    /// `outputConfig.effort`.
    Output,
    /// As its maker has it for Claude.
    Claude,
    /// `reasoningConfig`, of Nova.
    Nova,
    /// `reasoning_effort`, of the models that OpenAI gave away.
    Word,
    /// `reasoning.effort`, of OpenAI's own.
    OpenAi,
}

/// What every model takes.
const UNKNOWN: Traits = Traits {
    claude: None,
    cache: Cache::Nowhere,
    forced_choice: false,
    schemas: false,
    results: Results { status: true, media: true, with_text: true },
    reasoning_back: true,
    effort: EffortField::Output,
};

/// Models whose weights are open.
const OPEN: Traits = Traits {
    schemas: true,
    results: Results { status: false, media: false, with_text: true },
    reasoning_back: false,
    ..UNKNOWN
};

/// Models that neither reason nor take schemas.
const PLAIN: Traits = Traits {
    schemas: false,
    effort: EffortField::Nowhere,
    results: Results { with_text: false, ..OPEN.results },
    ..OPEN
};

const NOVA: Traits = Traits {
    cache: Cache::System,
    forced_choice: true,
    reasoning_back: false,
    effort: EffortField::Nowhere,
    ..UNKNOWN
};

/// The makers as they stand before the name of a model.
const MAKERS: [&str; 17] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "writer",
    "xai",
    "zai",
];

impl Traits {
    /// The traits of the model of that name: an id, with or without the region of an inference profile, or an ARN.
    pub(super) fn of(model: &str) -> Self {
        let name = model.to_ascii_lowercase();
        let Some((maker, name)) = maker(&name) else { return UNKNOWN };
        match maker {
            "anthropic" => claude(name),
            "amazon" if name.starts_with("nova-2") => Self { effort: EffortField::Nova, ..NOVA },
            "amazon" if name.starts_with("nova") => NOVA,
            "openai" if name.starts_with("gpt-oss") => Self { effort: EffortField::Word, ..OPEN },
            "openai" => Self { schemas: false, effort: EffortField::OpenAi, ..OPEN },
            "deepseek" if name.starts_with("r1") => Self { effort: EffortField::Nowhere, ..PLAIN },
            "deepseek" => Self { effort: EffortField::Nowhere, ..OPEN },
            "mistral" if is_early_mistral(name) => PLAIN,
            "mistral" => Self { effort: EffortField::Nowhere, results: PLAIN.results, ..OPEN },
            "amazon" | "ai21" | "cohere" | "meta" | "writer" => PLAIN,
            "xai" => Self { schemas: false, ..OPEN },
            _ => OPEN,
        }
    }
}

fn claude(name: &str) -> Traits {
    let generation = Generation::of(name);
    // The page on caching names 3.7 and all later ones, and of the earlier ones this.
    let caches = generation.thinking != Thinking::None || name.contains("3-5-haiku");
    // An hour came with 4.5, as did the schemas.
    let cache = match (caches, generation.output_format) {
        (true, true) => Cache::Hour,
        (true, false) => Cache::Minutes,
        (false, _) => Cache::Nowhere,
    };
    Traits {
        claude: Some(generation),
        cache,
        forced_choice: true,
        schemas: generation.output_format,
        effort: EffortField::Claude,
        ..UNKNOWN
    }
}

/// The models of 2023 and 2024.
fn is_early_mistral(name: &str) -> bool {
    ["mistral-7b", "mixtral", "mistral-large-24", "mistral-small-24", "pixtral"]
        .iter()
        .any(|early| name.starts_with(early))
}

/// The maker of a model, and its name without everything before it.
fn maker(name: &str) -> Option<(&'static str, &str)> {
    MAKERS.into_iter().find_map(|maker| {
        let places = name.match_indices(maker);
        places.into_iter().find_map(|(at, _)| {
            let (before, rest) = name.split_at_checked(at)?;
            let begins = before.is_empty() || before.ends_with(['.', '/']);
            let rest = rest.strip_prefix(maker)?.strip_prefix('.')?;
            begins.then_some((maker, rest))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_go_by_the_name() {
        let arn = "arn:aws:bedrock:us-east-1";
        let claude = |name: &str, cache, schemas| {
            let traits = Traits { cache, schemas, ..super::claude(name) };
            (name.to_owned(), traits)
        };
        let same = |name: &str, traits: Traits| (name.to_owned(), traits);
        let nova_2 = Traits { effort: EffortField::Nova, ..NOVA };
        let cases = [
            claude("anthropic.claude-3-haiku-20240307-v1:0", Cache::Nowhere, false),
            claude("anthropic.claude-3-5-haiku-20241022-v1:0", Cache::Minutes, false),
            claude("us.anthropic.claude-3-7-sonnet-20250219-v1:0", Cache::Minutes, false),
            claude("eu.anthropic.claude-sonnet-4-20250514-v1:0", Cache::Minutes, false),
            claude("global.anthropic.claude-haiku-4-5-20251001-v1:0", Cache::Hour, true),
            claude("us.anthropic.claude-opus-5-5", Cache::Hour, true),
            claude("anthropic.claude-mythos-preview", Cache::Hour, true),
            claude(&format!("{arn}::foundation-model/anthropic.claude-opus-4-6-v1"), Cache::Hour, true),
            claude(
                &format!("{arn}:123456789012:inference-profile/us.anthropic.claude-sonnet-5"),
                Cache::Hour,
                true,
            ),
            same("amazon.nova-lite-v1:0", NOVA),
            same("us-gov.amazon.nova-pro-v1:0", NOVA),
            same("global.amazon.nova-2-lite-v1:0", nova_2),
            same("amazon.titan-text-express-v1", PLAIN),
            same("meta.llama4-scout-17b-instruct-v1:0", PLAIN),
            same("mistral.mistral-large-2407-v1:0", PLAIN),
            same("qwen.qwen3-32b-v1:0", OPEN),
            same("moonshotai.kimi-k3", OPEN),
            same("openai.gpt-oss-20b-1:0", Traits { effort: EffortField::Word, ..OPEN }),
            same("openai.gpt-6-sol", Traits { schemas: false, effort: EffortField::OpenAi, ..OPEN }),
            same(&format!("{arn}:123456789012:application-inference-profile/abcdef123456"), UNKNOWN),
            same("somebody.model-1", UNKNOWN),
            same("notmeta.llama", UNKNOWN),
            same("", UNKNOWN),
        ];
        for (name, expected) in cases {
            assert_eq!(Traits::of(&name), expected, "{name}");
        }
    }

    #[test]
    fn a_claude_has_the_traits_of_its_generation() {
        let claude = Traits::of("jp.anthropic.claude-sonnet-4-5-20250929-v1:0").claude.unwrap();
        assert_eq!(claude, Generation::of("claude-sonnet-4-5"));
        assert!(Traits::of("deepseek.r1-v1:0").claude.is_none());
    }
}
