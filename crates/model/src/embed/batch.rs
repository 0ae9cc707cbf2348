//! Texts, cut into what one call takes.

use std::fmt;

use adjutant_core::{Code, Error, Result};

use super::wire::Bounds;
use crate::token;

/// The texts of one call, and where among all of them they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    pub(super) texts: &'a [String],
    /// How many texts stand before them.
    pub(super) before: usize,
    /// How many texts there are in all.
    pub(super) all: usize,
}

impl Batch<'_> {
    /// Whether these are all the texts.
    pub(super) fn is_whole(&self) -> bool {
        self.texts.len() == self.all
    }
}

/// The numbers of the texts, as people count.
impl fmt::Display for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last, all) = (self.before + 1, self.before + self.texts.len(), self.all);
        match self.texts.len() {
            1 => write!(f, "text {first} of {all}"),
            _ => write!(f, "texts {first} to {last} of {all}"),
        }
    }
}

/// Cuts texts into calls, in their order. A text that is larger than a call may be is a call of its own.
pub(super) fn split(texts: &[String], bounds: Bounds) -> Vec<Batch<'_>> {
    let mut batches = Vec::new();
    let mut rest = texts;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(fitting(rest, bounds));
        batches.push(Batch { texts: batch, before: texts.len() - rest.len(), all: texts.len() });
        rest = after;
    }
    batches
}

/// How many of these texts fit into one call, and at least one.
fn fitting(texts: &[String], bounds: Bounds) -> usize {
    let most_bytes = bounds.tokens.unwrap_or(usize::MAX);
    let mut bytes = 0_usize;
    let fits = |text: &&String| {
        bytes = bytes.saturating_add(text.len());
        bytes <= most_bytes
    };
    texts.iter().take(bounds.texts).take_while(fits).count().max(1)
}

/// Refuses texts that no call can hold: empty ones, which most providers refuse, and those that are too long, which some
/// providers cut without a word. How many tokens a text has is the stated estimate.
pub(super) fn check(model: &str, texts: &[String], most_tokens: Option<u64>) -> Result<()> {
    let all = texts.len();
    for (text, number) in texts.iter().zip(1_usize..) {
        if text.trim().is_empty() {
            let message = format!("text {number} of {all} is empty, and nothing has no meaning");
            return Err(Error::new(Code::InputInvalid, message).with_help("leave it out"));
        }
        let tokens = token::estimate_text(text);
        if let Some(most) = most_tokens.filter(|most| tokens > *most) {
            return Err(too_long(
                model,
                &format!("text {number} of {all}"),
                &format!("about {tokens}"),
                most,
            ));
        }
    }
    Ok(())
}

/// Why a text is refused that has more tokens than the model reads.
pub(super) fn too_long(model: &str, text: &str, tokens: &str, most: u64) -> Error {
    let message = format!("{text} has {tokens} tokens, and the model `{model}` reads at most {most}");
    Error::new(Code::ModelContextExceeded, message)
        .with_help("cut the text into pieces, and embed each of them")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(texts: &[&str], bounds: Bounds) -> String {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let batches = split(&texts, bounds);
        batches
            .iter()
            .map(|batch| format!("{batch}: {}", batch.texts.join(" ")))
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn texts_are_cut_by_number_and_size() {
        let texts = ["aa", "bb", "cccccc", "d", "e"];
        let by = |texts, tokens| Bounds { texts, tokens };
        let cases = [
            (by(9, None), "texts 1 to 5 of 5: aa bb cccccc d e"),
            (by(2, None), "texts 1 to 2 of 5: aa bb; texts 3 to 4 of 5: cccccc d; text 5 of 5: e"),
            (by(9, Some(4)), "texts 1 to 2 of 5: aa bb; text 3 of 5: cccccc; texts 4 to 5 of 5: d e"),
            (
                by(0, Some(0)),
                "text 1 of 5: aa; text 2 of 5: bb; text 3 of 5: cccccc; text 4 of 5: d; text 5 of 5: e",
            ),
        ];
        for (bounds, expected) in cases {
            assert_eq!(shown(&texts, bounds), expected, "{bounds:?}");
        }
        assert_eq!(shown(&[], by(1, None)), "");
    }

    #[test]
    fn texts_that_cannot_be_sent_are_named() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let cases = [
            (texts(&["a", " \n"]), Code::InputInvalid, "text 2 of 2 is empty, and nothing has no meaning"),
            (
                texts(&["a", "b", &"c".repeat(41)]),
                Code::ModelContextExceeded,
                "text 3 of 3 has about 11 tokens, and the model `m` reads at most 10",
            ),
        ];
        for (texts, code, message) in cases {
            let error = check("m", &texts, Some(10)).unwrap_err();
            assert_eq!((error.code(), error.message()), (code, message));
        }
        assert_eq!(check("m", &texts(&["a", &"c".repeat(40)]), Some(10)), Ok(()));
        assert_eq!(check("m", &texts(&[&"c".repeat(1_000_000)]), None), Ok(()));
    }

    proptest! {
        #[test]
        fn no_text_is_lost_and_no_call_is_too_large(
            texts in prop::collection::vec("[a-z]{1,20}", 0..60),
            most in 1_usize..8,
            tokens in prop::option::of(1_usize..50),
        ) {
            let batches = split(&texts, Bounds { texts: most, tokens });
            let again: Vec<String> = batches.iter().flat_map(|batch| batch.texts.to_vec()).collect();
            prop_assert_eq!(&again, &texts);
            for batch in batches {
                let bytes: usize = batch.texts.iter().map(String::len).sum();
                let one = batch.texts.len() == 1;
                prop_assert!(batch.texts.len() <= most);
                prop_assert!(one || tokens.is_none_or(|tokens| bytes <= tokens));
                prop_assert_eq!(batch.texts.first(), texts.get(batch.before));
            }
        }
    }
}
