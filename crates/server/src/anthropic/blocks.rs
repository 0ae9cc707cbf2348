//! Blocks of content as parts.

use adjutant_core::message::{Native, Part, Reasoning};
use serde_json::{Value, json};

use super::OWN;
use crate::openai;
use crate::wire::{Carried, Fault, Node, by_address, of_bytes, of_text, open};

/// A text, or blocks that are all texts. An empty text says nothing.
pub(super) fn texts(content: &Node<'_>) -> Result<Vec<Part>, Fault> {
    if let Value::String(text) = content.value() {
        return Ok((!text.is_empty()).then(|| Part::text(text.as_str())).into_iter().collect());
    }
    content
        .items()?
        .map(|block| {
            block.need("type")?.word(&[("text", ())])?;
            text(&block)
        })
        .collect()
}

fn text(block: &Node<'_>) -> Result<Part, Fault> {
    block.only(&["type", "text", "cache_control", "citations"])?;
    Ok(Part::text(block.need("text")?.text()?))
}

/// What somebody gives to the model.
pub(super) fn said(block: &Node<'_>) -> Result<Part, Fault> {
    let kinds = [("text", 0), ("image", 1), ("document", 2)];
    match block.need("type")?.word(&kinds)? {
        0 => text(block),
        1 => {
            block.only(&["type", "source", "cache_control"])?;
            image(&block.need("source")?)
        }
        _ => {
            block.only(&["type", "source", "title", "context", "citations", "cache_control"])?;
            for name in ["context", "citations"] {
                if let Some(wish) = block.get(name)
                    && wish.value() != &json!({"enabled": false})
                {
                    return Err(wish
                        .wrong("unsupported_value", format!("`{}` is not supported", wish.place()))
                        .with_help("write it into the message, or take it out"));
                }
            }
            let title = block.get("title").map(|title| title.text().map(str::to_owned)).transpose()?;
            document(&block.need("source")?, title)
        }
    }
}

fn image(source: &Node<'_>) -> Result<Part, Fault> {
    match source.need("type")?.word(&[("base64", 0), ("url", 1), ("file", 2)])? {
        0 => {
            source.only(&["type", "media_type", "data"])?;
            let data = source.need("data")?;
            let media_type = source.need("media_type")?.text()?.to_owned();
            Ok(Part::Image(of_bytes(&data, data.text()?, media_type, None)?))
        }
        1 => {
            source.only(&["type", "url"])?;
            Ok(Part::Image(by_address(&source.need("url")?, None, "image/jpeg")?))
        }
        _ => Err(uploaded(source)),
    }
}

fn document(source: &Node<'_>, title: Option<String>) -> Result<Part, Fault> {
    match source.need("type")?.word(&[("base64", 0), ("text", 1), ("url", 2), ("file", 3)])? {
        0 => {
            source.only(&["type", "media_type", "data"])?;
            let data = source.need("data")?;
            let media_type = source.need("media_type")?.text()?.to_owned();
            Ok(Part::File(of_bytes(&data, data.text()?, media_type, title)?))
        }
        1 => {
            source.only(&["type", "media_type", "data"])?;
            Ok(Part::File(of_text(source.need("data")?.text()?, title)))
        }
        2 => {
            source.only(&["type", "url"])?;
            Ok(Part::File(by_address(&source.need("url")?, title, "application/pdf")?))
        }
        _ => Err(uploaded(source)),
    }
}

fn uploaded(source: &Node<'_>) -> Fault {
    openai::no_uploads(source)
}

/// What the model said, thought, or had the provider's own tools do.
pub(super) fn made(block: &Node<'_>, parts: &mut Vec<Part>) -> Result<(), Fault> {
    const OF_PROVIDER: &[&str] =
        &["server_tool_use", "mcp_tool_use", "container_upload", "fallback", "compaction"];
    let kind = block.need("type")?;
    match kind.text()? {
        "text" => {
            parts.push(text(block)?);
            if let Some(citations) =
                block.value().get("citations").filter(|citations| is_something(citations))
            {
                parts.push(native(json!({"type": "citations", "citations": citations})));
            }
        }
        "thinking" => {
            block.only(&["type", "thinking", "signature"])?;
            let shown = block.need("thinking")?.text()?;
            let signature = block.get("signature").map(|text| text.text()).transpose()?.unwrap_or_default();
            parts.extend(thought(shown, signature));
        }
        "redacted_thinking" => {
            block.only(&["type", "data"])?;
            let data = block.need("data")?.text()?;
            parts.push(match open(data, "") {
                Some(Carried::Reasoning(reasoning)) => Part::Reasoning(reasoning),
                Some(Carried::Native(native)) => Part::Native(native),
                None => Part::Reasoning(Reasoning {
                    provider: Some(OWN.to_owned()),
                    encrypted: Some(data.to_owned()),
                    ..Reasoning::default()
                }),
            });
        }
        known if known.ends_with("_tool_result") || OF_PROVIDER.contains(&known) => {
            parts.push(native(block.value().clone()));
        }
        strange => {
            let known = ["text", "thinking", "redacted_thinking", "tool_use"];
            return Err(kind.strange(strange, known.iter().copied()));
        }
    }
    Ok(())
}

/// Thinking with its signature: ours, which says whose it is, or the vendor's own.
fn thought(shown: &str, signature: &str) -> Option<Part> {
    Some(match open(signature, shown) {
        Some(Carried::Reasoning(reasoning)) => Part::Reasoning(reasoning),
        Some(Carried::Native(native)) => Part::Native(native),
        None if signature.is_empty() && shown.is_empty() => return None,
        None => Part::Reasoning(Reasoning {
            text: shown.to_owned(),
            provider: (!signature.is_empty()).then(|| OWN.to_owned()),
            signature: Some(signature.to_owned()).filter(|signature| !signature.is_empty()),
            ..Reasoning::default()
        }),
    })
}

fn native(value: Value) -> Part {
    Part::Native(Native { provider: OWN.to_owned(), value })
}

fn is_something(citations: &Value) -> bool {
    citations.as_array().is_some_and(|list| !list.is_empty())
}
