//! A model's reasoning in the forms that servers have for it, there and back.
//!
//! Most send plain text beside the content, and some want it back in a field. What has a signature, or only its maker can
//! read, comes in one of three forms: OpenRouter's `reasoning_details` (openrouter.ai/docs, "Reasoning Tokens"), LiteLLM's
//! `thinking_blocks` (docs.litellm.ai, "'Thinking' / 'Reasoning Content'") and Mistral's parts of content (docs.mistral.ai,
//! "Reasoning").

use adjutant_core::message::{Part, Reasoning};
use serde_json::{Map, Value, json};

use super::quirks::Echo;
use crate::delta::Delta;

/// What reasoning in each of the forms is stamped with.
const DETAILS: &str = "openrouter";
const BLOCKS: &str = "litellm";
const CHUNKS: &str = "mistral";

/// Lays what the model thought into its message, whose text and calls are there already.
pub(super) fn echo(wire: &mut Map<String, Value>, parts: &[Part], echo: Echo<'_>) {
    let own = |name| stamped(parts, Some(name));
    match echo {
        Echo::Nowhere => {}
        Echo::Field(field) => put_text(wire, field, parts),
        Echo::EveryTime(field) => {
            put_text(wire, field, parts);
            // DeepSeek asks for the field even where there was no thought; LiteLLM found a blank to be accepted.
            wire.entry(field).or_insert_with(|| " ".into());
        }
        Echo::Chunks => {
            let thought: Vec<Value> = own(CHUNKS).map(chunk_of).collect();
            if !thought.is_empty() {
                let said = wire.get("content").and_then(Value::as_str).filter(|said| !said.is_empty());
                let said = said.map(|said| json!({"type": "text", "text": said}));
                wire.insert("content".into(), thought.into_iter().chain(said).collect());
            }
        }
        Echo::Details => {
            let details: Vec<Value> = own(DETAILS).filter_map(detail_of).collect();
            match details.is_empty() {
                true => put_text(wire, "reasoning", parts),
                false => drop(wire.insert("reasoning_details".into(), details.into())),
            }
        }
        Echo::Blocks => {
            let blocks: Vec<Value> = own(BLOCKS).map(block_of).collect();
            if !blocks.is_empty() {
                let text: String = own(BLOCKS).map(|thought| thought.text.as_str()).collect();
                wire.insert("thinking_blocks".into(), blocks.into());
                wire.insert("reasoning_content".into(), text.into());
            }
        }
    }
}

fn stamped<'a>(parts: &'a [Part], provider: Option<&'a str>) -> impl Iterator<Item = &'a Reasoning> {
    parts.iter().filter_map(move |part| match part {
        Part::Reasoning(thought) if thought.provider.as_deref() == provider => Some(thought),
        _ => None,
    })
}

/// The text that any model may read, in a field of that name.
fn put_text(wire: &mut Map<String, Value>, field: &str, parts: &[Part]) {
    let text: String = stamped(parts, None).map(|thought| thought.text.as_str()).collect();
    if !text.is_empty() {
        wire.insert(field.to_owned(), text.into());
    }
}

fn chunk_of(thought: &Reasoning) -> Value {
    let text = json!([{"type": "text", "text": thought.text}]);
    match &thought.signature {
        Some(signature) => {
            json!({"type": "thinking", "thinking": text, "closed": true, "signature": signature})
        }
        None => json!({"type": "thinking", "thinking": text, "closed": true}),
    }
}

fn block_of(thought: &Reasoning) -> Value {
    match &thought.encrypted {
        Some(data) => json!({"type": "redacted_thinking", "data": data}),
        None => json!({"type": "thinking", "thinking": thought.text, "signature": thought.signature}),
    }
}

/// A detail as it came: what is not its text was kept as JSON.
fn detail_of(thought: &Reasoning) -> Option<Value> {
    let mut detail: Map<String, Value> = serde_json::from_str(thought.encrypted.as_deref()?).ok()?;
    let kind = detail.get("type").and_then(Value::as_str).unwrap_or_default();
    if let Some(field) = text_field(kind) {
        detail.insert(field.to_owned(), thought.text.as_str().into());
    }
    Some(detail.into())
}

/// The field of a detail that a person may read.
fn text_field(kind: &str) -> Option<&'static str> {
    match kind {
        "reasoning.text" => Some("text"),
        "reasoning.summary" => Some("summary"),
        _ => None,
    }
}

/// Puts the pieces of reasoning together that belong to one thought.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    open: Option<Thought>,
}

/// A thought whose end is not known yet; its text is told as it arrives.
#[derive(Debug)]
enum Thought {
    /// A part of Mistral's content, with its signature.
    Chunk(Option<String>),
    /// One of OpenRouter's details without its text.
    Detail(Map<String, Value>),
}

