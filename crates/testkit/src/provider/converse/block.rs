//! What is wrong with a block of content.

use serde_json::Value;

use super::super::received::{at, list};

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    Result,
}

impl Place {
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::System => &["text", "guardContent", "cachePoint"],
            Self::User => &[
                "text",
                "image",
                "document",
                "video",
                "audio",
                "toolResult",
                "cachePoint",
                "guardContent",
                "searchResult",
            ],
            Self::Assistant => {
                &["text", "toolUse", "toolResult", "reasoningContent", "citationsContent", "cachePoint"]
            }
            Self::Result => &["text", "json", "image", "document", "video", "searchResult"],
        }
    }
}

/// What is wrong with a block, if anything. Calls, results and names that must be unique are looked at elsewhere.
pub(super) fn fault_of(block: &Value, place: Place) -> Option<String> {
    let members: Vec<(&String, &Value)> = block.as_object().into_iter().flatten().collect();
    let [(member, value)] = members[..] else {
        return Some(format!("a block has {} members, and must have one", members.len()));
    };
    if !place.members().contains(&member.as_str()) {
        return Some(format!("a `{member}` cannot stand here"));
    }
    match member.as_str() {
        "text" => (!is_seen(value)).then(|| "the text field is blank".to_owned()),
        "json" => (!value.is_object()).then(|| "Provide a json object for the field".to_owned()),
        "image" => media(member, value, &["png", "jpeg", "gif", "webp"]),
        "video" => {
            media(member, value, &["mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"])
        }
        "audio" => media(
            member,
            value,
            &[
                "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg",
                "mpga", "pcm", "webm",
            ],
        ),
        "document" => {
            media(member, value, &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])
                .or_else(|| document_name(value))
        }
        "cachePoint" => {
            let right =
                value["type"] == "default" && [Value::Null, "5m".into(), "1h".into()].contains(&value["ttl"]);
            (!right).then(|| "a cache point has another type or time".to_owned())
        }
        "reasoningContent" => reasoning(value),
        "toolUse" => tool_use(value),
        "toolResult" if place == Place::User => tool_result(value),
        _ => None,
    }
}

fn media(member: &str, value: &Value, formats: &[&str]) -> Option<String> {
    let format = value["format"].as_str().unwrap_or_default();
    if !formats.contains(&format) {
        return Some(format!("the format `{format}` of a `{member}` is unknown"));
    }
    let source = &value["source"];
    let stored = at(source, "/s3Location/uri").as_str().is_some_and(|uri| uri.starts_with("s3://"));
    (!is_base64(&source["bytes"]) && !stored).then(|| format!("a `{member}` has no bytes in base 64"))
}

fn document_name(value: &Value) -> Option<String> {
    let name = value["name"].as_str().unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
    let right = (1..=200).contains(&name.len()) && name.chars().all(legal) && !name.contains("  ");
    (!right).then(|| format!("the name `{name}` of a document has characters that it cannot have"))
}

fn reasoning(value: &Value) -> Option<String> {
    let text = &value["reasoningText"];
    let whole = text["text"].is_string() && is_seen(&text["signature"]);
    (!whole && !is_base64(&value["redactedContent"]))
        .then(|| "reasoning without its signature, and not encrypted either".to_owned())
}

fn tool_use(value: &Value) -> Option<String> {
    let (id, name) = (value["toolUseId"].as_str(), value["name"].as_str());
    if !id.is_some_and(is_id) {
        return Some(format!("the id {} of a call is invalid", value["toolUseId"]));
    }
    if !name.is_some_and(is_name) {
        return Some(format!("the name {} of a call is invalid", value["name"]));
    }
    (!value["input"].is_object()).then(|| "the input of a call is no object".to_owned())
}

fn tool_result(value: &Value) -> Option<String> {
    let content = list(&value["content"]);
    if content.is_empty() {
        return Some("The content field of a result cannot be empty".to_owned());
    }
    if ![Value::Null, "success".into(), "error".into()].contains(&value["status"]) {
        return Some(format!("the status {} of a result is unknown", value["status"]));
    }
    content.iter().find_map(|block| fault_of(block, Place::Result))
}

pub(super) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// Whether a value is a text with something to see.
pub(super) fn is_seen(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn is_base64(value: &Value) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    value.as_str().is_some_and(|text| !text.is_empty() && text.len() % 4 == 0 && text.bytes().all(legal))
}
