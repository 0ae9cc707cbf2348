//! [`Strict`]: a body is what its description says.
//!
//! What reads a body takes more than that: a list in the place of an object, the number of a variant for its name, a text of any
//! length. A client that relies on it would break with the next version, so it is told at once.

use std::sync::OnceLock;

use adjutant_core::{Code, Error, Result};
use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::body::Body;

/// How much of what is wrong is told, in characters.
const LONGEST: usize = 300;

/// Holds bodies against their description, which is compiled when the first one comes.
pub(super) struct Strict {
    describe: fn() -> Option<Value>,
    compiled: OnceLock<Option<Validator>>,
}

impl Strict {
    /// That of bodies of this type.
    pub(super) fn of<B: Body>() -> Self {
        Self { describe: schema::<B>, compiled: OnceLock::new() }
    }

    /// Fails with [`Code::InputInvalid`] where a body is not what is described. One that is not there is what need not be there.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<()> {
        let compiled = self.compiled.get_or_init(|| compile(&(self.describe)()?));
        let Some(validator) = compiled.as_ref().filter(|_| !bytes.is_empty()) else { return Ok(()) };
        let unreadable = |error| Error::new(Code::InputInvalid, format!("the body is wrong: {error}"));
        let body: Value = serde_json::from_slice(bytes).map_err(unreadable)?;
        validator.validate(&body).map_err(|error| {
            let (at, wrong) = (error.instance_path().to_string(), error.to_string());
            let at = if at.is_empty() { String::new() } else { format!(" at `{at}`") };
            let wrong: String = wrong.chars().take(LONGEST).collect();
            Error::new(Code::InputInvalid, format!("the body is wrong{at}: {wrong}"))
                .with_help("`/api/openapi.json` says what it looks like")
        })
    }
}

/// The schema of a body, with all that it refers to.
fn schema<B: Body>() -> Option<Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = Value::from(B::describe(&mut generator)?.1);
    schema.as_object_mut()?.insert("$defs".to_owned(), generator.take_definitions(true).into());
    Some(schema)
}

fn compile(schema: &Value) -> Option<Validator> {
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).offline();
    options.build(schema).ok()
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::endpoint::{Nothing, Optional};

    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Given {
        #[schemars(length(max = 3))]
        name: Option<String>,
        inner: Option<Inner>,
    }

    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Inner {
        count: Option<u32>,
    }

    #[test]
    fn what_only_its_reader_takes_is_refused() {
        let strict = Strict::of::<Json<Given>>();
        let check = |text: &str| strict.check(text.as_bytes()).map_err(|error| error.message().to_owned());
        assert!(serde_json::from_str::<Given>("{\"inner\": [7]}").is_ok(), "its reader takes it");
        for right in ["{}", "{\"name\": \"abc\", \"inner\": {\"count\": 7.0}}", "{\"inner\": null}", ""] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        assert_eq!(
            check("{\"inner\": [7]}").unwrap_err().split(':').next(),
            Some("the body is wrong at `/inner`")
        );
        for wrong in ["[]", "{\"name\": \"abcd\"}", "{\"other\": 1}"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        assert!(Strict::of::<Optional<Given>>().check(b"[]").is_err());
        assert!(Strict::of::<Nothing>().check(b"[]").is_ok(), "nothing is asked for");
    }
}
