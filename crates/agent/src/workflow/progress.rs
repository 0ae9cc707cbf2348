//! [`Progress`]: what a workflow has done, for the condition under which it has done enough.

use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::message::ToolCall;

use super::item::Item;
use crate::definition::{Condition, Now};
use crate::ending::Figures;
use crate::memory::Memory;
use crate::purse::Purse;
use crate::tally::Tally;

/// What a workflow has done.
#[derive(Default)]
pub(super) struct Progress {
    /// What it had used before, and what it has called since.
    tally: Tally,
    /// What was made last.
    last: Item,
    /// What of the condition holds, in words, once it does.
    enough: Option<String>,
}

impl Progress {
    /// What the segment before has left.
    pub(super) fn begin(memory: &Memory) -> Self {
        let (tally, last) = (memory.tally.clone(), memory.made.clone().unwrap_or_default());
        Self { tally, last, enough: memory.enough.clone() }
    }

    /// Notes what the next segment goes on with.
    pub(super) fn leave(&self, memory: &mut Memory) {
        memory.tally = self.tally.clone();
        memory.made = Some(self.last.clone()).filter(|last| *last != Item::default());
        memory.enough.clone_from(&self.enough);
    }

    /// What was made last, and why that is enough; none where it is not.
    pub(super) fn ended(&self) -> Option<(Item, String)> {
        self.enough.clone().map(|why| (self.last.clone(), why))
    }

    /// Counts a call that is over.
    pub(super) fn made(&mut self, call: &ToolCall, made: Item, failed: bool, repeats: u32) -> Result<()> {
        let result = Json::of(&made.value)?;
        let digest =
            Digest::of_parts(&[call.name.as_bytes(), call.arguments.as_bytes(), result.as_str().as_bytes()]);
        self.tally.calls(&[(digest, failed)], repeats);
        if !failed {
            self.last = made;
            if !self.tally.called.contains(&call.name) {
                self.tally.called.push(call.name.clone());
            }
        }
        Ok(())
    }

    /// What of the condition holds, in words. Once it holds it does.
    pub(super) fn enough(&mut self, condition: &Condition, purse: &Purse, active: Duration) -> Option<&str> {
        if self.enough.is_none() {
            let mut tally = self.tally.clone();
            tally.asked(&purse.spent());
            // Calls that are over: those under way may still come to something.
            tally.turns = tally.made;
            let figures = Figures::of(&tally, purse.active(active));
            let said = self.last.text();
            let now =
                Now { figures, money: tally.cost, called: &self.tally.called, said: &said, scores: &[] };
            self.enough = condition.holds(&now);
        }
        self.enough.as_deref()
    }
}
