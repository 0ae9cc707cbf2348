//! Tool calls as the interface takes them.
//!
//! `ToolUseBlock` in the service description: a name has 1 to 64 characters of letters, digits, `_` and `-`, and the
//! input is an object. An id may have points and colons too, which those of others are made without.

use serde_json::{Map, Value, json};

const LONGEST: usize = 64;

/// A name that may be sent. A model may have called what is no tool at all, and was told so.
pub(super) fn name(tool: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = tool.chars().map(legal).take(LONGEST).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// The arguments as an object; what is none is shown as the text that it was.
pub(super) fn input(arguments: &str) -> Value {
    match serde_json::from_str::<Map<String, Value>>(arguments) {
        Ok(input) => Value::Object(input),
        Err(_) if arguments.trim().is_empty() => json!({}),
        Err(_) => json!({"invalid_arguments": arguments}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal() {
        let long = "x".repeat(65);
        let cases = [
            ("look_up", "look_up"),
            ("files.read", "files_read"),
            ("", "unknown"),
            ("ä b", "__b"),
            (&long, &long[1..]),
        ];
        for (given, expected) in cases {
            assert_eq!(name(given), expected);
        }
    }

    #[test]
    fn input_is_an_object() {
        let cases = [
            (r#"{"a":1}"#, json!({"a": 1})),
            (" ", json!({})),
            ("{", json!({"invalid_arguments": "{"})),
            ("[1]", json!({"invalid_arguments": "[1]"})),
        ];
        for (arguments, expected) in cases {
            assert_eq!(input(arguments), expected);
        }
    }
}
