//! Patterns of a document: only those that this engine knows.

use jsonschema::PatternOptions;
use serde_json::json;

/// The longest pattern that is kept, in bytes.
const LONGEST: usize = 300;

/// Whether arguments can be checked by a pattern. JSON schemas may look ahead and behind, which no engine does in linear
/// time; the service itself checks what is left out here.
pub(super) fn is_known(pattern: &str) -> bool {
    pattern.len() <= LONGEST
        && jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .offline()
            .build(&json!({ "pattern": pattern }))
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_look_ahead_are_not_known() {
        assert!(is_known("^[a-z]+$"));
        assert!(!is_known("^(?!x)"));
        assert!(!is_known("("));
        assert!(!is_known(&"a".repeat(1_000)));
    }
}
