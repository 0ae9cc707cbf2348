//! Events of a stream that are none of the interface's: the heartbeats of a gateway, and what it thinks of them.

use serde_json::{Value, json};

use super::wire::Decode;
use crate::delta::Delta;
use crate::sse::Event;

/// How many such events are told of one answer.
const MOST: usize = 16;

/// How many characters are told of one.
const MOST_SHOWN: usize = 200;

/// The events that are none of the interface's, while a stream is read.
#[derive(Debug, Default)]
pub(super) struct Noise {
    /// What the first one said, while nothing else has come.
    first: Option<String>,
    /// Whether there was any event of the interface's own.
    heard: bool,
    last: Option<Value>,
    told: usize,
}

impl Noise {
    /// Whether an event says nothing to this interface: it has not one of its names, and its data is no JSON nor wants to
    /// be. What begins as JSON and is none is a damaged part of the answer.
    pub(super) fn is(&mut self, event: &Event, decoder: &dyn Decode) -> bool {
        let data = event.data.trim();
        let is_noise = !data.is_empty()
            && !data.starts_with(['{', '['])
            && !decoder.knows(&event.name)
            && serde_json::from_str::<serde::de::IgnoredAny>(data).is_err();
        self.heard |= !is_noise && !data.is_empty();
        is_noise
    }

    /// What is told of an event: something that is not understood, unless it was told so just before.
    pub(super) fn keep(&mut self, event: &Event) -> Option<Delta> {
        let data: String = event.data.trim().chars().take(MOST_SHOWN).collect();
        if self.first.is_none() {
            self.first = Some(data.clone());
        }
        let name: String = event.name.chars().take(MOST_SHOWN).collect();
        let told = json!({"event": name, "data": data});
        if self.told >= MOST || self.last.as_ref() == Some(&told) {
            return None;
        }
        self.told += 1;
        self.last = Some(told.clone());
        Some(Delta::Unknown(told))
    }

    /// What the first event said, where nothing but such events came.
    pub(super) fn alone(&self) -> Option<&str> {
        self.first.as_deref().filter(|_| !self.heard)
    }
}
