//! Messages: what people, models and tools say to each other, as lists of typed parts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{CallId, StepKey};
use crate::label::Label;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The author of the agent: its instructions.
    System,
    /// A person, or the program that speaks for one.
    User,
    /// The model.
    Assistant,
    /// A tool. Each message of this role holds the result of one call.
    Tool,
}

/// One message of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// The step that produced it; none for what came in with the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepKey>,
    /// Where the content came from and who may see it.
    #[serde(default, skip_serializing_if = "Label::is_default")]
    pub label: Label,
}

impl Message {
    /// A message of one role with the default label.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, step: None, label: Label::default() }
    }

    /// Instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, vec![Part::text(text)])
    }

    /// What a person says.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, vec![Part::text(text)])
    }

    /// What a model says.
    pub fn assistant(parts: Vec<Part>) -> Self {
        Self::new(Role::Assistant, parts)
    }

    /// What a tool answers.
    pub fn tool(result: ToolResult) -> Self {
        Self::new(Role::Tool, vec![Part::ToolResult(result)])
    }

    /// Says which step produced the message.
    #[must_use]
    pub fn from_step(mut self, step: StepKey) -> Self {
        self.step = Some(step);
        self
    }

    /// Puts a label on the content.
    #[must_use]
    pub fn labelled(mut self, label: Label) -> Self {
        self.label = label;
        self
    }

    /// The text parts, one after the other.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }

    /// The calls that a model makes in this message, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The results of calls in this message.
    pub fn results(&self) -> impl Iterator<Item = &ToolResult> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some(result),
            _ => None,
        })
    }
}

/// One piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Plain text, usually Markdown.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A document, such as a PDF.
    File(Media),
    /// What a model thought before it answered. It goes back to the model as it came.
    Reasoning(Reasoning),
    /// A model asks for a tool.
    ToolCall(ToolCall),
    /// A tool answers.
    ToolResult(ToolResult),
    /// Something that only its provider understands, such as a search that the provider itself has made.
    Native(Native),
}

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            _ => None,
        }
    }
}

/// An image, a sound or a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// The IANA media type, such as `image/png`.
    pub media_type: String,
    /// A name for people, such as `invoice.pdf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the bytes are.
    pub source: MediaSource,
}

/// Where the bytes of a [`Media`] are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// The bytes themselves in base 64 (RFC 4648, with padding).
    Base64(String),
    /// An address that the provider fetches.
    Url(String),
}

/// Something of a provider's own, kept as it came and given back only to the same provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Native {
    /// The interface that it belongs to, such as `anthropic`.
    pub provider: String,
    /// What the provider wrote.
    pub value: Value,
}

/// A model's reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// What the provider shows of it; empty when it shows nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The interface that made it, such as `anthropic`; none where any may read it. Signed and encrypted reasoning
    /// means something to its own provider alone, so no other is sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The provider's id of it, which it wants back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The provider's signature over the text, which it wants back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Reasoning that only the provider can read, which it wants back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}

/// A model asks for one call of one tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Ties the result to the call.
    pub id: CallId,
    /// The tool's name.
    pub name: String,
    /// The arguments as the model wrote them: meant to be a JSON object, but a model may have written anything.
    pub arguments: String,
}

/// What came of one call. Every call of a transcript has exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that this answers.
    pub call: CallId,
    /// The tool's name.
    pub name: String,
    /// What the tool says: text, images, files.
    pub content: Vec<Part>,
    /// The same as data, where the tool has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Whether the call failed, was refused or was cancelled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

impl ToolResult {
    /// A result of plain text.
    pub fn text(call: &ToolCall, text: impl Into<String>) -> Self {
        Self {
            call: call.id.clone(),
            name: call.name.clone(),
            content: vec![Part::text(text)],
            data: None,
            is_error: false,
        }
    }

    /// A result that says why there is none.
    pub fn error(call: &ToolCall, text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(call, text) }
    }

    /// The text parts, one after the other.
    pub fn as_text(&self) -> String {
        self.content.iter().filter_map(Part::as_text).collect()
    }
}

/// What is wrong with a transcript, if anything: each call has exactly one result, after it and before the next
/// message of another role than `tool`; each result answers a call; ids are unique.
///
/// Providers refuse transcripts that break this, so nothing may ever make one.
pub fn transcript_fault(messages: &[Message]) -> Option<String> {
    let mut open: Vec<&CallId> = Vec::new();
    let mut seen: Vec<&CallId> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message.role != Role::Tool && !open.is_empty() {
            return Some(format!("message {index}: the calls {open:?} have no result yet"));
        }
        for result in message.results() {
            if message.role != Role::Tool {
                return Some(format!("message {index}: a result in a message of another role than tool"));
            }
            match open.iter().position(|id| **id == result.call) {
                Some(place) => drop(open.remove(place)),
                None => {
                    return Some(format!(
                        "message {index}: the result for {:?} answers no open call",
                        result.call
                    ));
                }
            }
        }
        for call in message.calls() {
            if message.role != Role::Assistant {
                return Some(format!("message {index}: a call in a message of another role than assistant"));
            }
            if seen.contains(&&call.id) {
                return Some(format!("message {index}: the call id {:?} is used twice", call.id));
            }
            seen.push(&call.id);
            open.push(&call.id);
        }
    }
    (!open.is_empty()).then(|| format!("at the end the calls {open:?} have no result"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "look_up".into(), arguments: "{}".into() }
    }

    fn asks(ids: &[&str]) -> Message {
        Message::assistant(ids.iter().map(|id| Part::ToolCall(call(id))).collect())
    }

    fn answers(id: &str) -> Message {
        Message::tool(ToolResult::text(&call(id), "found"))
    }

    #[test]
    fn a_valid_transcript_has_no_fault() {
        let messages = [
            Message::user("hi"),
            asks(&["1", "2"]),
            answers("2"),
            answers("1"),
            Message::assistant(vec![Part::text("ok")]),
        ];
        assert_eq!(transcript_fault(&messages), None);
    }

    #[test]
    fn faults_are_named() {
        let cases: [(&[Message], &str); 5] = [
            (&[asks(&["1"])], "at the end the calls [\"1\"] have no result"),
            (&[asks(&["1"]), Message::user("?")], "message 1: the calls [\"1\"] have no result yet"),
            (&[answers("1")], "message 0: the result for \"1\" answers no open call"),
            (
                &[asks(&["1"]), answers("1"), answers("1")],
                "message 2: the result for \"1\" answers no open call",
            ),
            (&[asks(&["1", "1"])], "message 0: the call id \"1\" is used twice"),
        ];
        for (messages, fault) in cases {
            assert_eq!(transcript_fault(messages).as_deref(), Some(fault));
        }
    }

    #[test]
    fn parts_round_trip_as_json() {
        let message = Message::assistant(vec![
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                signature: Some("s".into()),
                ..Reasoning::default()
            }),
            Part::Image(Media {
                media_type: "image/png".into(),
                name: None,
                source: MediaSource::Base64("AA==".into()),
            }),
            Part::ToolCall(call("1")),
        ]);
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }
}
