//! How much a model shall think, in OpenAI's words.

use adjutant::model::Effort;

/// The words (`ReasoningEffort` in the API description).
pub(super) const WORDS: &[(&str, Effort)] = &[
    ("none", Effort::Off),
    ("minimal", Effort::Minimal),
    ("low", Effort::Low),
    ("medium", Effort::Medium),
    ("high", Effort::High),
    ("xhigh", Effort::Max),
    ("max", Effort::Max),
];
