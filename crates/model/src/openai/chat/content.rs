//! Messages as the wire has them.

use adjutant_core::message::{Media, MediaSource, Message, Part, Reasoning, Role, ToolCall, ToolResult};
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use crate::openai::parameters::arguments;

/// One message of ours as the messages of the wire: none, one, or one for each result.
pub(super) fn encode(message: &Message, reasoning_field: Option<&str>) -> Result<Vec<Value>> {
    match message.role {
        Role::System => Ok(vec![json!({"role": "system", "content": text_of(message, "system")?})]),
        Role::User => Ok(vec![json!({"role": "user", "content": user_content(&message.parts)?})]),
        Role::Assistant => assistant(message, reasoning_field).map(|message| vec![message]),
        Role::Tool => message.parts.iter().map(result).collect(),
    }
}

/// Images, sounds and files in results, as a message of the user: the wire has only text in results.
///
/// It must stand after the last result of the answered message, so the caller collects them.
pub(super) fn media_of_results(results: &[&ToolResult]) -> Result<Option<Value>> {
    let mut content = Vec::new();
    for result in results {
        let media: Vec<&Part> = result.content.iter().filter(|part| part.as_text().is_none()).collect();
        if !media.is_empty() {
            content.push(text(&format!("What the call `{}` of `{}` returned:", result.call, result.name)));
        }
        for part in media {
            content.push(user_part(part)?);
        }
    }
    Ok((!content.is_empty()).then(|| json!({"role": "user", "content": content})))
}

fn assistant(message: &Message, reasoning_field: Option<&str>) -> Result<Value> {
    let mut wire = Map::new();
    wire.insert("role".into(), "assistant".into());
    let mut said = String::new();
    let mut thought = String::new();
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text } => said.push_str(text),
            Part::Reasoning(Reasoning { text, provider: None, .. }) => thought.push_str(text),
            // What belongs to another provider means nothing here.
            Part::Reasoning(_) | Part::Native(_) => {}
            Part::ToolCall(call) => calls.push(tool_call(call)),
            other => return Err(misplaced(other, "an assistant")),
        }
    }
    // `null` stands for "calls only"; a message without calls must have a text.
    let content = if said.is_empty() && !calls.is_empty() { Value::Null } else { Value::from(said) };
    wire.insert("content".into(), content);
    if !calls.is_empty() {
        wire.insert("tool_calls".into(), calls.into());
    }
    if let (Some(field), false) = (reasoning_field, thought.is_empty()) {
        wire.insert(field.to_owned(), thought.into());
    }
    Ok(Value::Object(wire))
}

fn tool_call(call: &ToolCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments(&call.arguments)},
    })
}

fn result(part: &Part) -> Result<Value> {
    let Part::ToolResult(result) = part else { return Err(misplaced(part, "a tool")) };
    Ok(json!({"role": "tool", "tool_call_id": result.call, "content": result_text(result)}))
}

/// The text of a result. The wire has no mark for a failure, so the text says it.
fn result_text(result: &ToolResult) -> String {
    let mut text = match (&result.data, result.content.is_empty()) {
        (Some(data), true) => data.to_string(),
        _ => result.as_text(),
    };
    let others = result.content.iter().filter(|part| part.as_text().is_none()).count();
    if text.is_empty() && others > 0 {
        text = format!("{others} attachment(s), in the next message of the user");
    }
    if result.is_error { format!("error: {text}") } else { text }
}

fn text_of(message: &Message, role: &str) -> Result<String> {
    match message.parts.iter().find(|part| part.as_text().is_none()) {
        Some(other) => Err(misplaced(other, &format!("a {role}"))),
        None => Ok(message.text()),
    }
}

/// A text alone stays a string: not every server reads lists.
fn user_content(parts: &[Part]) -> Result<Value> {
    if parts.iter().all(|part| part.as_text().is_some()) {
        return Ok(parts.iter().filter_map(Part::as_text).collect::<String>().into());
    }
    parts.iter().map(user_part).collect::<Result<Vec<_>>>().map(Value::from)
}

fn user_part(part: &Part) -> Result<Value> {
    match part {
        Part::Text { text: said } => Ok(text(said)),
        Part::Image(media) => Ok(json!({"type": "image_url", "image_url": {"url": address(media)}})),
        Part::Audio(media) => audio(media),
        Part::File(media) => file(media),
        other => Err(misplaced(other, "a user")),
    }
}

fn text(said: &str) -> Value {
    json!({"type": "text", "text": said})
}

fn address(media: &Media) -> String {
    match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => format!("data:{};base64,{data}", media.media_type),
    }
}

fn audio(media: &Media) -> Result<Value> {
    let format = match media.media_type.as_str() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        other => return Err(unsupported(&format!("audio of the type `{other}`"), "send it as WAV or MP3")),
    };
    match &media.source {
        MediaSource::Base64(data) => {
            Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        MediaSource::Url(_) => Err(unsupported("audio by its address", "send the bytes")),
    }
}

fn file(media: &Media) -> Result<Value> {
    match &media.source {
        MediaSource::Base64(_) => {
            let name = media.name.as_deref().unwrap_or("file");
            Ok(json!({"type": "file", "file": {"filename": name, "file_data": address(media)}}))
        }
        MediaSource::Url(_) => Err(unsupported("a file by its address", "send the bytes")),
    }
}

