//! How values are written into addresses and headers, by OpenAPI's styles (after RFC 6570). Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::super::parameter::{Form, Style};

/// All but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Reserved characters may stay, except those that would end the value.
const RESERVED: &AsciiSet = &STRICT
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// One value without marks: a text as it is, anything nested as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn encoded(value: &Value, form: Form) -> String {
    encode(&text(value), form)
}

fn encode(text: &str, form: Form) -> String {
    utf8_percent_encode(text, if form.reserved { RESERVED } else { STRICT }).to_string()
}

fn list(items: &[Value], separator: &str, write: impl Fn(&Value) -> String) -> String {
    items.iter().map(write).collect::<Vec<_>>().join(separator)
}

fn object(
    fields: &Map<String, Value>,
    between: &str,
    separator: &str,
    write: impl Fn(&str) -> String,
) -> String {
    let fields = fields.iter().filter(|(_, value)| !value.is_null());
    let fields = fields.map(|(name, value)| format!("{}{between}{}", write(name), write(&text(value))));
    fields.collect::<Vec<_>>().join(separator)
}

/// A value within a path.
pub(super) fn path(name: &str, value: &Value, form: Form) -> String {
    // Within a path nothing reserved may stay: `/` would make two steps of one.
    let form = Form { reserved: false, ..form };
    let one = |value: &Value| encoded(value, form);
    let key = |text: &str| encode(text, form);
    match (form.style, value) {
        (Style::Json, value) => encode(&value.to_string(), form),
        (Style::Label, Value::Array(items)) => {
            format!(".{}", list(items, if form.explode { "." } else { "," }, one))
        }
        (Style::Label, Value::Object(fields)) => match form.explode {
            true => format!(".{}", object(fields, "=", ".", key)),
            false => format!(".{}", object(fields, ",", ",", key)),
        },
        (Style::Label, value) => format!(".{}", one(value)),
        (Style::Matrix, Value::Array(items)) => match form.explode {
            true => list(items, "", |item| format!(";{}={}", key(name), one(item))),
            false => format!(";{}={}", key(name), list(items, ",", one)),
        },
        (Style::Matrix, Value::Object(fields)) => match form.explode {
            true => format!(";{}", object(fields, "=", ";", key)),
            false => format!(";{}={}", key(name), object(fields, ",", ",", key)),
        },
        (Style::Matrix, value) => format!(";{}={}", key(name), one(value)),
        (_, Value::Array(items)) => list(items, ",", one),
        (_, Value::Object(fields)) => object(fields, if form.explode { "=" } else { "," }, ",", key),
        (_, value) => one(value),
    }
}

/// A value of the query, as pairs `name=value`.
pub(super) fn query(name: &str, value: &Value, form: Form) -> Vec<String> {
    let key = |text: &str| encode(text, form);
    let plain = |text: &str| encode(text, Form { reserved: false, ..form });
    let pair = |text: String| vec![format!("{}={text}", plain(name))];
    match (form.style, value) {
        (Style::Json, value) => pair(encode(&value.to_string(), form)),
        (Style::DeepObject, Value::Object(_)) => deep(name, value, form),
        (_, Value::Array(items)) if items.is_empty() => Vec::new(),
        (_, Value::Array(items)) if form.explode => {
            items.iter().map(|item| format!("{}={}", plain(name), encoded(item, form))).collect()
        }
        (style, Value::Array(items)) => {
            let separator = match style {
                Style::SpaceDelimited => "%20",
                Style::PipeDelimited => "|",
                _ => ",",
            };
            pair(list(items, separator, |item| encoded(item, form)))
        }
        (_, Value::Object(fields)) if form.explode => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{}={}", plain(name), encoded(value, form)))
            .collect(),
        (_, Value::Object(fields)) => pair(object(fields, ",", ",", key)),
        (_, value) => pair(encoded(value, form)),
    }
}

/// `name[a][b]=value`, and lists as the same name several times.
fn deep(name: &str, value: &Value, form: Form) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(key, value)| deep(&format!("{name}[{key}]"), value, form)).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| deep(name, item, form)).collect(),
        Value::Null => Vec::new(),
        value => {
            let brackets = Form { reserved: false, ..form };
            vec![format!("{}={}", encode(name, brackets), encoded(value, form))]
        }
    }
}

/// A value of a header.
pub(super) fn header(value: &Value, form: Form) -> String {
    match (form.style, value) {
        (Style::Json, value) => value.to_string(),
        (_, Value::Array(items)) => list(items, ",", text),
        (_, Value::Object(fields)) => {
            object(fields, if form.explode { "=" } else { "," }, ",", str::to_owned)
        }
        (_, value) => text(value),
    }
}
