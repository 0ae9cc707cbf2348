//! What is wrong with a block of content.

use serde_json::Value;

use super::super::received::{at, list};

const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    Result,
}

/// What is wrong with a block; none where nothing is.
pub(super) fn fault_of(block: &Value, place: Place) -> Option<String> {
    let kind = block["type"].as_str().unwrap_or_default();
    if !may_stand(kind, place) {
        return Some(format!("a block `{kind}` cannot stand in {place:?}"));
    }
    let is_marked = block.get("cache_control").is_some();
    match kind {
        "text" => text_fault(block, place),
        "image" => image_fault(&block["source"]),
        "document" => document_fault(&block["source"]),
        "thinking" => {
            let is_whole = block["thinking"].is_string() && is_filled(&block["signature"]) && !is_marked;
            (!is_whole).then(|| "thinking without its signature, or with a mark".to_owned())
        }
        "redacted_thinking" => {
            (!is_filled(&block["data"]) || is_marked).then(|| "redacted thinking is not whole".to_owned())
        }
        "tool_use" => call_fault(block),
        "tool_result" => result_fault(block),
        "server_tool_use" => {
            let is_whole = is_filled(&block["id"]) && is_filled(&block["name"]) && block["input"].is_object();
            (!is_whole).then(|| "a call of a hosted tool is not whole".to_owned())
        }
        _ => (!is_filled(&block["tool_use_id"]))
            .then(|| "a result of a hosted tool answers nothing".to_owned()),
    }
}

fn may_stand(kind: &str, place: Place) -> bool {
    match place {
        Place::System => kind == "text",
        Place::User => matches!(kind, "text" | "image" | "document" | "tool_result"),
        Place::Result => matches!(kind, "text" | "image" | "document"),
        Place::Assistant => {
            matches!(kind, "text" | "thinking" | "redacted_thinking" | "tool_use" | "server_tool_use")
                || kind.ends_with("_tool_result")
        }
    }
}

fn text_fault(block: &Value, place: Place) -> Option<String> {
    match block["text"].as_str() {
        None => Some("a text is missing".to_owned()),
        Some("") => Some("text content blocks must be non-empty".to_owned()),
        Some(text) if text.trim().is_empty() => {
            Some("text content blocks must contain non-whitespace text".to_owned())
        }
        Some(_) if place != Place::Assistant && !list(&block["citations"]).is_empty() => {
            Some("citations are only the model's".to_owned())
        }
        Some(_) => None,
    }
}

fn image_fault(source: &Value) -> Option<String> {
    let is_whole = match source["type"].as_str() {
        Some("base64") => {
            source["media_type"].as_str().is_some_and(|kind| IMAGES.contains(&kind))
                && is_base64(&source["data"])
        }
        Some("url") => is_filled(&source["url"]),
        Some("file") => is_filled(&source["file_id"]),
        _ => false,
    };
    (!is_whole).then(|| "the source of an image is not whole".to_owned())
}

fn document_fault(source: &Value) -> Option<String> {
    let is_whole = match source["type"].as_str() {
        Some("base64") => source["media_type"] == "application/pdf" && is_base64(&source["data"]),
        Some("text") => source["media_type"] == "text/plain" && is_filled(&source["data"]),
        Some("url") => is_filled(&source["url"]),
        Some("file") => is_filled(&source["file_id"]),
        _ => false,
    };
    (!is_whole).then(|| "the source of a document is not whole".to_owned())
}

fn call_fault(block: &Value) -> Option<String> {
    let name = block["name"].as_str().unwrap_or_default();
    let id = block["id"].as_str().unwrap_or_default();
    if !is_name(name, 128) {
        return Some(format!("a call has the invalid name `{name}`"));
    }
    if !is_name(id, usize::MAX) {
        return Some(format!("the call id `{id}` does not match ^[a-zA-Z0-9_-]+$"));
    }
    (!block["input"].is_object()).then(|| format!("the input of the call of `{name}` is not an object"))
}

fn result_fault(block: &Value) -> Option<String> {
    let content = &block["content"];
    let failed = block["is_error"] == true;
    let is_empty = content.is_null() || content == "" || content.as_array().is_some_and(Vec::is_empty);
    if failed && is_empty {
        return Some("content cannot be empty if `is_error` is true".to_owned());
    }
    if !content.is_null() && !content.is_string() && !content.is_array() {
        return Some("the content of a result has the wrong type".to_owned());
    }
    list(content).iter().find_map(|block| fault_of(block, Place::Result))
}

/// The mark for the cache on a block and on the blocks in it.
pub(super) fn marks(value: &Value) -> Vec<&Value> {
    let inner = list(at(value, "/content")).iter().flat_map(marks);
    value.get("cache_control").into_iter().chain(inner).collect()
}

pub(super) fn is_filled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

pub(super) fn is_name(name: &str, most: usize) -> bool {
    (1..=most).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_base64(value: &Value) -> bool {
    let is_of = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    value
        .as_str()
        .is_some_and(|text| !text.is_empty() && text.len().is_multiple_of(4) && text.bytes().all(is_of))
}
