//! Telephone numbers.

use std::sync::LazyLock;

use regex::Regex;

use super::hit::Hit;
use super::pattern::{pattern, stands_alone};

/// With the code of the country; with an area code that begins with 0; as in North America.
static PHONE: LazyLock<[(Regex, f64); 3]> = LazyLock::new(|| {
    [
        (pattern(r"(?:\+|\b00)[1-9](?:[ ().\-/]{0,2}[0-9]){6,14}"), 0.9),
        (pattern(r"\(?\b0[1-9][0-9]{0,4}\)?[ /\-][ ]?[0-9](?:[ \-/]?[0-9]){4,9}"), 0.6),
        (pattern(r"(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}"), 0.7),
    ]
});

pub(super) fn find(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (pattern, score) in PHONE.iter() {
        for found in pattern.find_iter(text) {
            // In the middle of a longer row of digits it is some other number.
            let goes_before = text.get(..found.start()).unwrap_or_default().trim_end_matches([' ', '-', '/']);
            let is_part =
                goes_before.ends_with(|c: char| c.is_ascii_digit()) && !found.as_str().starts_with('+');
            if !is_part && stands_alone(text, found.start(), found.end()) {
                hits.push(Hit::new("phone", *score, found.range(), "a telephone number"));
            }
        }
    }
    hits
}
