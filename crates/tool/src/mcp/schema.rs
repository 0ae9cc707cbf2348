//! What of a server's schemas can be used. Pure.

use std::time::Duration;

use adjutant_core::tool::{Effect, ToolSpec};
use serde_json::Value;

use super::clean;
use crate::arguments::Validator;

/// The longest schema of one tool, in bytes of JSON.
const LONGEST: usize = 64 << 10;

/// How long one explanation in a schema may be, in characters.
const LONGEST_WORDS: usize = 1_000;

/// The schema of a tool's arguments as models get it, or why the tool cannot be offered.
pub(super) fn arguments(schema: &Value) -> Result<Value, String> {
    if schema.to_string().len() > LONGEST {
        return Err(format!("its schema is longer than {LONGEST} bytes"));
    }
    let mut schema = clean::schema(schema, LONGEST_WORDS);
    // What has no kind takes an object all the same: arguments are one.
    if let Value::Object(map) = &mut schema {
        map.entry("type").or_insert_with(|| "object".into());
    }
    let spec = ToolSpec {
        name: "tool".to_owned(),
        description: String::new(),
        parameters: schema.clone(),
        effect: Effect::Pure,
        timeout: Duration::from_secs(1),
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    };
    match Validator::new(&spec) {
        Ok(_) => Ok(schema),
        Err(error) => Err(format!("its schema cannot be used: {error}")),
    }
}

/// The fields of an object, and whether each must be there.
pub(super) fn fields(schema: &Value) -> impl Iterator<Item = (&str, bool)> {
    let required = schema.get("required").and_then(Value::as_array);
    let must = move |name: &str| required.is_some_and(|names| names.iter().any(|other| other == name));
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.map(move |(name, _)| (name.as_str(), must(name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_that_cannot_be_used_says_why() {
        assert_eq!(arguments(&json!({})).unwrap(), json!({ "type": "object" }));
        assert!(
            arguments(&json!({ "type": "object", "properties": { "a": { "type": "integer" } } })).is_ok()
        );
        assert!(
            arguments(&json!({ "type": "object", "properties": { "a": { "type": "nonsense" } } })).is_err()
        );
        assert!(arguments(&json!({ "$ref": "https://example.org/schema.json" })).is_err());
        assert!(arguments(&json!({ "description": "x".repeat(100_000) })).is_err());
    }
}
