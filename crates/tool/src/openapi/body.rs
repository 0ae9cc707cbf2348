//! The body of a request, as a document describes it.

use adjutant_core::Result;
use serde_json::Value;

use super::document::{Document, within};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Form,
    Multipart,
    Text,
    /// The bytes of a file.
    Bytes,
}

impl Media {
    fn of(media_type: &str) -> Self {
        let plain = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match plain.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            "application/json" | "*/*" | "application/*" => Self::Json,
            other if other.ends_with("+json") => Self::Json,
            "application/xml" => Self::Text,
            other if other.starts_with("text/") || other.ends_with("+xml") => Self::Text,
            _ => Self::Bytes,
        }
    }

    /// Which is taken where there is a choice: the first of these.
    fn rank(self) -> usize {
        [Self::Json, Self::Form, Self::Multipart, Self::Text, Self::Bytes]
            .iter()
            .position(|media| *media == self)
            .unwrap_or_default()
    }
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(super) struct Body<'a> {
    pub(super) media: Media,
    pub(super) media_type: String,
    pub(super) required: bool,
    pub(super) description: Option<&'a str>,
    /// The schema and its place.
    pub(super) schema: Option<(&'a Value, String)>,
    /// How single fields of a form are written.
    pub(super) encoding: Option<&'a Value>,
}

/// The body of an operation, if it has one.
pub(super) fn read<'a>(document: &'a Document, operation: &'a Value, at: &str) -> Result<Option<Body<'a>>> {
    let Some(node) = operation.get("requestBody") else { return Ok(None) };
    let (node, at) = document.resolve(node, &within(at, "requestBody"))?;
    let Some(content) = node.get("content").and_then(Value::as_object) else {
        return Err(document.fault(&at, "a request body must have a `content`"));
    };
    let choices = content.iter().map(|(media_type, inner)| (Media::of(media_type), media_type, inner));
    let Some((media, media_type, inner)) = choices.min_by_key(|(media, ..)| media.rank()) else {
        return Ok(None);
    };
    let at = within(&within(&within(&at, "content"), media_type), "schema");
    let media_type =
        if media_type.contains('*') { "application/json".to_owned() } else { media_type.clone() };
    Ok(Some(Body {
        media,
        media_type,
        required: node.get("required") == Some(&Value::Bool(true)),
        description: node.get("description").and_then(Value::as_str),
        schema: inner.get("schema").map(|schema| (schema, at)),
        encoding: inner.get("encoding"),
    }))
}