impl Pieces {
    /// Takes what a piece of an answer, or a whole one, says of the model's reasoning.
    pub(super) fn take(&mut self, message: &Map<String, Value>, deltas: &mut Vec<Delta>) {
        let list = |name| message.get(name).and_then(Value::as_array).into_iter().flatten();
        let mut told = false;
        for piece in list("reasoning_details") {
            told |= self.detail(piece, deltas);
        }
        for block in list("thinking_blocks") {
            told |= block_piece(block, deltas);
        }
        // The same text stands in these as well.
        let plain =
            ["reasoning_content", "reasoning"].iter().filter_map(|name| text_of(message, name)).next();
        if let (Some(text), false) = (plain, told) {
            deltas.push(Delta::Reasoning(text.to_owned()));
        }
    }

    /// Takes a part of Mistral's content.
    pub(super) fn chunk(&mut self, part: &Value, deltas: &mut Vec<Delta>) {
        let thinking = part.get("thinking");
        let items = thinking.and_then(Value::as_array).into_iter().flatten();
        let texts = items.filter_map(|item| item.get("text").and_then(Value::as_str));
        let text: String = thinking.and_then(Value::as_str).into_iter().chain(texts).collect();
        if !matches!(self.open, Some(Thought::Chunk(_))) {
            self.close(deltas);
            self.open = Some(Thought::Chunk(None));
        }
        if let (Some(Thought::Chunk(signature)), Some(Value::String(said))) =
            (&mut self.open, part.get("signature"))
        {
            *signature = Some(said.clone());
        }
        if !text.is_empty() {
            deltas.push(Delta::Reasoning(text));
        }
    }

    /// Takes a piece of one of OpenRouter's details; says whether it held a text.
    fn detail(&mut self, piece: &Value, deltas: &mut Vec<Delta>) -> bool {
        let Value::Object(piece) = piece else {
            deltas.push(Delta::Unknown(json!({"reasoning_details": piece})));
            return false;
        };
        let continues = matches!(&self.open, Some(Thought::Detail(open)) if is_same(open, piece));
        if !continues {
            self.close(deltas);
            self.open = Some(Thought::Detail(Map::new()));
        }
        let Some(Thought::Detail(open)) = &mut self.open else { return false };
        let field = text_of(piece, "type").and_then(text_field);
        for (name, value) in piece.iter().filter(|(name, _)| Some(name.as_str()) != field) {
            match (open.get_mut(name), value) {
                (Some(_), Value::Null) => {}
                (Some(Value::String(data)), Value::String(more)) if name == "data" => data.push_str(more),
                _ => drop(open.insert(name.clone(), value.clone())),
            }
        }
        let text = field.and_then(|field| text_of(piece, field));
        deltas.extend(text.map(|text| Delta::Reasoning(text.to_owned())));
        text.is_some()
    }

    /// Ends the thought: something else begins.
    pub(super) fn close(&mut self, deltas: &mut Vec<Delta>) {
        let thought = match self.open.take() {
            None => return,
            Some(Thought::Chunk(signature)) => {
                Reasoning { provider: Some(CHUNKS.into()), signature, ..Reasoning::default() }
            }
            Some(Thought::Detail(fields)) => Reasoning {
                provider: Some(DETAILS.into()),
                encrypted: Some(Value::from(fields).to_string()),
                ..Reasoning::default()
            },
        };
        deltas.push(Delta::ReasoningDone(thought));
    }
}

/// Takes a piece of one of LiteLLM's blocks, which a signature ends; says whether it held a thought.
fn block_piece(block: &Value, deltas: &mut Vec<Delta>) -> bool {
    let Value::Object(block) = block else {
        deltas.push(Delta::Unknown(json!({"thinking_blocks": block})));
        return false;
    };
    let text = text_of(block, "thinking");
    deltas.extend(text.map(|text| Delta::Reasoning(text.to_owned())));
    let own = |name: &str| text_of(block, name).map(str::to_owned);
    let (signature, encrypted) = (own("signature"), own("data"));
    let ends = signature.is_some() || encrypted.is_some();
    if ends {
        let provider = Some(BLOCKS.to_owned());
        deltas.push(Delta::ReasoningDone(Reasoning {
            provider,
            signature,
            encrypted,
            ..Reasoning::default()
        }));
    }
    ends || text.is_some()
}

/// Whether a piece goes on with a detail: it has the same index and kind, and no other id.
fn is_same(open: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    let same = |name: &str| open.get(name) == piece.get(name);
    let other_id = match (open.get("id"), piece.get("id")) {
        (Some(Value::String(open)), Some(Value::String(piece))) => open != piece,
        _ => false,
    };
    let numbered = piece.get("index").is_some_and(Value::is_u64);
    let splits = numbered || text_of(piece, "data").is_none();
    same("type") && same("index") && !other_id && splits
}

/// A text that says something.
fn text_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
