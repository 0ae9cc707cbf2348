//! Messages as the wire has them.

use adjutant_core::id::CallId;
use adjutant_core::message::{Message, Part, Role, ToolCall, ToolResult};
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::media;
use super::quirks::{CallIds, Echo, Quirks};
use super::reasoning;
use crate::call_id;
use crate::openai::parameters::arguments;

/// In what messages differ between servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style<'a> {
    pub(super) echo: Echo<'a>,
    pub(super) call_ids: CallIds,
    pub(super) media: super::quirks::Media,
    pub(super) media_in_results: bool,
}

impl<'a> Style<'a> {
    /// The style of a server; a person may have named another field for earlier reasoning.
    pub(super) fn new(quirks: &Quirks, reasoning_field: Option<&'a str>) -> Self {
        let echo = match (quirks.echo, reasoning_field) {
            (Echo::EveryTime(own), Some(named)) if own == named => quirks.echo,
            (_, Some(named)) => Echo::Field(named),
            (own, None) => own,
        };
        Self {
            echo,
            call_ids: quirks.call_ids,
            media: quirks.media,
            media_in_results: quirks.media_in_results,
        }
    }

    /// One message of ours as the messages of the wire: one, or one for each result.
    pub(super) fn encode(&self, message: &Message) -> Result<Vec<Value>> {
        match message.role {
            Role::System => Ok(vec![json!({"role": "system", "content": text_of(message, "system")?})]),
            Role::User => Ok(vec![json!({"role": "user", "content": self.user_content(&message.parts)?})]),
            Role::Assistant => self.assistant(message).map(|message| vec![message]),
            Role::Tool => message.parts.iter().map(|part| self.result(part)).collect(),
        }
    }

    /// Images, sounds and files in results, as a message of the user, for servers that take only text in results.
    ///
    /// It must stand after the last result of the answered message, so the caller collects them.
    pub(super) fn media_of_results(&self, results: &[&ToolResult]) -> Result<Option<Value>> {
        let mut content = Vec::new();
        for result in results.iter().filter(|_| !self.media_in_results) {
            let media: Vec<&Part> = result.content.iter().filter(|part| part.as_text().is_none()).collect();
            if !media.is_empty() {
                let id = self.id(&result.call);
                content.push(text(&format!("What the call `{id}` of `{}` returned:", result.name)));
            }
            for part in media {
                content.push(self.user_part(part)?);
            }
        }
        Ok((!content.is_empty()).then(|| json!({"role": "user", "content": content})))
    }

    fn assistant(&self, message: &Message) -> Result<Value> {
        let mut said = String::new();
        let mut calls = Vec::new();
        for part in &message.parts {
            match part {
                Part::Text { text } => said.push_str(text),
                // What was thought is laid in below, and what is another provider's own means nothing here.
                Part::Reasoning(_) | Part::Native(_) => {}
                Part::ToolCall(call) => calls.push(self.tool_call(call)),
                other => return Err(misplaced(other, "an assistant")),
            }
        }
        let mut wire = Map::new();
        wire.insert("role".into(), "assistant".into());
        // `null` stands for "calls only"; a message without calls must have a text.
        let content = if said.is_empty() && !calls.is_empty() { Value::Null } else { Value::from(said) };
        wire.insert("content".into(), content);
        if !calls.is_empty() {
            wire.insert("tool_calls".into(), calls.into());
        }
        reasoning::echo(&mut wire, &message.parts, self.echo);
        Ok(Value::Object(wire))
    }

