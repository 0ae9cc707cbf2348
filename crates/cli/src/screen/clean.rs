//! Text from models, tools and files, made safe to show.

use std::borrow::Cow;

/// Takes out what would steer the terminal: control characters other than line breaks and tabs, and the invisible
/// characters that reorder text. A model or a file must not be able to move the cursor, set the title or hide words.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| *c != '\r').map(|c| if steers(c) { '\u{fffd}' } else { c }).collect())
}

fn steers(c: char) -> bool {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    reorders || (c.is_control() && c != '\n' && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        for (text, expected) in [
            ("plain\n\ttext é", "plain\n\ttext é"),
            ("\x1b[2Jgone", "\u{fffd}[2Jgone"),
            ("a\r\nb", "a\nb"),
            ("\u{202e}txt.exe", "\u{fffd}txt.exe"),
            ("\u{9b}31m", "\u{fffd}31m"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }
}
