//! Everything that can be looked for in a text of which nothing else is known.

use super::hit::Hit;
use super::kind::{Kind, sensitive};
use super::{injection, markup, unseen};

/// What guardrails find in a text that need nothing but the text, in its order, also where they are not sure.
pub fn scan(text: &str) -> Vec<Hit> {
    let mut hits = unseen::find(text);
    hits.extend(injection::find(text));
    hits.extend(sensitive(text, &Kind::ALL, 0.0));
    hits.extend(markup::find(text, &[]));
    hits.sort_by_key(|hit| (hit.span.start, hit.span.end));
    hits
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Texts that make careless patterns slow.
    fn hostile(length: usize) -> Vec<String> {
        [
            "a",
            " ",
            "1",
            "A1",
            "<",
            "[",
            "](",
            "!\u{5b}",
            "&#1;",
            "%41",
            "a@a.",
            "ignore ",
            "<!--",
            "\\u0041",
            "`",
            "4111 ",
            "::",
            "\"",
            "\u{200b}",
            "é",
            "DE89",
            "-----BEGIN PRIVATE KEY-----",
            "i g ",
            "a.b.",
            "+1 ",
            "https://a:",
            "Aa1+",
        ]
        .into_iter()
        .map(|part| part.repeat(length / part.len()))
        .collect()
    }

    #[test]
    fn the_time_grows_with_the_text_and_no_faster() {
        // The patterns are compiled at first use.
        scan("warm");
        let took = |length| {
            let begin = Instant::now();
            hostile(length).iter().for_each(|text| drop(scan(text)));
            begin.elapsed()
        };
        let (short, long) = (took(2_000), took(16_000));
        // Eight times the text; sixty-four times the time would be quadratic.
        assert!(long < short * 28 + Duration::from_millis(200), "{short:?} {long:?}");
    }
}