fn unsupported(what: &str, help: &str) -> Error {
    Error::new(Code::ModelUnsupported, format!("chat completions cannot carry {what}")).with_help(help)
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
    let message = format!("chat completions cannot carry {what} in {whose} message");
    Error::new(Code::ModelUnsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(media_type: &str, source: MediaSource) -> Media {
        Media { media_type: media_type.into(), name: Some("a.x".into()), source }
    }

    fn bytes(media_type: &str) -> Media {
        media(media_type, MediaSource::Base64("AA==".into()))
    }

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "c1".into(), name: "look".into(), arguments: arguments.into() }
    }

    #[test]
    fn parts_have_their_place_on_the_wire() {
        let url = || media("image/png", MediaSource::Url("https://h/a.png".into()));
        let user = |part| Message::new(Role::User, vec![Part::text("see"), part]);
        let thought = Part::Reasoning(Reasoning { text: "hm".into(), ..Reasoning::default() });
        let mut data = ToolResult::text(&call(""), "");
        data.content.clear();
        data.data = Some(json!({"a": 1}));
        let wire_call = |arguments: &str| json!([{"id": "c1", "type": "function", "function": {"name": "look", "arguments": arguments}}]);
        let cases = [
            (Message::system("be kind"), json!({"role": "system", "content": "be kind"})),
            (
                Message::new(Role::User, vec![Part::text("a"), Part::text("b")]),
                json!({"role": "user", "content": "ab"}),
            ),
            (
                user(Part::Image(url())),
                json!({"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "https://h/a.png"}}]}),
            ),
            (
                user(Part::Image(bytes("image/png"))),
                json!({"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}),
            ),
            (
                user(Part::Audio(bytes("audio/mpeg"))),
                json!({"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}]}),
            ),
            (
                user(Part::File(bytes("application/pdf"))),
                json!({"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "file", "file": {"filename": "a.x", "file_data": "data:application/pdf;base64,AA=="}}]}),
            ),
            (Message::assistant(vec![]), json!({"role": "assistant", "content": ""})),
            (
                Message::assistant(vec![thought.clone(), Part::text("a")]),
                json!({"role": "assistant", "content": "a", "reasoning_content": "hm"}),
            ),
            (
                Message::assistant(vec![Part::ToolCall(call(r#"{"a":1}"#))]),
                json!({"role": "assistant", "content": null, "tool_calls": wire_call(r#"{"a":1}"#)}),
            ),
            (
                Message::assistant(vec![Part::text("a"), Part::ToolCall(call("{"))]),
                json!({"role": "assistant", "content": "a", "tool_calls": wire_call(r#"{"invalid_arguments":"{"}"#)}),
            ),
            (
                Message::tool(ToolResult::text(&call(""), "ok")),
                json!({"role": "tool", "tool_call_id": "c1", "content": "ok"}),
            ),
            (
                Message::tool(ToolResult::error(&call(""), "no")),
                json!({"role": "tool", "tool_call_id": "c1", "content": "error: no"}),
            ),
            (Message::tool(data), json!({"role": "tool", "tool_call_id": "c1", "content": r#"{"a":1}"#})),
        ];
        for (message, expected) in cases {
            assert_eq!(encode(&message, Some("reasoning_content")).unwrap(), [expected], "{message:?}");
        }
        let silent = encode(&Message::assistant(vec![thought, Part::text("a")]), None).unwrap();
        assert_eq!(silent, [json!({"role": "assistant", "content": "a"})]);
    }

    #[test]
    fn what_the_wire_cannot_carry_is_refused() {
        let image = Part::Image(bytes("image/png"));
        let user = |part| Message::new(Role::User, vec![part]);
        let by_url = |kind| media(kind, MediaSource::Url("https://h/a".into()));
        let cases = [
            (Message::new(Role::System, vec![image.clone()]), "an image in a system message"),
            (Message::assistant(vec![image.clone()]), "an image in an assistant message"),
            (Message::new(Role::Tool, vec![image]), "an image in a tool message"),
            (user(Part::ToolCall(call(""))), "a tool call in a user message"),
            (user(Part::Audio(bytes("audio/ogg"))), "audio of the type `audio/ogg`"),
            (user(Part::Audio(by_url("audio/wav"))), "audio by its address"),
            (user(Part::File(by_url("application/pdf"))), "a file by its address"),
            (
                Message::assistant(vec![Part::ToolResult(ToolResult::text(&call(""), "42"))]),
                "a tool result in an assistant message",
            ),
        ];
        for (message, what) in cases {
            let encoded = match message.parts.len() {
                1 if message.role == Role::User && matches!(message.parts[0], Part::ToolCall(_)) => {
                    user_content(&message.parts).map(|_| vec![])
                }
                _ => encode(&message, None),
            };
            let error = encoded.unwrap_err();
            assert_eq!(error.message(), format!("chat completions cannot carry {what}"));
        }
    }

    #[test]
    fn media_in_results_moves_to_a_message_of_the_user() {
        let mut with_image = ToolResult::text(&call(""), "");
        with_image.content = vec![Part::Image(bytes("image/png"))];
        let plain = ToolResult::text(&call(""), "ok");
        assert_eq!(media_of_results(&[&plain]).unwrap(), None);
        let moved = media_of_results(&[&plain, &with_image]).unwrap().unwrap();
        assert_eq!(moved["content"][0]["text"], "What the call `c1` of `look` returned:");
        assert_eq!(moved["content"][1]["image_url"]["url"], "data:image/png;base64,AA==");
        assert_eq!(result_text(&with_image), "1 attachment(s), in the next message of the user");
    }
}
