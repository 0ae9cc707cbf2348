//! [`Validator`]: a tool's schema, compiled once.

use std::fmt;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError};
use serde_json::{Map, Value};

use super::{coerce, expected, repair};

/// The largest text that is read as arguments, in bytes.
pub const MAX_ARGUMENTS: usize = 16 << 20;

/// How many violations one error names.
const MOST_VIOLATIONS: usize = 5;

/// How long the text of one violation may be, in characters.
const LONGEST_VIOLATION: usize = 200;

/// A tool's schema, compiled once.
pub struct Validator {
    tool: String,
    schema: Value,
    compiled: jsonschema::Validator,
}

/// Why a value does not fit.
pub(crate) struct Unfit {
    /// What is wrong with it.
    pub(crate) violations: String,
    /// What is expected, in one line.
    pub(crate) expected: String,
}

impl Validator {
    /// Compiles the schema of a tool. Nothing is fetched: a reference must stay within the schema. Fails with
    /// [`Code::ToolInvalid`] when it is no schema of an object.
    pub fn new(spec: &ToolSpec) -> Result<Self> {
        Self::of(&spec.name, &spec.parameters).map_err(|why| {
            Error::new(
                Code::ToolInvalid,
                format!("the parameters of the tool `{}` are no JSON schema: {why}", spec.name),
            )
        })
    }

    /// Compiles the schema of what is called `name`, or says why it is none of an object.
    pub(crate) fn of(name: &str, schema: &Value) -> Result<Self, String> {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("they must have `\"type\": \"object\"`".to_owned());
        }
        let compiled = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            // A schema can come from a server that nobody vouches for; this engine takes linear time on any pattern.
            .with_pattern_options(PatternOptions::regex())
            .offline()
            .build(schema)
            .map_err(|error| format!("{error} at `{}`", error.instance_path()))?;
        Ok(Self { tool: name.to_owned(), schema: schema.clone(), compiled })
    }

    /// Reads a text as the arguments of one call. Fails with [`Code::ToolArguments`].
    pub fn read(&self, text: &str) -> Result<Value> {
        if text.len() > MAX_ARGUMENTS {
            let message = format!(
                "the arguments have {} bytes, more than the {MAX_ARGUMENTS} that are read",
                text.len()
            );
            return Err(
                Error::new(Code::ToolArguments, message).with_help("call the tool with less at a time")
            );
        }
        let mut value = parse(text).map_err(|fault| {
            Error::new(Code::ToolArguments, format!("the arguments of `{}` are not JSON: {fault}", self.tool))
                .with_help(self.hint())
        })?;
        coerce::coerce(&mut value, &self.schema);
        self.validate(&value)?;
        Ok(value)
    }

    /// Checks arguments that are values already. Fails with [`Code::ToolArguments`].
    pub fn validate(&self, value: &Value) -> Result<()> {
        let Some(violations) = self.violations(value) else { return Ok(()) };
        let message = format!("the arguments of `{}` do not fit its schema: {violations}", self.tool);
        Err(Error::new(Code::ToolArguments, message).with_help(self.hint()))
    }

    /// Makes a value fit that somebody else than a model gave, or says why it does not.
    pub(crate) fn fitting(&self, mut value: Value) -> Result<Value, Unfit> {
        coerce::coerce(&mut value, &self.schema);
        match self.violations(&value) {
            None => Ok(value),
            Some(violations) => Err(Unfit { violations, expected: expected::signature(&self.schema) }),
        }
    }

    /// What is wrong with a value; none where it fits.
    fn violations(&self, value: &Value) -> Option<String> {
        let violations: Vec<String> =
            self.compiled.iter_errors(value).take(MOST_VIOLATIONS).map(|error| describe(&error)).collect();
        (!violations.is_empty()).then(|| violations.join("; "))
    }

    fn hint(&self) -> String {
        format!("the tool expects {}", expected::signature(&self.schema))
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").field("tool", &self.tool).finish_non_exhaustive()
    }
}

/// Parses, and repairs where it must.
fn parse(text: &str) -> Result<Value, repair::Fault> {
    let value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => repair::parse(text)?,
    };
    Ok(match value {
        // Some models write the object as a text within the JSON.
        Value::String(inner) => match serde_json::from_str(&inner) {
            Ok(object @ Value::Object(_)) => object,
            _ => repair::parse(&inner).ok().filter(Value::is_object).unwrap_or(Value::String(inner)),
        },
        Value::Null => Value::Object(Map::new()),
        other => other,
    })
}

/// One violation: the path, and the reason without the value, which can be huge.
fn describe(error: &ValidationError<'_>) -> String {
    let (error, depth) = nearest(error);
    let reason = match error.kind() {
        ValidationErrorKind::Required { property } => format!("{property} is missing"),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!(
                "there is no argument {}",
                unexpected.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )
        }
        _ => error.masked().to_string(),
    };
    let path = match depth {
        0 => String::new(),
        _ => format!("`{}`: ", error.instance_path()),
    };
    shorten(format!("{path}{reason}"))
}

/// For a value that fits none of several schemas: what is wrong by the schema that it comes nearest to.
fn nearest<'a>(error: &'a ValidationError<'a>) -> (&'a ValidationError<'a>, usize) {
    let depth = error.instance_path().as_str().matches('/').count();
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) =
        error.kind()
    else {
        return (error, depth);
    };
    let deepest =
        context.iter().flatten().max_by_key(|inner| inner.instance_path().as_str().matches('/').count());
    match deepest {
        Some(inner) if inner.instance_path().as_str().matches('/').count() > depth => {
            (inner, inner.instance_path().as_str().matches('/').count())
        }
        _ => (error, depth),
    }
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(LONGEST_VIOLATION) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
