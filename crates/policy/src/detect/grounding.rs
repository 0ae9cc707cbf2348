//! Whether what an answer quotes and cites stands in what was read.

use std::sync::LazyLock;

use regex::Regex;

use super::folded::Folded;
use super::hit::Hit;
use super::pattern::pattern;

/// The category of these hits.
pub const GROUNDING: &str = "grounding";

/// A quotation of fewer words says nothing of its own.
const SHORTEST: usize = 3;

static QUOTE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "\"([^\"\\n]{8,})\"|“([^”\\n]{8,})”|„([^“”\\n]{8,})[“”]|«([^»\\n]{8,})»|(?m:^)>[ \\t]?([^\\n]{8,})$",
    )
});
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r#"https?://[^\s<>()\[\]{}"'`]+"#));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9]+(?:[.,:/\-][0-9]+)*"));

/// Finds quotations and addresses that stand in nothing that was read, and numbers where that is asked for. What was
/// read is also what the person said.
pub fn find(text: &str, read: &[&str], numbers: bool) -> Vec<Hit> {
    let plain: Vec<_> = read.iter().map(|read| words(Folded::plain(read).text())).collect();
    let stands = |part: &str| plain.iter().any(|read| read.contains(part));
    let mut hits = Vec::new();
    for found in QUOTE.captures_iter(text) {
        let Some(quote) = found.iter().skip(1).flatten().next() else { continue };
        let wanted = words(Folded::plain(quote.as_str()).text());
        if wanted.split_whitespace().count() >= SHORTEST && !stands(wanted.trim()) {
            hits.push(Hit::new(
                GROUNDING,
                0.8,
                quote.range(),
                "a quotation that stands in nothing that was read",
            ));
        }
    }
    for found in LINK.find_iter(text) {
        let link = found.as_str().trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_']);
        if !read.iter().any(|read| read.contains(link.trim_end_matches('/'))) {
            let span = found.start()..found.start() + link.len();
            hits.push(Hit::new(GROUNDING, 0.9, span, "an address that stands in nothing that was read"));
        }
    }
    if numbers {
        let missing = NUMBER.find_iter(text).filter(|found| {
            // One digit is often a count of the answer's own.
            found.as_str().len() > 1 && !read.iter().any(|read| read.contains(found.as_str()))
        });
        hits.extend(missing.map(|found| {
            Hit::new(GROUNDING, 0.6, found.range(), "a number that stands in nothing that was read")
        }));
    }
    hits
}

/// The words of a text with one space between them: punctuation at the rim of a quotation is the writer's.
fn words(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_must_stand_somewhere() {
        let read = ["The order was shipped on Monday, 3 March. See https://shop.example/orders/1042."];
        for (text, numbers, expected) in [
            ("It says \"the order was shipped on Monday\".", false, 0),
            ("It says “The order was  shipped, on monday”", false, 0),
            ("It says \"the order was lost on Monday\".", false, 1),
            ("See https://shop.example/orders/1042.", false, 0),
            ("See https://evil.example/orders/1042", false, 1),
            ("Order 1042 costs 17.50", true, 1),
            ("Order 1042 costs 17.50", false, 0),
        ] {
            assert_eq!(find(text, &read, numbers).len(), expected, "{text}");
        }
    }
}
