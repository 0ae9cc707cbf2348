//! Whether a value that was written can have a type, as far as that can be said before it is made.

use serde_json::{Map, Value, json};

use crate::fit;
use crate::plan::Argument;

/// Whether what is written may fit a schema, and why it cannot. What expressions and agents make is not known yet.
pub(crate) fn fits(written: &Argument, schema: &Value) -> Result<(), String> {
    match (known(written), kind(written)) {
        (Some(value), _) => fit::fits(schema, &value),
        (None, Some(kind)) => match schema.get("type") {
            Some(wanted) if !allows(wanted, kind) => Err(format!("it is of type \"{kind}\", not {wanted}")),
            _ => Ok(()),
        },
        (None, None) => Ok(()),
    }
}

/// The value of what looks at no others.
fn known(written: &Argument) -> Option<Value> {
    match written {
        Argument::Value(value) => Some(value.clone()),
        Argument::Text(text) => text.constant().map(Value::from),
        Argument::Expression(expression) => expression.constant(),
        Argument::List(items) => items.iter().map(known).collect::<Option<Vec<_>>>().map(Value::Array),
        Argument::Table(fields) => {
            let fields = fields.iter().map(|(name, field)| Some((name.clone(), known(field)?)));
            fields.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
    }
}

/// The type that it has whatever it is made of.
fn kind(written: &Argument) -> Option<&'static str> {
    match written {
        Argument::Value(_) | Argument::Expression(_) => None,
        Argument::Text(_) => Some("string"),
        Argument::List(_) => Some("array"),
        Argument::Table(_) => Some("object"),
    }
}

fn allows(wanted: &Value, kind: &str) -> bool {
    match wanted {
        Value::Array(kinds) => kinds.contains(&json!(kind)),
        one => *one == json!(kind),
    }
}
