//! Characters by which a text says something else than what a person sees.

use std::iter::Peekable;
use std::str::CharIndices;

use super::folded::lookalike;
use super::hit::Hit;
use super::pattern::is_word;

/// The category of these hits.
pub const UNICODE: &str = "unicode";

/// What was seen of some characters.
const TAGS: &str = "tag characters, which spell text that nobody sees";
const TURNED: &str = "characters that turn the direction of text";
const INVISIBLE: &str = "invisible characters";
const CONTROL: &str = "control characters";
const MIXED: &str = "a word with letters of another alphabet that look like Latin ones";

/// Whether nobody sees a character: controls but for the breaks of lines and tabs, what turns the direction of text,
/// and what has no width at all.
pub(super) fn is_unseen(c: char) -> bool {
    kind(c).is_some()
}

fn kind(c: char) -> Option<(&'static str, f64)> {
    Some(match c {
        '\n' | '\r' | '\t' => return None,
        '\u{e0000}'..='\u{e0fff}' => (TAGS, 0.95),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => (TURNED, 0.8),
        // Marks of direction, soft hyphens, joiners and selectors also stand in honest text.
        '\u{ad}' | '\u{61c}' | '\u{200c}'..='\u{200f}' | '\u{feff}' | '\u{180b}'..='\u{180f}' => {
            (INVISIBLE, 0.3)
        }
        '\u{fe00}'..='\u{fe0f}' => (INVISIBLE, 0.2),
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{200b}'
        | '\u{2028}'..='\u{2029}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' => (INVISIBLE, 0.6),
        c if c.is_control() => (CONTROL, 0.6),
        _ => return None,
    })
}

/// Finds characters that nobody sees, and words whose letters only look like what they seem.
///
/// What joins the parts of an emoji or the letters of a script that needs it is left alone.
pub fn find(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        return hits;
    }
    let mut chars = text.char_indices().peekable();
    let (mut before, mut word) = (None, Word::default());
    while let Some((start, c)) = chars.next() {
        word = word.next(start, c, &mut hits);
        let Some((what, score)) = kind(c) else {
            before = Some(c);
            continue;
        };
        let (mut end, mut many) = (start + c.len_utf8(), 1);
        while let Some((at, c)) = chars.next_if(|(_, next)| kind(*next).is_some_and(|kind| kind.0 == what)) {
            (end, many) = (at + c.len_utf8(), many + 1);
        }
        if many <= 2 && joins(before, start, c, &mut chars) {
            continue;
        }
        // A run of them is no accident.
        let score = if many > 3 { f64::max(score, 0.8) } else { score };
        hits.push(Hit::new(UNICODE, score, start..end, what));
    }
    word.end(text.len(), &mut hits);
    hits
}

/// Whether an invisible character is one that its neighbours need.
fn joins(before: Option<char>, start: usize, c: char, chars: &mut Peekable<CharIndices<'_>>) -> bool {
    let Some(before) = before else { return c == '\u{feff}' && start == 0 };
    match c {
        '\u{fe00}'..='\u{fe0f}' => !before.is_ascii_alphabetic(),
        '\u{200c}' | '\u{200d}' => {
            let after = chars.peek().map_or(' ', |(_, c)| *c);
            !before.is_ascii() && !after.is_ascii()
        }
        '\u{e0020}'..='\u{e007f}' => before == '\u{1f3f4}',
        _ => false,
    }
}

/// The word that is being read.
#[derive(Default)]
struct Word {
    start: usize,
    latin: bool,
    alike: bool,
    other: bool,
}

impl Word {
    fn next(mut self, at: usize, c: char, hits: &mut Vec<Hit>) -> Self {
        if !is_word(c) && !is_unseen(c) {
            self.end(at, hits);
            return Self { start: at + c.len_utf8(), ..Self::default() };
        }
        self.latin |= c.is_ascii_alphabetic();
        if !c.is_ascii() && c.is_alphabetic() && !is_latin(c) {
            match lookalike(c) {
                Some(_) => self.alike = true,
                None => self.other = true,
            }
        }
        self
    }

    fn end(&self, end: usize, hits: &mut Vec<Hit>) {
        if self.latin && self.alike {
            hits.push(Hit::new(UNICODE, if self.other { 0.5 } else { 0.8 }, self.start..end, MIXED));
        }
    }
}

fn is_latin(c: char) -> bool {
    matches!(c, '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_found_and_honest_text_is_left_alone() {
        for (text, expected) in [
            ("plain text\n\twith tabs\r\n", vec![]),
            ("Größe, naïve, 猫, мир, ελλάδα, 10 μm", vec![]),
            ("👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}", vec![]),
            ("می\u{200c}خواهم", vec![]),
            ("a\u{200b}b", vec![INVISIBLE]),
            ("abc\u{202e}txt.exe", vec![TURNED]),
            ("hi\u{e0049}\u{e0067}\u{e006e}\u{e006f}", vec![TAGS]),
            ("red\u{1b}[31m", vec![CONTROL]),
            ("pаypal is not paypal", vec![MIXED]),
        ] {
            let found: Vec<_> = find(text).into_iter().map(|hit| hit.what).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
