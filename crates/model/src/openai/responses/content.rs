//! Parts of messages and results as the wire has them.

use std::borrow::Cow;

use adjutant_core::message::{Media, MediaSource, Part, ToolResult};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

/// What a person says. A text alone stays a string.
pub(super) fn said(parts: &[Part]) -> Result<Value> {
    if parts.iter().all(|part| part.as_text().is_some()) {
        return Ok(parts.iter().filter_map(Part::as_text).collect::<String>().into());
    }
    parts.iter().map(|part| input(part, "a user message")).collect()
}

/// What a tool answers: a string, or a list where it holds more than text. The wire has no mark for a failure, so the
/// text says it.
pub(super) fn answered(result: &ToolResult) -> Result<Value> {
    let mark = if result.is_error { "error: " } else { "" };
    if result.content.iter().all(|part| part.as_text().is_some()) {
        let text = match &result.data {
            Some(data) if result.content.is_empty() => data.to_string(),
            _ => result.as_text(),
        };
        return Ok(format!("{mark}{text}").into());
    }
    let mark = (!mark.is_empty()).then(|| Ok(text(mark.trim_end())));
    mark.into_iter().chain(result.content.iter().map(|part| input(part, "a tool result"))).collect()
}

fn input(part: &Part, place: &str) -> Result<Value> {
    match part {
        Part::Text { text: said } => Ok(text(said)),
        Part::Image(media) => {
            Ok(json!({"type": "input_image", "image_url": address(media), "detail": "auto"}))
        }
        Part::File(media) => Ok(file(media)),
        other => Err(misplaced(other, place)),
    }
}

fn text(said: &str) -> Value {
    json!({"type": "input_text", "text": said})
}

fn address(media: &Media) -> Cow<'_, str> {
    match &media.source {
        MediaSource::Url(url) => url.into(),
        MediaSource::Base64(data) => format!("data:{};base64,{data}", media.media_type).into(),
    }
}

fn file(media: &Media) -> Value {
    match &media.source {
        MediaSource::Url(url) => json!({"type": "input_file", "file_url": url}),
        MediaSource::Base64(_) => {
            json!({"type": "input_file", "filename": file_name(media), "file_data": address(media)})
        }
    }
}

/// The name of a file. The wire wants one, and tells the kind of the file by its ending.
fn file_name(media: &Media) -> &str {
    match (&media.name, media.media_type.as_str()) {
        (Some(name), _) => name,
        (None, "application/pdf") => "file.pdf",
        (None, "text/csv") => "file.csv",
        (None, "application/json") => "file.json",
        (None, "text/markdown") => "file.md",
        (None, kind) if kind.starts_with("text/") => "file.txt",
        (None, _) => "file",
    }
}

/// What the wire has no place for.
pub(super) fn misplaced(part: &Part, place: &str) -> Error {
    let what = match part {
        Part::Audio(_) => {
            let message = format!("OpenAI's Responses cannot carry audio, as in {place}");
            return Error::new(Code::ModelUnsupported, message)
                .with_help("give the words, or use a model that hears with the provider `openai`");
        }
        Part::Text { .. } => "text",
        Part::Image(_) => "an image",
        Part::File(_) => "a file",
        Part::Reasoning(_) => "reasoning",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult(_) => "a tool result",
        Part::Native(_) => "a part of a provider's own",
    };
    Error::new(Code::ModelUnsupported, format!("OpenAI's Responses cannot carry {what} in {place}"))
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Reasoning, ToolCall};

    use super::*;

    fn media(media_type: &str, name: Option<&str>, source: MediaSource) -> Media {
        Media { media_type: media_type.into(), name: name.map(str::to_owned), source }
    }

    fn bytes(media_type: &str, name: Option<&str>) -> Media {
        media(media_type, name, MediaSource::Base64("AA==".into()))
    }

    fn url(media_type: &str) -> Media {
        media(media_type, Some("a.x"), MediaSource::Url("https://h/a".into()))
    }

    fn call() -> ToolCall {
        ToolCall { id: "c1".into(), name: "look".into(), arguments: "{}".into() }
    }

    #[test]
    fn parts_have_their_place_on_the_wire() {
        let image =
            json!({"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"});
        let cases = [
            (vec![], json!("")),
            (vec![Part::text("a"), Part::text("b")], json!("ab")),
            (
                vec![Part::text("see"), Part::Image(bytes("image/png", None))],
                json!([{"type": "input_text", "text": "see"}, image]),
            ),
            (
                vec![Part::Image(url("image/png"))],
                json!([{"type": "input_image", "image_url": "https://h/a", "detail": "auto"}]),
            ),
            (
                vec![Part::File(bytes("application/pdf", Some("invoice.pdf")))],
                json!([{"type": "input_file", "filename": "invoice.pdf", "file_data": "data:application/pdf;base64,AA=="}]),
            ),
            (
                vec![Part::File(bytes("text/x-rust", None))],
                json!([{"type": "input_file", "filename": "file.txt", "file_data": "data:text/x-rust;base64,AA=="}]),
            ),
            (
                vec![Part::File(url("application/pdf"))],
                json!([{"type": "input_file", "file_url": "https://h/a"}]),
            ),
        ];
        for (parts, expected) in cases {
            assert_eq!(said(&parts).unwrap(), expected, "{parts:?}");
        }
    }

    #[test]
    fn results_say_what_happened() {
        let image = || Part::Image(bytes("image/png", None));
        let wire =
            json!({"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"});
        let result =
            |content: Vec<Part>, is_error| ToolResult { content, is_error, ..ToolResult::text(&call(), "") };
        let mut data = result(vec![], false);
        data.data = Some(json!({"a": 1}));
        let cases = [
            (result(vec![Part::text("ok")], false), json!("ok")),
            (result(vec![Part::text("no")], true), json!("error: no")),
            (result(vec![], false), json!("")),
            (data, json!(r#"{"a":1}"#)),
            (
                result(vec![Part::text("a cat"), image()], false),
                json!([{"type": "input_text", "text": "a cat"}, wire]),
            ),
            (result(vec![image()], true), json!([{"type": "input_text", "text": "error:"}, wire])),
        ];
        for (result, expected) in cases {
            assert_eq!(answered(&result).unwrap(), expected, "{result:?}");
        }
    }

    #[test]
    fn what_the_wire_cannot_carry_is_refused() {
        let sound = Part::Audio(bytes("audio/wav", None));
        let mut heard = ToolResult::text(&call(), "");
        heard.content = vec![sound.clone()];
        let cases = [
            (said(&[sound]), "audio, as in a user message"),
            (answered(&heard), "audio, as in a tool result"),
            (said(&[Part::ToolCall(call())]), "a tool call in a user message"),
            (said(&[Part::Reasoning(Reasoning::default())]), "reasoning in a user message"),
        ];
        for (result, what) in cases {
            let error = result.unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert_eq!(error.message(), format!("OpenAI's Responses cannot carry {what}"));
        }
    }
}
