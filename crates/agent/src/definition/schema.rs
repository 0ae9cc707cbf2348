//! Schemas of answers.

use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Checks the JSON schema (2020-12) of an agent's answer. It must describe an object, since that is what providers
/// enforce, and may not refer to other documents. Fails with [`Code::ProjectInvalid`].
pub fn check(schema: &Value) -> Result<()> {
    let invalid =
        |why: String| Error::new(Code::ProjectInvalid, format!("the output schema is not valid: {why}"));
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err(invalid("it does not describe an object".into())
            .with_help("begin it with `type: object` and put the fields under `properties`"));
    }
    match jsonschema::draft202012::new(schema) {
        Ok(_) => Ok(()),
        Err(error) => {
            let path = error.instance_path().to_string();
            let at = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
            let why: String = error.to_string().chars().take(300).collect();
            Err(invalid(format!("{why}{at}")))
        }
    }
}

/// The schema of a Rust type, in the form that every provider takes: whole, without references where the type is not
/// recursive, and without a mark of its version.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_must_describe_an_object() {
        assert!(check(&json!({ "type": "object", "properties": { "a": { "type": "string" } } })).is_ok());
        for (schema, why) in [
            (json!({ "type": "array" }), "it does not describe an object"),
            (json!({ "properties": {} }), "it does not describe an object"),
            (json!("text"), "it does not describe an object"),
            (json!({ "type": "object", "properties": { "a": { "type": "strin" } } }), "/properties/a/type"),
            (json!({ "type": "object", "required": "a" }), "/required"),
            (json!({ "type": "object", "$ref": "https://example.com/schema.json" }), "example.com"),
        ] {
            let error = check(&schema).unwrap_err();
            assert!(error.message().contains(why), "{schema}: {error}");
        }
    }
}
