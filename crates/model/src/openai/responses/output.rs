//! The items of an answer as deltas, from their pieces and from the whole of them.

use std::collections::{BTreeMap, HashMap};

use adjutant_core::message::{Native, Reasoning};
use serde_json::{Value, json};

use super::NAME;
use super::items;
use crate::call_id::Ids;
use crate::delta::Delta;

/// The items of one answer so far.
#[derive(Debug)]
pub(super) struct Output {
    ids: Ids,
    /// Who can decrypt what is encrypted.
    origin: String,
    /// By the place that the answer gives them.
    items: BTreeMap<u64, Item>,
    /// The place of the item with that id.
    places: HashMap<String, u64>,
    calls: u32,
    refused: bool,
}

#[derive(Debug, Default)]
struct Item {
    /// The number among the calls.
    call: Option<u32>,
    /// Whether the call's id and name were told.
    named: bool,
    /// Whether pieces of what it holds came before the whole.
    pieces: bool,
    /// The part of the reasoning that is being written.
    part: u64,
    done: bool,
}

impl Output {
    pub(super) fn new(ids: Ids, origin: &str) -> Self {
        Self {
            ids,
            origin: origin.to_owned(),
            items: BTreeMap::new(),
            places: HashMap::new(),
            calls: 0,
            refused: false,
        }
    }

    /// Whether a tool is called.
    pub(super) fn calls(&self) -> bool {
        self.calls > 0
    }

    /// Whether the model declines.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// A piece of text.
    pub(super) fn text(&mut self, event: &Value, deltas: &mut Vec<Delta>) {
        let piece = self.piece(event);
        deltas.extend(piece.map(|(_, text)| Delta::Text(text)));
    }

    /// A piece of a refusal, which is text.
    pub(super) fn refusal(&mut self, event: &Value, deltas: &mut Vec<Delta>) {
        self.refused = true;
        self.text(event, deltas);
    }

    /// A piece of reasoning, of the part that this field numbers.
    pub(super) fn reasoning(&mut self, event: &Value, part: &str, deltas: &mut Vec<Delta>) {
        let number = event.get(part).and_then(Value::as_u64).unwrap_or(0);
        if let Some((item, text)) = self.piece(event) {
            let begins = std::mem::replace(&mut item.part, number) != number;
            deltas.extend(begins.then(|| Delta::Reasoning("\n\n".to_owned())));
            deltas.push(Delta::Reasoning(text));
        }
    }

    /// A piece of a call's arguments.
    pub(super) fn arguments(&mut self, event: &Value, deltas: &mut Vec<Delta>) {
        let next = self.calls;
        if let Some((item, arguments)) = self.piece(event) {
            let index = *item.call.get_or_insert(next);
            self.calls = next.max(index.saturating_add(1));
            deltas.push(Delta::ToolCall { index, id: None, name: None, arguments });
        }
    }

    /// An item begins.
    pub(super) fn added(&mut self, event: &Value, deltas: &mut Vec<Delta>) {
        let Some(item) = event.get("item") else { return };
        let place = self.place(event);
        self.items.entry(place).or_default();
        self.names(place, item);
        if text(item, "type") == Some("function_call") {
            self.call_begins(place, item, deltas);
        }
    }

    /// An item is whole.
    pub(super) fn done(&mut self, event: &Value, deltas: &mut Vec<Delta>) {
        if let Some(item) = event.get("item") {
            let place = self.place(event);
            self.whole(place, item, deltas);
        }
    }

    /// The whole answer: what its items say that was not told yet.
    pub(super) fn all(&mut self, response: &Value, deltas: &mut Vec<Delta>) {
        let output = response.get("output").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (place, item) in (0u64..).zip(output) {
            let known = text(item, "id").and_then(|id| self.items.get(self.places.get(id)?));
            if !known.is_some_and(|known| known.done) {
                self.whole(place, item, deltas);
            }
        }
    }

    fn whole(&mut self, place: u64, item: &Value, deltas: &mut Vec<Delta>) {
        let known = self.items.entry(place).or_default();
        if std::mem::replace(&mut known.done, true) {
            return;
        }
        let pieces = known.pieces;
        self.names(place, item);
        match text(item, "type") {
            Some("message") => {
                if !pieces {
                    self.content(item, deltas);
                }
                deltas.extend(text(item, "phase").map(|phase| Delta::Native(items::phase(phase))));
            }
            Some("function_call") => self.call(place, item, deltas),
            Some("reasoning") => deltas.push(Delta::ReasoningDone(reasoning(item, &self.origin))),
            Some(_) => {
                let provider = if encrypted(item).is_some() { &self.origin } else { NAME };
                deltas.push(Delta::Native(Native { provider: provider.to_owned(), value: item.clone() }));
            }
            None => deltas.push(Delta::Unknown(json!({"item": item}))),
        }
    }

