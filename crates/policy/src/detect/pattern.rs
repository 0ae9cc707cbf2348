//! Patterns that are written in this crate.

use regex::Regex;

/// A pattern that is written in this crate. Matching takes time that is linear in the text, whatever the text is.
#[expect(
    clippy::expect_used,
    reason = "the pattern is a constant of this crate, and a test looks for something by each"
)]
pub(super) fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("a pattern of this crate is valid")
}

/// Whether a character belongs to a word: what stands beside such a one is a part of something longer.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a span stands alone, without a word going on before or after it.
pub(super) fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    !before.is_some_and(is_word) && !after.is_some_and(is_word)
}