    /// The id of a call, on the call and on its result.
    fn id<'b>(&self, id: &'b CallId) -> std::borrow::Cow<'b, str> {
        match self.call_ids {
            CallIds::Any => id.as_str().into(),
            CallIds::Nine => call_id::nine(id),
        }
    }

    fn tool_call(&self, call: &ToolCall) -> Value {
        json!({
            "id": self.id(&call.id),
            "type": "function",
            "function": {"name": call.name, "arguments": arguments(&call.arguments)},
        })
    }

    fn result(&self, part: &Part) -> Result<Value> {
        let Part::ToolResult(result) = part else { return Err(misplaced(part, "a tool")) };
        let content =
            match self.media_in_results && result.content.iter().any(|part| part.as_text().is_none()) {
                true => self.result_parts(result)?,
                false => result_text(result).into(),
            };
        Ok(json!({"role": "tool", "tool_call_id": self.id(&result.call), "content": content}))
    }

    fn result_parts(&self, result: &ToolResult) -> Result<Value> {
        let failed = result.is_error.then(|| Ok(text("error:")));
        failed.into_iter().chain(result.content.iter().map(|part| self.user_part(part))).collect()
    }

    /// A text alone stays a string: not every server reads lists.
    fn user_content(&self, parts: &[Part]) -> Result<Value> {
        if parts.iter().all(|part| part.as_text().is_some()) {
            return Ok(parts.iter().filter_map(Part::as_text).collect::<String>().into());
        }
        parts.iter().map(|part| self.user_part(part)).collect()
    }

    fn user_part(&self, part: &Part) -> Result<Value> {
        match part {
            Part::Text { text: said } => Ok(text(said)),
            Part::Image(image) => Ok(media::image(image)),
            Part::Audio(audio) => media::audio(audio, self.media),
            Part::File(file) => media::file(file, self.media),
            other => Err(misplaced(other, "a user")),
        }
    }
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

fn text(said: &str) -> Value {
    json!({"type": "text", "text": said})
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
    use adjutant_core::message::{Media, MediaSource, Reasoning};

    use super::*;
    use crate::openai::chat::quirks;

    const PLAIN: Style<'static> = Style {
        echo: Echo::Nowhere,
        call_ids: CallIds::Any,
        media: quirks::Media::OpenAi,
        media_in_results: false,
    };

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
            let style = Style::new(&Quirks::COMMON, Some("reasoning_content"));
            assert_eq!(style.encode(&message).unwrap(), [expected], "{message:?}");
        }
        let silent = PLAIN.encode(&Message::assistant(vec![thought, Part::text("a")])).unwrap();
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
                    PLAIN.user_content(&message.parts).map(|_| vec![])
                }
                _ => PLAIN.encode(&message),
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
        assert_eq!(PLAIN.media_of_results(&[&plain]).unwrap(), None);
        let moved = PLAIN.media_of_results(&[&plain, &with_image]).unwrap().unwrap();
        assert_eq!(moved["content"][0]["text"], "What the call `c1` of `look` returned:");
        assert_eq!(moved["content"][1]["image_url"]["url"], "data:image/png;base64,AA==");
        assert_eq!(result_text(&with_image), "1 attachment(s), in the next message of the user");
    }

    #[test]
    fn media_stay_in_results_where_they_may() {
        let mut seen = ToolResult::error(&call(""), "a cat");
        seen.content.push(Part::Image(bytes("image/png")));
        let style = Style::new(&Quirks::MISTRAL, None);
        let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
        assert_eq!(style.media_of_results(&[&seen]).unwrap(), None);
        assert_eq!(
            style.encode(&Message::tool(seen)).unwrap()[0]["content"],
            json!([{"type": "text", "text": "error:"}, {"type": "text", "text": "a cat"}, image])
        );
        let plain = style.encode(&Message::tool(ToolResult::text(&call(""), "ok"))).unwrap();
        assert_eq!(plain[0]["content"], "ok");
    }

    #[test]
    fn a_call_and_its_result_have_the_same_id() {
        let style = Style::new(&Quirks::MISTRAL, None);
        let asked = style.encode(&Message::assistant(vec![Part::ToolCall(call("{}"))])).unwrap();
        let told = style.encode(&Message::tool(ToolResult::text(&call(""), "ok"))).unwrap();
        assert_eq!(asked[0]["tool_calls"][0]["id"], told[0]["tool_call_id"]);
        assert_eq!(told[0]["tool_call_id"].as_str().unwrap().len(), 9);
    }

    #[test]
    fn a_named_field_comes_before_what_is_known() {
        let of = |quirks: &Quirks, field| Style::new(quirks, field).echo;
        assert_eq!(of(&Quirks::COMMON, Some("reasoning")), Echo::Field("reasoning"));
        assert_eq!(of(&Quirks::MISTRAL, Some("reasoning")), Echo::Field("reasoning"));
        assert_eq!(of(&Quirks::DEEPSEEK, Some("reasoning_content")), Echo::EveryTime("reasoning_content"));
        assert_eq!(of(&Quirks::DEEPSEEK, None), Echo::EveryTime("reasoning_content"));
    }
}
