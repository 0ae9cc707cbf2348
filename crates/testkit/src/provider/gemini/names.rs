//! The names of fields, which this interface takes in two spellings: `includeThoughts` and `include_thoughts`.
//!
//! Google's own client mixes them within one request. The rule is that of JSON for protocol buffers.

use serde_json::Value;

/// What people's own names stand in, which are theirs to spell.
const OWN: [&str; 7] = [
    "args",
    "response",
    "labels",
    "parameters",
    "parametersJsonSchema",
    "responseSchema",
    "responseJsonSchema",
];

/// A value with the names of all fields in the first spelling.
pub(super) fn lower_camel(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().map(field).collect(),
        Value::Array(elements) => elements.into_iter().map(lower_camel).collect(),
        other => other,
    }
}

fn field((name, value): (String, Value)) -> (String, Value) {
    let name = spelled(&name);
    let value = if OWN.contains(&name.as_str()) { value } else { lower_camel(value) };
    (name, value)
}

fn spelled(name: &str) -> String {
    let mut after_line = false;
    let mut spelled = String::with_capacity(name.len());
    for character in name.chars() {
        match (character, after_line) {
            ('_', _) => {}
            (character, true) => spelled.push(character.to_ascii_uppercase()),
            (character, false) => spelled.push(character),
        }
        after_line = character == '_';
    }
    spelled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_spelled_in_one_way_and_peoples_names_in_theirs() {
        let schema = json!({"type": "object", "properties": {"city_name": {"type": "string"}}});
        let sent = json!({
            "generation_config": {"thinkingConfig": {"include_thoughts": true}, "response_json_schema": schema},
            "contents": [{"parts": [{"inlineData": {"mime_type": "image/png"}}, {"function_call": {"args": {"a_b": 1}}}]}],
        });
        let read = json!({
            "generationConfig": {"thinkingConfig": {"includeThoughts": true}, "responseJsonSchema": schema},
            "contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}, {"functionCall": {"args": {"a_b": 1}}}]}],
        });
        assert_eq!(lower_camel(sent), read);
    }
}
