//! Images, sounds and files as clients send them: as a `data:` address, as an address, or as bytes.

use adjutant_core::message::{Media, MediaSource};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::fault::Fault;
use super::node::Node;

/// What an address stands for; `fallback` is the media type of an address that does not tell one.
pub(crate) fn by_address(node: &Node<'_>, name: Option<String>, fallback: &str) -> Result<Media, Fault> {
    let address = node.text()?;
    if let Some(rest) = address.strip_prefix("data:") {
        let (head, data) = rest.split_once(',').ok_or_else(|| no_data(node))?;
        let media_type = head.strip_suffix(";base64").ok_or_else(|| no_data(node))?;
        let media_type = if media_type.is_empty() { fallback } else { media_type };
        return of_bytes(node, data, media_type.to_owned(), name);
    }
    if !(address.starts_with("https://") || address.starts_with("http://")) {
        let message = format!("`{}` is neither an address on the web nor a `data:` address", node.place());
        return Err(node.wrong("invalid_value", message));
    }
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let media_type = file_type(path).unwrap_or(fallback).to_owned();
    Ok(Media { media_type, name, source: MediaSource::Url(address.to_owned()) })
}

/// Bytes in base 64.
pub(crate) fn of_bytes(
    node: &Node<'_>,
    data: &str,
    media_type: String,
    name: Option<String>,
) -> Result<Media, Fault> {
    // Providers refuse what is none in words that name no place.
    BASE64.decode(data).map_err(|_| {
        node.wrong("invalid_base64", format!("`{}` does not hold base 64 with padding", node.place()))
    })?;
    Ok(Media { media_type, name, source: MediaSource::Base64(data.to_owned()) })
}

/// A text as a file.
pub(crate) fn of_text(text: &str, name: Option<String>) -> Media {
    Media { media_type: "text/plain".into(), name, source: MediaSource::Base64(BASE64.encode(text)) }
}

fn no_data(node: &Node<'_>) -> Fault {
    node.wrong("invalid_value", format!("`{}` is no `data:` address with base 64 in it", node.place()))
}

/// The media type that the ending of a name tells.
pub(crate) fn file_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "json" => "application/json",
        "html" => "text/html",
        "xml" => "application/xml",
        _ => return None,
    })
}
