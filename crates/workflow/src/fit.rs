//! Whether values fit a JSON schema.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// What checks values against a schema (2020-12), which refers to nothing outside. Fails with what is wrong with the schema.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    let options = options.with_pattern_options(PatternOptions::regex()).offline();
    options.build(schema).map_err(|error| error.to_string())
}

/// Whether a value fits a schema, and why not.
pub(crate) fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = validator(schema).map_err(|why| format!("the schema itself is wrong: {why}"))?;
    passes(&validator, value)
}

/// Whether a value fits a schema that was read before, and why not.
pub(crate) fn passes(validator: &Validator, value: &Value) -> Result<(), String> {
    match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) if error.instance_path().as_str().is_empty() => Err(error.to_string()),
        Some(error) => Err(format!("{}: {error}", error.instance_path())),
    }
}
