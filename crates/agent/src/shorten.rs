//! Makes long texts short enough for a model.

use adjutant_core::message::{Part, ToolResult};

/// Keeps the beginning and the end of a text, and says what is missing between them. None when the text fits.
///
/// The result is at most `most` bytes and the length of `missing` long.
pub(crate) fn text(text: &str, most: usize, missing: impl FnOnce(usize) -> String) -> Option<String> {
    if text.len() <= most {
        return None;
    }
    let head = floor(text, most / 4 * 3);
    let tail = ceil(text, text.len() - most / 4);
    let omitted = missing(tail - head);
    let (head, tail) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    Some(format!("{head}\n[... {omitted} ...]\n{tail}"))
}

/// Shortens the text of a result to `most` bytes over all its parts. What is not text stays. Returns whether there
/// was anything to shorten.
pub(crate) fn result(result: &mut ToolResult, most: usize, missing: impl Fn(usize) -> String) -> bool {
    let mut room = most;
    let mut changed = false;
    for part in &mut result.content {
        let Part::Text { text: content } = part else { continue };
        if let Some(short) = text(content, room, &missing) {
            *content = short;
            changed = true;
        }
        room = room.saturating_sub(content.len());
    }
    if changed {
        // It is the same once more.
        result.data = None;
    }
    changed
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::ToolCall;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_ends_stay() {
        let long = format!("{}{}", "a".repeat(100), "z".repeat(100));
        let short = text(&long, 40, |bytes| format!("{bytes} bytes")).unwrap();
        assert_eq!(short, format!("{}\n[... 160 bytes ...]\n{}", "a".repeat(30), "z".repeat(10)));
        assert_eq!(text("short", 5, |_| String::new()), None);
    }

    #[test]
    fn the_bound_holds_over_all_parts() {
        let call = ToolCall { id: "1".into(), name: "read".into(), arguments: "{}".into() };
        let mut long = ToolResult::text(&call, "a".repeat(60));
        long.content.push(Part::text("b".repeat(60)));
        assert!(result(&mut long, 100, |_| String::new()));
        assert!(long.as_text().starts_with(&"a".repeat(60)));
        assert!(long.as_text().len() < 120);
    }

    proptest! {
        #[test]
        fn any_text_at_any_length(long in "\\PC{0,80}", most in 0usize..60) {
            if let Some(short) = text(&long, most, |_| String::new()) {
                prop_assert!(short.len() <= most + "\n[...  ...]\n".len());
            }
        }
    }
}
