//! Texts as they are searched: normalised, and found only as whole words.

use std::sync::OnceLock;

use memchr::memmem;
use unicode_normalization::UnicodeNormalization;

use super::value::compact;

/// A text in the composed form of Unicode, as it is and in small letters.
///
/// Nothing further is made equal. Compatible and confusable characters stay apart: what an attacker writes to look like
/// the words of the user must not be taken for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) exact: String,
    pub(super) folded: String,
    closed_up: OnceLock<ClosedUp>,
}

/// A text without its spaces, in which accounts are found however their signs are grouped.
#[derive(Clone, Debug)]
pub(super) struct ClosedUp {
    pub(super) capital: String,
    pub(super) folded: String,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let exact = spaced(text);
        Self { folded: exact.to_lowercase(), exact, closed_up: OnceLock::new() }
    }

    /// The text without its spaces; made when it is asked for first.
    pub(super) fn closed_up(&self) -> &ClosedUp {
        self.closed_up.get_or_init(|| ClosedUp {
            capital: compact(&self.exact).to_uppercase(),
            folded: compact(&self.folded),
        })
    }
}

/// What must not stand beside a value that is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// A letter or a digit: the value is words.
    Word,
    /// Anything that an address, a path or an id may go on with.
    Token,
}

/// A text in the composed form, with one space for each run of white space.
pub(super) fn spaced(text: &str) -> String {
    // What is plain ASCII is composed as it is, and most of what is read is.
    if text.is_ascii() { joined(text.chars(), text.len()) } else { joined(text.nfc(), text.len()) }
}

fn joined(letters: impl Iterator<Item = char>, size: usize) -> String {
    let mut out = String::with_capacity(size);
    for c in letters {
        match c.is_whitespace() {
            true if out.ends_with(' ') || out.is_empty() => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// Where the value stands in the text, as a whole.
pub(super) fn places<'a>(
    text: &'a str,
    value: &'a str,
    edge: Edge,
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let found = memmem::find_iter(text.as_bytes(), value.as_bytes());
    let spans = found.map(|start| (start, start + value.len()));
    spans.filter(move |(start, end)| !value.is_empty() && is_whole(text, *start, *end, edge))
}

/// Whether the value stands in the text, as a whole.
pub(super) fn stands(text: &str, value: &str, edge: Edge) -> bool {
    places(text, value, edge).next().is_some()
}

fn is_whole(text: &str, start: usize, end: usize, edge: Edge) -> bool {
    let (Some(before), Some(after)) = (text.get(..start), text.get(end..)) else { return false };
    let mut next = after.chars();
    let (before, after) = (before.chars().next_back(), next.next());
    match edge {
        Edge::Word => !before.is_some_and(is_letter) && !after.is_some_and(is_letter),
        Edge::Token => {
            // A full stop at the end of a sentence is no part of what stands before it.
            let ends = after.is_some_and(|c| ".,:;?!".contains(c)) && !next.next().is_some_and(goes_on);
            !before.is_some_and(|c| goes_on(c) && !"#:=".contains(c)) && (ends || !after.is_some_and(goes_on))
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn goes_on(c: char) -> bool {
    is_letter(c) || "-.@/:\\+%~#?&=$".contains(c)
}

/// The words of a text with their places.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric();
    let mut rest = 0;
    std::iter::from_fn(move || {
        let tail = text.get(rest..)?;
        let start = rest + tail.find(is_part)?;
        let word = text.get(start..)?;
        let word = word.get(..word.find(|c| !is_part(c)).unwrap_or(word.len()))?;
        rest = start + word.len();
        Some((start, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_a_whole() {
        for (text, value, edge, expected) in [
            ("write to ann@example.org.", "ann@example.org", Edge::Token, true),
            ("write to joann@example.org", "ann@example.org", Edge::Token, false),
            ("write to ann@example.org.evil.com", "ann@example.org", Edge::Token, false),
            ("read https://a.org/b now", "https://a.org", Edge::Token, false),
            ("read https://a.org, now", "https://a.org", Edge::Token, true),
            ("order #1042!", "1042", Edge::Token, true),
            ("order 1042-7", "1042", Edge::Token, false),
            ("order 10421", "1042", Edge::Token, false),
            ("the meeting notes", "meeting", Edge::Word, true),
            ("the meetings", "meeting", Edge::Word, false),
            ("", "x", Edge::Word, false),
            ("x", "", Edge::Word, false),
        ] {
            assert_eq!(stands(text, value, edge), expected, "{value} in {text}");
        }
    }

    #[test]
    fn only_canonical_forms_are_the_same() {
        assert_eq!(spaced("e\u{301}  a\n"), "\u{e9} a");
        assert_eq!(spaced("\te \u{b} a\n"), "e a");
        assert_ne!(Text::new("аnn").folded, Text::new("ann").folded);
        assert_ne!(Text::new("ａnn").folded, Text::new("ann").folded);
    }

    #[test]
    fn tokens_have_places() {
        let found: Vec<_> = tokens("a, bc-d 7").collect();
        assert_eq!(found, [(0, "a"), (3, "bc"), (6, "d"), (8, "7")]);
        assert_eq!(tokens("  ").count(), 0);
    }
}
