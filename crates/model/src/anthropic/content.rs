//! Parts of messages as blocks of content.

use adjutant_core::message::{Media, MediaSource, Native, Part, Reasoning, ToolCall, ToolResult};
use adjutant_core::{Code, Error, Result};
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};

use super::{NAME, kind_of};
use crate::call_id;

/// The type of the native part that ends a block of text and holds its citations, if there are any: the interface has them in
/// the text itself.
pub(super) const CITATIONS: &str = "citations";

/// The block of text; none for blank text, which the interface refuses.
pub(super) fn text(said: &str) -> Option<Value> {
    (!said.trim().is_empty()).then(|| json!({"type": "text", "text": said}))
}

/// A part of what a user says. None where there is nothing to say.
pub(super) fn of_user(part: &Part) -> Result<Option<Value>> {
    match part {
        Part::Text { text: said } => Ok(text(said)),
        Part::Image(_) | Part::Audio(_) | Part::File(_) => media(part).map(Some),
        other => Err(misplaced(other, "a user")),
    }
}

/// Adds a part of what the model said to the blocks of its turn. What belongs to another provider means nothing here, and
/// neither does what another origin signed.
pub(super) fn add_of_assistant(part: &Part, origin: &str, blocks: &mut Vec<Value>) -> Result<()> {
    match part {
        Part::Text { text: said } => blocks.extend(text(said)),
        Part::Reasoning(reasoning) => blocks.extend(thought(reasoning, origin)),
        Part::ToolCall(call) => blocks.push(tool_use(call)),
        Part::Native(native) if native.provider == NAME => add_native(native, blocks),
        Part::Native(_) => {}
        other => return Err(misplaced(other, "an assistant")),
    }
    Ok(())
}

/// A part of what tools returned.
pub(super) fn of_tool(part: &Part) -> Result<Value> {
    let Part::ToolResult(result) = part else { return Err(misplaced(part, "a tool")) };
    let mut content = Vec::with_capacity(result.content.len());
    for part in &result.content {
        match part {
            Part::Text { text: said } => content.extend(text(said)),
            Part::Image(_) | Part::Audio(_) | Part::File(_) => content.push(media(part)?),
            other => return Err(misplaced(other, "a tool")),
        }
    }
    if content.is_empty() {
        content.extend(said_otherwise(result));
    }
    let mut block = json!({"type": "tool_result", "tool_use_id": call_id::plain(&result.call)});
    if let Some(fields) = block.as_object_mut() {
        if !content.is_empty() {
            fields.insert("content".into(), content.into());
        }
        if result.is_error {
            fields.insert("is_error".into(), true.into());
        }
    }
    Ok(block)
}

/// The text of a result that has none: its data, or that it failed, since the interface refuses an empty failure.
fn said_otherwise(result: &ToolResult) -> Option<Value> {
    let data = result.data.as_ref().map(Value::to_string);
    let failure = result.is_error.then(|| "the call failed and did not say why".to_owned());
    data.or(failure).and_then(|said| text(&said))
}

/// Thinking, with the signature or the code that its origin gave it. Without one it is refused, so it stays behind. What was
/// kept before origins were told apart is taken for its own.
fn thought(reasoning: &Reasoning, origin: &str) -> Option<Value> {
    let provider = reasoning.provider.as_deref();
    if provider != Some(NAME) && provider != Some(origin) {
        return None;
    }
    if let Some(data) = &reasoning.encrypted {
        return Some(json!({"type": "redacted_thinking", "data": data}));
    }
    let signature = reasoning.signature.as_ref()?;
    Some(json!({"type": "thinking", "thinking": reasoning.text, "signature": signature}))
}

fn tool_use(call: &ToolCall) -> Value {
    // What is no object is shown as the text that it was: the model was told by then that it is broken.
    let input = serde_json::from_str::<Map<String, Value>>(&call.arguments)
        .map_or_else(|_| json!({"invalid_arguments": call.arguments}), Value::Object);
    json!({"type": "tool_use", "id": call_id::plain(&call.id), "name": call.name, "input": input})
}

/// A block of the provider's own as it came; citations go back into the text that they stand behind.
fn add_native(native: &Native, blocks: &mut Vec<Value>) {
    if kind_of(&native.value) != CITATIONS {
        blocks.push(native.value.clone());
        return;
    }
    let citations = native.value.get(CITATIONS).filter(|citations| **citations != json!([]));
    if let (Some(block), Some(citations)) = (blocks.last_mut(), citations)
        && kind_of(block) == "text"
        && let Some(fields) = block.as_object_mut()
    {
        fields.insert(CITATIONS.into(), citations.clone());
    }
}

/// An image or a document.
fn media(part: &Part) -> Result<Value> {
    match part {
        Part::Image(media) => Ok(json!({"type": "image", "source": image_source(media)?})),
        Part::File(media) => {
            let mut block = json!({"type": "document", "source": file_source(media)?});
            if let (Some(name), Some(fields)) = (&media.name, block.as_object_mut()) {
                fields.insert("title".into(), name.as_str().into());
            }
            Ok(block)
        }
        _ => Err(unsupported("audio", "write it down first, or use a model of a provider that hears")),
    }
}

