//! A stated estimate of tokens: four bytes a token, for what no provider has counted yet.
//!
//! English prose has a little more bytes to a token, JSON and other languages a little fewer. The estimate is used
//! between two counts of a provider, never instead of one.

use adjutant_core::message::{Media, MediaSource, Message, Part, ToolCall, ToolResult};
use adjutant_core::tool::ToolSpec;
use adjutant_core::usage::Usage;
use serde_json::Value;

use crate::request::Request;

/// Bytes of text in one token.
pub const BYTES_PER_TOKEN: u64 = 4;

/// What an image counts: about what providers charge for one of a megapixel.
pub const TOKENS_PER_IMAGE: u64 = 1_000;

/// What the frame of a message, a call or a tool counts.
const TOKENS_PER_FRAME: u64 = 4;

/// The tokens of a message: text, reasoning, calls and results, media.
pub fn estimate(message: &Message) -> u64 {
    message.parts.iter().map(part).fold(TOKENS_PER_FRAME, u64::saturating_add)
}

/// The tokens of a text.
pub fn estimate_text(text: &str) -> u64 {
    tokens(text.len())
}

/// The tokens of a tool's name, description and schema.
pub fn estimate_tool(tool: &ToolSpec) -> u64 {
    TOKENS_PER_FRAME + tokens(tool.name.len() + tool.description.len()) + estimate_value(&tool.parameters)
}

/// The tokens of everything that a request sends.
pub fn estimate_request(request: &Request) -> u64 {
    let messages = request.messages.iter().map(|message| estimate(message));
    let tools = request.tools.iter().map(estimate_tool);
    let output = request.output.iter().map(|output| estimate_value(&output.schema));
    messages.chain(tools).chain(output).fold(0, u64::saturating_add)
}

/// The usage of an answer as this estimate has it.
pub fn estimate_usage(request: &Request, answer: &Message) -> Usage {
    Usage { input: estimate_request(request), output: estimate(answer), ..Usage::default() }
}

fn part(part: &Part) -> u64 {
    match part {
        Part::Text { text } => estimate_text(text),
        Part::Image(_) => TOKENS_PER_IMAGE,
        Part::Audio(media) | Part::File(media) => estimate_media(media),
        Part::Reasoning(reasoning) => {
            let sealed = reasoning.encrypted.as_ref().map_or(0, String::len);
            tokens(reasoning.text.len() + sealed)
        }
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            TOKENS_PER_FRAME + tokens(id.as_str().len() + name.len() + arguments.len())
        }
        Part::ToolResult(result) => estimate_result(result),
        Part::Native(native) => estimate_value(&native.value),
    }
}

fn estimate_result(result: &ToolResult) -> u64 {
    let frame = TOKENS_PER_FRAME + tokens(result.call.as_str().len());
    // Data goes to a model only where there is no content.
    match (&result.data, result.content.is_empty()) {
        (Some(data), true) => frame.saturating_add(estimate_value(data)),
        _ => result.content.iter().map(part).fold(frame, u64::saturating_add),
    }
}

/// A text counts its bytes, of which base 64 has four for three. A page of a document counts about what a picture does and
/// has some 30 KiB, and so does a minute of sound.
fn estimate_media(media: &Media) -> u64 {
    const BYTES_PER_PAGE: usize = 40 << 10;
    match &media.source {
        MediaSource::Base64(text) if media.media_type.starts_with("text/") => tokens(text.len() / 4 * 3),
        MediaSource::Base64(text) => {
            let pages = u64::try_from(text.len() / BYTES_PER_PAGE + 1).unwrap_or(u64::MAX);
            pages.saturating_mul(TOKENS_PER_IMAGE)
        }
        MediaSource::Url(_) => TOKENS_PER_IMAGE,
    }
}

/// The length of a value's JSON text, without writing it.
fn estimate_value(value: &Value) -> u64 {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => tokens(count.0),
        Err(_) => 0,
    }
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_is_sent_counts() {
        let call = ToolCall { id: "c".into(), name: "look".into(), arguments: "x".repeat(400) };
        let image = Media {
            media_type: "image/png".into(),
            name: None,
            source: MediaSource::Url("https://example.com/a.png".into()),
        };
        let mut data = ToolResult::text(&call, "");
        data.content.clear();
        data.data = Some(json!("x".repeat(398)));
        let cases = [
            (Message::user("x".repeat(400)), 104),
            (Message::user(""), 4),
            (Message::assistant(vec![Part::ToolCall(call.clone())]), 110),
            (Message::tool(ToolResult::text(&call, "x".repeat(400))), 109),
            (Message::tool(data), 109),
            (Message::new(adjutant_core::message::Role::User, vec![Part::Image(image)]), 1_004),
        ];
        for (message, expected) in cases {
            assert_eq!(estimate(&message), expected, "{message:?}");
        }
    }
}
