//! [`Known`]: what an agent knows when it makes a call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use adjutant_core::label::Label;

use super::seen::{Read, Seen};
use super::spoken::Spoken;

/// So much of what was read is searched, in bytes. Beyond, nothing is known of a value but that it may stand there.
const ROOM: usize = 4 << 20;

/// What an agent knows when it makes a call: what those have said whom it works for, and what it has read since. A clone
/// shares what was read up to then.
#[derive(Clone, Debug)]
pub struct Known {
    pub(super) spoken: Vec<Arc<Spoken>>,
    pub(super) seen: Vec<Arc<Seen>>,
    pub(super) handles: BTreeMap<String, Label>,
    pub(super) program: Option<String>,
    label: Label,
    room: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            spoken: Vec::new(),
            seen: Vec::new(),
            handles: BTreeMap::new(),
            program: None,
            label: Label::default(),
            room: ROOM,
        }
    }
}

impl Known {
    /// Adds what the user or the operator has said. Words with the label of what cannot be believed are only read.
    pub fn said(&mut self, text: &str, label: &Label) {
        if label.is_trusted() {
            self.taint(label);
            self.spoken.push(Arc::new(Spoken::new(text, label.clone())));
        } else {
            self.read(&Read { tool: "", text, data: None, asked: None, issued: &BTreeSet::new(), label });
        }
    }

    /// Adds what the agent has read.
    pub fn read(&mut self, read: &Read<'_>) {
        self.taint(read.label);
        self.seen.push(Arc::new(Seen::new(read, &mut self.room)));
    }

    /// Says that something was read that is not here any more: it may have mentioned anything.
    pub fn forgotten(&mut self, label: &Label) {
        self.taint(label);
        self.seen.push(Arc::new(Seen::forgotten(label.clone())));
    }

    /// Adds what a program of the agent was given: its variables carry it exactly.
    pub fn given(&mut self, read: &Read<'_>) {
        self.taint(read.label);
        self.seen.push(Arc::new(Seen::new(read, &mut self.room).given()));
    }

    /// Says which program makes the call. What stands in its own text is the model's.
    pub fn written(&mut self, program: &str) {
        self.program = Some(program.to_owned());
    }

    /// Adds a handle: an argument that is its name stands for something with this label.
    pub fn handle(&mut self, name: impl Into<String>, label: Label) {
        self.handles.insert(name.into(), label);
    }

    /// Adds what cannot be searched: a picture, what somebody else has made of something.
    pub fn taint(&mut self, label: &Label) {
        self.label = self.label.join(label);
    }

    /// The join of all that is known: what a model makes of it is no better.
    pub fn label(&self) -> &Label {
        &self.label
    }
}