fn image_source(media: &Media) -> Result<Value> {
    let data = match &media.source {
        MediaSource::Url(url) => return Ok(json!({"type": "url", "url": url})),
        MediaSource::Base64(data) => data,
    };
    match kind(media).as_str() {
        kind @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => {
            Ok(json!({"type": "base64", "media_type": kind, "data": data}))
        }
        "image/jpg" => Ok(json!({"type": "base64", "media_type": "image/jpeg", "data": data})),
        other => {
            Err(unsupported(&format!("an image of the type `{other}`"), "send it as JPEG, PNG, GIF or WebP"))
        }
    }
}

fn file_source(media: &Media) -> Result<Value> {
    let kind = kind(media);
    match &media.source {
        MediaSource::Url(url) if kind == "application/pdf" => Ok(json!({"type": "url", "url": url})),
        MediaSource::Base64(data) if kind == "application/pdf" => {
            Ok(json!({"type": "base64", "media_type": kind, "data": data}))
        }
        MediaSource::Base64(data) if is_text(&kind) => {
            let text = base64::decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| {
                unsupported(&format!("a file of the type `{kind}` that is not UTF-8"), "send it as UTF-8")
            })?;
            Ok(json!({"type": "text", "media_type": "text/plain", "data": text}))
        }
        MediaSource::Url(_) if is_text(&kind) => {
            Err(unsupported(&format!("a file of the type `{kind}` by its address"), "send the bytes"))
        }
        _ => Err(unsupported(&format!("a file of the type `{kind}`"), "send it as PDF or as text")),
    }
}

