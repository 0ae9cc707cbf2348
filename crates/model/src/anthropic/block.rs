//! One block of an answer while it arrives.

use adjutant_core::message::{Native, Reasoning};
use serde_json::{Map, Value, json};

use super::content::CITATIONS;
use super::{NAME, kind_of};
use crate::call_id::Ids;
use crate::delta::Delta;

/// One block of an answer while it arrives.
#[derive(Debug)]
pub(super) enum Block {
    /// Text, with the sources that it cites.
    Text { citations: Vec<Value> },
    /// Thinking, with its signature.
    Thinking { said: bool, signature: Option<String> },
    /// A call of a tool; `input` is what its beginning had of the arguments.
    Call { index: u32, input: Value, written: bool },
    /// Something of the provider's own; `input` is the text of the arguments that the provider gave its own tool.
    Native { fields: Map<String, Value>, input: String },
    /// Something that came whole with its beginning.
    Done,
}

impl Block {
    /// Begins a block; `index` is its call's, if it is one, and `origin` is who signs thinking.
    pub(super) fn open(
        block: &Value,
        index: u32,
        origin: &str,
        ids: &mut Ids,
        deltas: &mut Vec<Delta>,
    ) -> Self {
        let text = |key: &str| block.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        match text("type") {
            Some("text") => {
                deltas.extend(text("text").map(|said| Delta::Text(said.to_owned())));
                let citations = block.get(CITATIONS).and_then(Value::as_array).cloned();
                Self::Text { citations: citations.unwrap_or_default() }
            }
            Some("thinking") => {
                let said = text("thinking").map(|said| Delta::Reasoning(said.to_owned()));
                let signature = text("signature").map(str::to_owned);
                let begun = Self::Thinking { said: said.is_some(), signature };
                deltas.extend(said);
                begun
            }
            Some("redacted_thinking") => {
                let encrypted = text("data").map(str::to_owned);
                let provider = Some(origin.to_owned());
                deltas.push(Delta::ReasoningDone(Reasoning { encrypted, provider, ..Reasoning::default() }));
                Self::Done
            }
            Some("tool_use") => {
                let id = Some(ids.claim(text("id"), index));
                let name = text("name").map(str::to_owned);
                deltas.push(Delta::ToolCall { index, id, name, arguments: String::new() });
                deltas.extend(unknown_of_call(block));
                Self::Call { index, input: block.get("input").cloned().unwrap_or_default(), written: false }
            }
            _ => match block {
                Value::Object(fields) => Self::Native { fields: fields.clone(), input: String::new() },
                other => {
                    deltas.push(Delta::Unknown(json!({"content_block": other})));
                    Self::Done
                }
            },
        }
    }

    /// What a block is that nobody began, by its first piece: some servers forget the beginning.
    pub(super) fn implied_by(piece: &Value) -> Self {
        match kind_of(piece) {
            "text_delta" | "citations_delta" => Self::Text { citations: Vec::new() },
            "thinking_delta" | "signature_delta" => Self::Thinking { said: false, signature: None },
            _ => Self::Done,
        }
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, piece: &Value, deltas: &mut Vec<Delta>) {
        let text = |key: &str| piece.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        match (self, kind_of(piece)) {
            (Self::Text { .. }, "text_delta") => {
                deltas.extend(text("text").map(|said| Delta::Text(said.to_owned())));
            }
            (Self::Text { citations }, "citations_delta") => citations.extend(piece.get("citation").cloned()),
            (Self::Thinking { said, .. }, "thinking_delta") => {
                *said |= text("thinking").is_some();
                deltas.extend(text("thinking").map(|said| Delta::Reasoning(said.to_owned())));
            }
            (Self::Thinking { signature, .. }, "signature_delta") => {
                *signature = text("signature").map(str::to_owned);
            }
            (Self::Call { index, written, .. }, "input_json_delta") => {
                if let Some(arguments) = text("partial_json") {
                    *written = true;
                    deltas.push(arguments_of(*index, arguments.to_owned()));
                }
            }
            (Self::Native { input, .. }, "input_json_delta") => {
                input.push_str(text("partial_json").unwrap_or_default());
            }
            (Self::Native { fields, .. }, _) => {
                let told = piece.as_object().into_iter().flatten().filter(|(key, _)| *key != "type");
                fields.extend(told.map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => deltas.push(Delta::Unknown(json!({"delta": piece}))),
        }
    }

    /// Whether it is a text that cites nothing, so that its end would not be told.
    pub(super) fn ends_silently(&self) -> bool {
        matches!(self, Self::Text { citations } if citations.is_empty())
    }

    /// Ends the block.
    pub(super) fn close(self, origin: &str, deltas: &mut Vec<Delta>) {
        match self {
            Self::Text { citations } if !citations.is_empty() => {
                deltas.push(end_of_text(&citations));
            }
            Self::Thinking { said, signature } if said || signature.is_some() => {
                // Without a signature nobody is bound to it, and it cannot go back.
                let provider = signature.is_some().then(|| origin.to_owned());
                deltas.push(Delta::ReasoningDone(Reasoning { signature, provider, ..Reasoning::default() }));
            }
            Self::Call { index, input: Value::Object(input), written: false } if !input.is_empty() => {
                deltas.push(arguments_of(index, Value::Object(input).to_string()));
            }
            Self::Native { mut fields, input } => {
                if let Ok(Value::Object(input)) = serde_json::from_str(&input) {
                    fields.insert("input".into(), input.into());
                }
                deltas.push(native(Value::Object(fields)));
            }
            Self::Text { .. } | Self::Thinking { .. } | Self::Call { .. } | Self::Done => {}
        }
    }
}

/// What ends a block of text, with what it cites.
pub(super) fn end_of_text(citations: &[Value]) -> Delta {
    native(json!({"type": CITATIONS, CITATIONS: citations}))
}

fn native(value: Value) -> Delta {
    Delta::Native(Native { provider: NAME.to_owned(), value })
}

fn arguments_of(index: u32, arguments: String) -> Delta {
    Delta::ToolCall { index, id: None, name: None, arguments }
}

/// What a call says beside its arguments, such as that a program of the provider's made it.
fn unknown_of_call(block: &Value) -> Option<Delta> {
    const KNOWN: [&str; 4] = ["type", "id", "name", "input"];
    let is_direct = |key: &str, value: &Value| key == "caller" && kind_of(value) == "direct";
    let rest: Map<String, Value> = block.as_object()?.clone();
    let rest: Map<String, Value> = rest
        .into_iter()
        .filter(|(key, value)| !value.is_null() && !KNOWN.contains(&key.as_str()) && !is_direct(key, value))
        .collect();
    (!rest.is_empty()).then(|| Delta::Unknown(json!({"tool_use": rest})))
}