    /// Remembers where the item of that id stands.
    fn names(&mut self, place: u64, item: &Value) {
        if let Some(id) = text(item, "id") {
            self.places.insert(id.to_owned(), place);
        }
    }

    /// The content of a message of which nothing was told.
    fn content(&mut self, message: &Value, deltas: &mut Vec<Delta>) {
        for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            match (text(part, "text"), text(part, "refusal")) {
                (Some(said), _) => deltas.push(Delta::Text(said.to_owned())),
                (None, Some(said)) => {
                    self.refused = true;
                    deltas.push(Delta::Text(said.to_owned()));
                }
                (None, None) => deltas.push(Delta::Unknown(json!({"content": part}))),
            }
            let notes = part.get("annotations").and_then(Value::as_array).into_iter().flatten();
            deltas.extend(notes.map(annotation));
        }
    }

    fn call(&mut self, place: u64, item: &Value, deltas: &mut Vec<Delta>) {
        self.call_begins(place, item, deltas);
        let Some(Item { call: Some(index), pieces: false, .. }) = self.items.get(&place) else { return };
        let arguments = match item.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            // Some servers send the object itself.
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => return,
        };
        deltas.push(Delta::ToolCall { index: *index, id: None, name: None, arguments });
    }

    /// Tells the id and the name of a call, once.
    fn call_begins(&mut self, place: u64, item: &Value, deltas: &mut Vec<Delta>) {
        let next = self.calls;
        let known = self.items.entry(place).or_default();
        let index = *known.call.get_or_insert(next);
        self.calls = next.max(index.saturating_add(1));
        let Some(name) = text(item, "name").filter(|_| !std::mem::replace(&mut known.named, true)) else {
            return;
        };
        let id = Some(self.ids.claim(text(item, "call_id"), index));
        deltas.push(Delta::ToolCall { index, id, name: Some(name.to_owned()), arguments: String::new() });
    }

    /// The item that a piece belongs to, and the piece; none where it is empty.
    fn piece(&mut self, event: &Value) -> Option<(&mut Item, String)> {
        let piece = text(event, "delta").filter(|piece| !piece.is_empty())?;
        let place = self.place(event);
        let item = self.items.entry(place).or_default();
        item.pieces = true;
        Some((item, piece.to_owned()))
    }

    /// Where the item of an event stands: by its number, else by its id, else it is the last one.
    fn place(&self, event: &Value) -> u64 {
        let id = text(event, "item_id").or_else(|| event.get("item").and_then(|item| text(item, "id")));
        let by_id = || self.places.get(id?).copied();
        let last = self.items.keys().next_back().copied();
        let is_new = text(event, "type") == Some("response.output_item.added");
        event
            .get("output_index")
            .and_then(Value::as_u64)
            .or_else(by_id)
            .or_else(|| if is_new { last.map(|last| last.saturating_add(1)) } else { last })
            .unwrap_or(0)
    }
}

/// Something that is said of a text, such as where it is from.
pub(super) fn annotation(note: &Value) -> Delta {
    Delta::Unknown(json!({"annotation": note}))
}

/// Reasoning as it shall come back. Without its encrypted content its id means nothing to anybody.
fn reasoning(item: &Value, origin: &str) -> Reasoning {
    let encrypted = encrypted(item);
    let parts = |field: &str| {
        let parts = item.get(field).and_then(Value::as_array).into_iter().flatten();
        parts.filter_map(|part| text(part, "text")).collect::<Vec<_>>().join("\n\n")
    };
    let summary = parts("summary");
    Reasoning {
        text: if summary.is_empty() { parts("content") } else { summary },
        provider: encrypted.map(|_| origin.to_owned()),
        id: encrypted.and_then(|_| text(item, "id")).map(str::to_owned),
        encrypted: encrypted.map(str::to_owned),
        signature: None,
    }
}

fn encrypted(item: &Value) -> Option<&str> {
    text(item, "encrypted_content").filter(|content| !content.is_empty())
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}
