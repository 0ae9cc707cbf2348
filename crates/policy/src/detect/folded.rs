//! [`Folded`]: a text as it is read, whatever characters it is written with.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

use super::unseen::is_unseen;

/// A text as it is read, whatever characters it is written with, and where each part of it stands in the original.
///
/// Detectors look at this one, so that an invisible character within an address or a wide digit hides nothing.
pub struct Folded<'a> {
    text: Cow<'a, str>,
    /// For each byte of the text, the span of the character of the original that it came from. Empty where the text
    /// is the original.
    from: Vec<(usize, usize)>,
}

impl<'a> Folded<'a> {
    /// A text without what nobody sees, and with one form for each character (NFKC).
    pub fn seen(original: &'a str) -> Self {
        if original.is_ascii() {
            return Self { text: Cow::Borrowed(original), from: Vec::new() };
        }
        Self::each(original, |c, text| match c.is_ascii() {
            true => text.push(c),
            false => text.extend(std::iter::once(c).nfkc().filter(|c| !is_unseen(*c))),
        })
    }

    /// The same in lower case, with one space for each run of white space, and with what looks like an ASCII letter as
    /// that letter: for looking for words.
    pub fn plain(original: &str) -> Folded<'static> {
        let mut folded = Folded::each(original, |c, text| {
            if c.is_ascii() {
                text.push(c.to_ascii_lowercase());
                return;
            }
            // In lower case first: a capital may look like another letter than its small one.
            let read = std::iter::once(c).nfkc().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase);
            text.extend(read.map(|c| lookalike(c).unwrap_or(c)));
        });
        folded.squeeze();
        folded
    }

    fn each(original: &str, mut push: impl FnMut(char, &mut String)) -> Folded<'static> {
        let (mut text, mut from) = (String::with_capacity(original.len()), Vec::new());
        for (start, c) in original.char_indices() {
            push(c, &mut text);
            from.resize(text.len(), (start, start + c.len_utf8()));
        }
        Folded { text: Cow::Owned(text), from }
    }

    /// Makes every run of white space one space.
    fn squeeze(&mut self) {
        let (mut text, mut from) = (String::with_capacity(self.text.len()), Vec::new());
        let mut was_space = false;
        for (start, c) in self.text.char_indices() {
            let is_space = c.is_whitespace();
            if is_space && was_space {
                continue;
            }
            was_space = is_space;
            text.push(if is_space { ' ' } else { c });
            from.resize(text.len(), self.from.get(start).copied().unwrap_or_default());
        }
        (self.text, self.from) = (Cow::Owned(text), from);
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a part of the text stands in the original.
    pub fn origin(&self, span: &Range<usize>) -> Range<usize> {
        if self.from.is_empty() {
            return span.clone();
        }
        let start = self.from.get(span.start).map(|from| from.0);
        let end = span.end.checked_sub(1).and_then(|last| self.from.get(last)).map(|from| from.1);
        match (start, end) {
            (Some(start), Some(end)) if start < end => start..end,
            (Some(start), _) => start..start,
            _ => 0..0,
        }
    }
}

/// The ASCII letter that a character looks like, where it looks like one and is not simply a letter with a mark.
pub(super) fn lookalike(c: char) -> Option<char> {
    if c.is_ascii() || !c.is_alphanumeric() {
        return None;
    }
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    let mut looks = skeleton(text);
    let first = looks.next().filter(char::is_ascii_alphanumeric)?;
    looks.next().is_none().then_some(first.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_read_is_what_is_looked_at() {
        for (original, seen, plain) in [
            ("Plain  text\n", "Plain  text\n", "plain text "),
            ("a\u{200b}nn@b.org", "ann@b.org", "ann@b.org"),
            ("４１１１", "4111", "4111"),
            ("Ignоre", "Ignоre", "ignore"),
            ("größe", "größe", "größe"),
            ("ﬁle", "file", "file"),
        ] {
            assert_eq!(Folded::seen(original).text(), seen);
            assert_eq!(Folded::plain(original).text(), plain);
        }
    }

    #[test]
    fn a_span_leads_back() {
        let original = "ü a\u{200b}nn@b.org!";
        let folded = Folded::seen(original);
        let start = folded.text().find("ann").unwrap();
        let span = folded.origin(&(start..start + "ann@b.org".len()));
        assert_eq!(&original[span], "a\u{200b}nn@b.org");
    }

    proptest! {
        #[test]
        fn every_span_is_one_of_the_original(original in "\\PC{0,60}", a in 0usize..80, b in 0usize..80) {
            for folded in [Folded::seen(&original), Folded::plain(&original)] {
                let (a, b) = (a.min(b), a.max(b));
                let span = folded.origin(&(a.min(folded.text().len())..b.min(folded.text().len())));
                prop_assert!(original.get(span).is_some());
            }
        }
    }
}
