//! Tool calls as they arrive, in pieces or whole.

use std::collections::HashMap;

use adjutant_core::id::CallId;
use serde_json::Value;

use crate::call_id::Ids;
use crate::delta::Delta;

/// The calls of one answer.
#[derive(Debug)]
pub(super) struct Calls {
    ids: Ids,
    open: Vec<Call>,
    /// The last call under each index and under each id of the server's: looking through the calls for every piece would
    /// take a hostile answer long.
    by_index: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct Call {
    wire_id: Option<String>,
    name: Option<String>,
    /// The id that everybody uses.
    id: Option<CallId>,
}

impl Calls {
    /// No calls yet, in a conversation that uses these ids.
    pub(super) fn new(ids: Ids) -> Self {
        Self { ids, open: Vec::new(), by_index: HashMap::new(), by_id: HashMap::new() }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes a piece of a call, or a whole one.
    pub(super) fn take(&mut self, call: &Value, deltas: &mut Vec<Delta>) {
        let text = |pointer: &str| {
            call.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        // Mistral's client writes an id that is missing as this word.
        let wire_id = text("/id").filter(|id| id != "null");
        let name = text("/function/name");
        let arguments = match call.pointer("/function/arguments") {
            Some(Value::String(text)) => text.clone(),
            // Some servers send the object itself.
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => String::new(),
        };
        let wire_index = call.get("index").and_then(Value::as_u64);
        let place = self.place(wire_index, wire_id.as_deref(), name.as_deref());
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        if place == self.open.len() {
            self.open.push(Call::default());
            self.by_index.extend(wire_index.map(|wire_index| (wire_index, place)));
        }
        let Some(open) = self.open.get_mut(place) else { return };
        let new_id = match (&open.id, &wire_id) {
            (None, Some(wire_id)) => Some(self.ids.claim(Some(wire_id), index)),
            _ => None,
        };
        let new_name = if open.name.is_none() { name } else { None };
        open.id = open.id.take().or_else(|| new_id.clone());
        if let (None, Some(wire_id)) = (&open.wire_id, wire_id) {
            let last = self.by_id.entry(wire_id.clone()).or_insert(place);
            *last = place.max(*last);
            open.wire_id = Some(wire_id);
        }
        open.name = open.name.take().or_else(|| new_name.clone());
        deltas.push(Delta::ToolCall { index, id: new_id, name: new_name, arguments });
    }

    /// Gives an id to each call that has none.
    pub(super) fn finish(&mut self, deltas: &mut Vec<Delta>) {
        for (index, call) in (0u32..).zip(&mut self.open) {
            if call.id.is_none() {
                let id = Some(self.ids.claim(None, index));
                call.id.clone_from(&id);
                deltas.push(Delta::ToolCall { index, id, name: None, arguments: String::new() });
            }
        }
    }

    /// Which call a piece belongs to; one past the last for a new one.
    ///
    /// By its index; but a piece with another id and a name begins a new call even under an index that is taken (some
    /// servers number every call 0), and a piece without an index belongs to the call of its id, or to the last one.
    fn place(&self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> usize {
        let begins = |call: &Call| {
            id.is_some() && name.is_some() && call.wire_id.is_some() && call.wire_id.as_deref() != id
        };
        let found = match (index, id) {
            (Some(index), _) => self.by_index.get(&index).copied(),
            (None, Some(id)) => self.by_id.get(id).copied(),
            (None, None) if name.is_some() => None,
            (None, None) => self.open.len().checked_sub(1),
        };
        match found.and_then(|place| Some((place, self.open.get(place)?))) {
            Some((place, call)) if !begins(call) => place,
            _ => self.open.len(),
        }
    }
}
