//! What both of OpenAI's interfaces write in the same way.

use serde_json::{Map, Value, json};

/// The number that the caller wrote: 0.2, not the 0.20000000298... that lies next to it in double precision.
pub(super) fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).into()
}

/// The arguments of a call as the text of a JSON object. Many servers parse them again and refuse the whole request
/// otherwise, long after the model was told that they were broken; so what is no object is shown as the text that it
/// was.
pub(super) fn arguments(text: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => json!({"invalid_arguments": text}).to_string(),
    }
}

/// A name for a schema: at most 64 letters, digits, `-` and `_`.
pub(super) fn schema_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = name.chars().take(64).map(allowed).collect();
    if name.is_empty() { "output".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_a_name_that_is_allowed() {
        let long = "x".repeat(65);
        let cases =
            [("my answer", "my_answer"), ("a-b_1", "a-b_1"), ("", "output"), ("ä", "_"), (&long, &long[1..])];
        for (name, expected) in cases {
            assert_eq!(schema_name(name), expected);
        }
    }
}
