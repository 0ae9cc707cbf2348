//! The body of a request.

use adjutant_core::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::super::body::Media;
use super::super::inputs::{Content, Field, Shape};
use super::super::parameter::Style;
use super::multipart::{self, Part};
use super::{style, wrong};

/// The media type and the bytes of the body; none where no argument of it was given.
pub(super) fn write(content: &Content, arguments: &Map<String, Value>) -> Result<Option<(String, Vec<u8>)>> {
    let media_type = content.media_type.clone();
    match &content.shape {
        Shape::Whole(argument) => {
            let Some(value) = arguments.get(argument) else { return Ok(None) };
            let bytes = match content.media {
                Media::Json => value.to_string().into_bytes(),
                Media::Text => style::text(value).into_bytes(),
                Media::Bytes => file(argument, value)?.bytes,
                Media::Form => match value.as_object() {
                    Some(fields) => form(fields.iter().map(|(name, value)| (name.as_str(), value, None))),
                    None => style::text(value).into_bytes(),
                },
                Media::Multipart => {
                    let parts: Vec<Part> = value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, value)| plain(name, value, None))
                        .collect();
                    return Ok(Some(multipart::write(&parts)));
                }
            };
            Ok(Some((media_type, bytes)))
        }
        Shape::Fields(fields) => {
            let given: Vec<(&Field, &Value)> =
                fields.iter().filter_map(|field| Some((field, arguments.get(&field.argument)?))).collect();
            if given.is_empty() && !content.required {
                return Ok(None);
            }
            match content.media {
                Media::Form => Ok(Some((
                    media_type,
                    form(given.iter().map(|(field, value)| (field.name.as_str(), *value, Some(*field)))),
                ))),
                Media::Multipart => {
                    let mut parts = Vec::new();
                    for (field, value) in given {
                        parts.extend(field_parts(field, value)?);
                    }
                    Ok(Some(multipart::write(&parts)))
                }
                _ => {
                    let object: Map<String, Value> =
                        given.into_iter().map(|(field, value)| (field.name.clone(), value.clone())).collect();
                    Ok(Some((media_type, Value::Object(object).to_string().into_bytes())))
                }
            }
        }
    }
}

/// Fields of a form. What is nested is JSON, unless the document says how it is written.
fn form<'a>(fields: impl Iterator<Item = (&'a str, &'a Value, Option<&'a Field>)>) -> Vec<u8> {
    let pairs = fields.filter(|(_, value, _)| !value.is_null()).flat_map(|(name, value, field)| {
        let usual = super::super::parameter::Form { style: Style::Form, explode: true, reserved: false };
        let mut form = field.map_or(usual, |field| field.form);
        if value.is_object() && form.style == Style::Form {
            form = super::super::parameter::Form::JSON;
        }
        style::query(name, value, form)
    });
    pairs.collect::<Vec<_>>().join("&").into_bytes()
}

fn field_parts(field: &Field, value: &Value) -> Result<Vec<Part>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(|item| field_part(field, item)).collect(),
        value => Ok(vec![field_part(field, value)?]),
    }
}

fn field_part(field: &Field, value: &Value) -> Result<Part> {
    if !field.file {
        return Ok(plain(&field.name, value, field.media_type.as_deref()));
    }
    let file = file(&field.argument, value)?;
    Ok(Part {
        name: field.name.clone(),
        file_name: Some(file.name),
        media_type: file.media_type.or_else(|| field.media_type.clone()).or_else(|| Some(OCTETS.to_owned())),
        bytes: file.bytes,
    })
}

fn plain(name: &str, value: &Value, media_type: Option<&str>) -> Part {
    let usual = (value.is_object() || value.is_array()).then_some("application/json");
    Part {
        name: name.to_owned(),
        file_name: None,
        media_type: media_type.or(usual).map(str::to_owned),
        bytes: style::text(value).into_bytes(),
    }
}

const OCTETS: &str = "application/octet-stream";

struct File {
    name: String,
    media_type: Option<String>,
    bytes: Vec<u8>,
}

/// A file as a model gives it.
fn file(argument: &str, value: &Value) -> Result<File> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let bytes = match (text("text"), text("base64")) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(encoded)) => {
            let plain: String = encoded.chars().filter(|c| !c.is_whitespace()).collect();
            STANDARD
                .decode(plain)
                .map_err(|error| wrong(format!("`{argument}.base64` is not in base 64: {error}")))?
        }
        _ => return Err(wrong(format!("`{argument}` must have either `text` or `base64`"))),
    };
    let name = text("name").filter(|name| !name.is_empty()).unwrap_or("file").to_owned();
    Ok(File { name, media_type: text("media_type").map(str::to_owned), bytes })
}