/// The media type alone, in lower case.
fn kind(media: &Media) -> String {
    media.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_text(kind: &str) -> bool {
    const TEXTS: [&str; 6] = [
        "application/json",
        "application/xml",
        "application/yaml",
        "application/toml",
        "application/javascript",
        "application/x-ndjson",
    ];
    kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml") || TEXTS.contains(&kind)
}

pub(super) fn unsupported(what: &str, help: &str) -> Error {
    Error::new(Code::ModelUnsupported, format!("the messages of Anthropic cannot carry {what}"))
        .with_help(help)
}

fn misplaced(part: &Part, whose: &str) -> Error {
    let what = match part {
        Part::Text { .. } => "text",
        Part::Image(_) => "an image",
        Part::Audio(_) => "audio",
        Part::File(_) => "a file",
        Part::Reasoning(_) => "reasoning",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult(_) => "a tool result",
        Part::Native(_) => "a part of a provider's own",
    };
    Error::new(Code::ModelUnsupported, format!("the messages of Anthropic cannot carry {what} of {whose}"))
}

/// What a system message may hold. Fails with `model-unsupported` where it is anything but text.
pub(super) fn of_system(part: &Part) -> Result<Option<Value>> {
    part.as_text().map(text).ok_or_else(|| misplaced(part, "the system"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(media_type: &str) -> Media {
        Media {
            media_type: media_type.into(),
            name: Some("a.x".into()),
            source: MediaSource::Base64("aGk=".into()),
        }
    }

    fn by_url(media_type: &str) -> Media {
        Media { source: MediaSource::Url("https://h/a".into()), ..bytes(media_type) }
    }

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "c1".into(), name: "look".into(), arguments: arguments.into() }
    }

    fn native(value: Value) -> Part {
        Part::Native(Native { provider: NAME.into(), value })
    }

    fn thought_of(provider: &str) -> Reasoning {
        Reasoning { text: "hm".into(), provider: Some(provider.into()), ..Reasoning::default() }
    }

    #[test]
    fn what_a_user_says_has_its_block() {
        let inline = |kind: &str| json!({"type": "base64", "media_type": kind, "data": "aGk="});
        let url = json!({"type": "url", "url": "https://h/a"});
        let document = |source: Value| json!({"type": "document", "source": source, "title": "a.x"});
        let image = |source: Value| json!({"type": "image", "source": source});
        let cases = [
            (Part::text("a"), Some(json!({"type": "text", "text": "a"}))),
            (Part::text(" \n"), None),
            (Part::Image(bytes("image/png")), Some(image(inline("image/png")))),
            (Part::Image(bytes("IMAGE/JPG")), Some(image(inline("image/jpeg")))),
            (Part::Image(by_url("image/x-any")), Some(image(url.clone()))),
            (Part::File(bytes("application/pdf")), Some(document(inline("application/pdf")))),
            (Part::File(by_url("application/pdf")), Some(document(url))),
            (
                Part::File(bytes("text/csv; charset=utf-8")),
                Some(document(json!({"type": "text", "media_type": "text/plain", "data": "hi"}))),
            ),
        ];
        for (part, block) in cases {
            assert_eq!(of_user(&part).unwrap(), block, "{part:?}");
        }
    }

    #[test]
    fn what_the_model_said_goes_back_as_it_came() {
        let search = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
        let signed = |provider| Reasoning { signature: Some("s".into()), ..thought_of(provider) };
        let parts = [
            Part::Reasoning(thought_of(NAME)),
            Part::Reasoning(Reasoning { provider: None, ..signed(NAME) }),
            Part::Reasoning(signed("bedrock")),
            Part::Reasoning(signed(NAME)),
            Part::Reasoning(Reasoning {
                text: String::new(),
                encrypted: Some("e".into()),
                ..thought_of(NAME)
            }),
            native(search.clone()),
            Part::Native(Native { provider: "gemini".into(), value: json!({"type": "x"}) }),
            Part::text("plain"),
            native(json!({"type": "citations", "citations": []})),
            Part::text("cited"),
            native(json!({"type": "citations", "citations": [{"url": "u"}]})),
            Part::text(""),
            Part::ToolCall(call(r#"{"a":1}"#)),
            native(json!({"type": "citations", "citations": [{"url": "lost"}]})),
            Part::ToolCall(call("{")),
        ];
        let mut blocks = Vec::new();
        parts.iter().for_each(|part| add_of_assistant(part, NAME, &mut blocks).unwrap());
        let expected = [
            json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            json!({"type": "redacted_thinking", "data": "e"}),
            search,
            json!({"type": "text", "text": "plain"}),
            json!({"type": "text", "text": "cited", "citations": [{"url": "u"}]}),
            json!({"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}}),
            json!({"type": "tool_use", "id": "c1", "name": "look", "input": {"invalid_arguments": "{"}}),
        ];
        assert_eq!(blocks, expected);
    }

    #[test]
    fn what_another_vendor_signed_goes_to_it_alone() {
        let sent = |origin: &str, provider: &str| {
            let signed = Reasoning { signature: Some("s".into()), ..thought_of(provider) };
            thought(&signed, origin).is_some()
        };
        let cases = [
            (NAME, NAME, true),
            (NAME, "anthropic@api.deepseek.com", false),
            ("anthropic@api.deepseek.com", "anthropic@api.deepseek.com", true),
            ("anthropic@api.minimax.io", "anthropic@api.deepseek.com", false),
            ("anthropic@api.deepseek.com", NAME, true),
        ];
        for (origin, provider, goes) in cases {
            assert_eq!(sent(origin, provider), goes, "{origin} and what {provider} signed");
        }
    }

    #[test]
    fn a_result_says_what_came_of_the_call() {
        let said = |said: &str| json!([{"type": "text", "text": said}]);
        let plain = || ToolResult::text(&call(""), "ok");
        let cases = [
            (plain(), json!({"content": said("ok")})),
            (ToolResult { content: vec![], ..plain() }, json!({})),
            (
                ToolResult { content: vec![], data: Some(json!({"a": 1})), ..plain() },
                json!({"content": said(r#"{"a":1}"#)}),
            ),
            (
                ToolResult { is_error: true, content: vec![Part::text(" ")], ..plain() },
                json!({"content": said("the call failed and did not say why"), "is_error": true}),
            ),
            (
                ToolResult { content: vec![Part::text("see"), Part::Image(by_url("image/png"))], ..plain() },
                json!({"content": [{"type": "text", "text": "see"}, {"type": "image", "source": {"type": "url", "url": "https://h/a"}}]}),
            ),
        ];
        for (result, mut expected) in cases {
            let fields = expected.as_object_mut().unwrap();
            fields.insert("type".into(), "tool_result".into());
            fields.insert("tool_use_id".into(), "c1".into());
            assert_eq!(of_tool(&Part::ToolResult(result)).unwrap(), expected);
        }
    }

    #[test]
    fn what_the_interface_cannot_carry_is_refused() {
        let image = || Part::Image(bytes("image/png"));
        let mut heard = ToolResult::text(&call(""), "");
        heard.content = vec![Part::Audio(bytes("audio/wav"))];
        let mut not_text = bytes("text/plain");
        not_text.source = MediaSource::Base64("/w==".into());
        let cases = [
            (of_user(&Part::Audio(bytes("audio/wav"))).unwrap_err(), "audio"),
            (of_user(&Part::Image(bytes("image/tiff"))).unwrap_err(), "an image of the type `image/tiff`"),
            (
                of_user(&Part::File(bytes("application/zip"))).unwrap_err(),
                "a file of the type `application/zip`",
            ),
            (
                of_user(&Part::File(by_url("text/plain"))).unwrap_err(),
                "a file of the type `text/plain` by its address",
            ),
            (
                of_user(&Part::File(not_text)).unwrap_err(),
                "a file of the type `text/plain` that is not UTF-8",
            ),
            (of_user(&Part::ToolCall(call(""))).unwrap_err(), "a tool call of a user"),
            (of_system(&image()).unwrap_err(), "an image of the system"),
            (add_of_assistant(&image(), NAME, &mut vec![]).unwrap_err(), "an image of an assistant"),
            (of_tool(&image()).unwrap_err(), "an image of a tool"),
            (of_tool(&Part::ToolResult(heard)).unwrap_err(), "audio"),
        ];
        for (error, what) in cases {
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert_eq!(error.message(), format!("the messages of Anthropic cannot carry {what}"));
        }
    }
}
