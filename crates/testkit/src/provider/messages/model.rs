//! What each model takes, as its page in Anthropic's documentation says (November 2026).

/// What a model takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    id: &'static str,
    pub(super) thinking: &'static [&'static str],
    pub(super) efforts: &'static [&'static str],
    pub(super) forced_tools: bool,
    pub(super) sampling: bool,
    pub(super) most_output: u64,
}

const ALL_EFFORTS: &[&str] = &["low", "medium", "high", "xhigh", "max"];

const fn current(id: &'static str, thinking: &'static [&'static str], forced_tools: bool) -> Model {
    Model { id, thinking, efforts: ALL_EFFORTS, forced_tools, sampling: false, most_output: 128_000 }
}

const fn earlier(
    id: &'static str,
    thinking: &'static [&'static str],
    efforts: &'static [&'static str],
    most_output: u64,
) -> Model {
    Model { id, thinking, efforts, forced_tools: true, sampling: true, most_output }
}

const MODELS: &[Model] = &[
    current("claude-fable-5-2", &["adaptive"], false),
    current("claude-fable-5-1", &["adaptive"], false),
    current("claude-fable-5", &["adaptive"], true),
    current("claude-opus-5-5", &["adaptive"], false),
    current("claude-opus-5", &["adaptive", "disabled"], true),
    current("claude-opus-4-8", &["adaptive", "disabled"], true),
    current("claude-opus-4-7", &["adaptive", "disabled"], true),
    current("claude-sonnet-5-5", &["adaptive", "between_tools"], false),
    current("claude-sonnet-5", &["adaptive", "disabled"], true),
    current("claude-haiku-5-5", &["adaptive", "disabled"], true),
    earlier(
        "claude-opus-4-6",
        &["adaptive", "disabled", "enabled"],
        &["low", "medium", "high", "max"],
        128_000,
    ),
    earlier(
        "claude-sonnet-4-6",
        &["adaptive", "disabled", "enabled"],
        &["low", "medium", "high", "max"],
        128_000,
    ),
    earlier("claude-opus-4-5", &["enabled", "disabled"], &["low", "medium", "high"], 64_000),
    earlier("claude-sonnet-4-5", &["enabled", "disabled"], &[], 64_000),
    earlier("claude-haiku-4-5", &["enabled", "disabled"], &[], 64_000),
];

impl Model {
    /// What is known of a model; a model that is not known takes anything.
    pub(super) fn named(id: &str) -> Self {
        let unknown = Self {
            thinking: &["adaptive", "disabled", "enabled", "between_tools"],
            ..earlier("", &[], ALL_EFFORTS, u64::MAX)
        };
        MODELS.iter().copied().find(|model| model.id == id).unwrap_or(unknown)
    }
}
