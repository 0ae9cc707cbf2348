//! Makes the words of a stranger fit to be read: bounded, and without what cannot be seen. Pure.

use serde_json::{Map, Value};

/// How long what is shown of a failure may be, in characters.
pub(super) const LONGEST_REASON: usize = 2_000;

/// A text without control characters and invisible ones, cut after `most` characters.
pub(super) fn words(text: &str, most: usize) -> String {
    let mut seen = text.chars().filter(|c| !is_unseen(*c));
    let mut kept: String = seen.by_ref().take(most).collect();
    if seen.next().is_some() {
        kept.push_str(" [cut off]");
    }
    kept.trim().to_owned()
}

/// The same on one line.
pub(super) fn line(text: &str, most: usize) -> String {
    words(&text.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// Whether nobody sees a character: controls but for the breaks of lines and tabs, what turns the direction of text,
/// and what has no width at all, by which text is hidden in text.
pub(super) fn is_unseen(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0e}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

/// A schema whose explanations are clean and at most `most` characters each. What it demands stays as it is.
pub(super) fn schema(schema: &Value, most: usize) -> Value {
    const WORDS: [&str; 3] = ["title", "description", "$comment"];
    /// What holds values, not schemas.
    const VALUES: [&str; 4] = ["enum", "const", "default", "examples"];
    match schema {
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                let value = match value {
                    Value::String(text) if WORDS.contains(&key.as_str()) => words(text, most).into(),
                    value if VALUES.contains(&key.as_str()) => value.clone(),
                    value => self::schema(value, most),
                };
                (key.clone(), value)
            };
            Value::Object(map.iter().map(entry).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| self::schema(item, most)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_unseen_is_left() {
        for (text, expected) in [
            ("plain\n\ttext", "plain\n\ttext"),
            ("a\u{200b}b\u{202e}c\u{e0041}\u{1b}[31m\u{0}", "abc[31m"),
            ("  größe 猫 🙂 ", "größe 猫 🙂"),
        ] {
            assert_eq!(words(text, 100), expected);
        }
        assert_eq!(words("abcdef", 3), "abc [cut off]");
        assert_eq!(words("abc", 3), "abc");
        assert_eq!(line("a\n  b\tc", 100), "a b c");
    }

    #[test]
    fn a_schema_keeps_its_meaning() {
        let dirty = json!({ "description": "a\u{200b}b", "properties": { "description": { "type": "string",
            "enum": ["x\u{200b}"], "description": "c\u{7}" } } });
        let expected = json!({ "description": "ab", "properties": { "description": { "type": "string",
            "enum": ["x\u{200b}"], "description": "c" } } });
        assert_eq!(schema(&dirty, 100), expected);
    }
}
