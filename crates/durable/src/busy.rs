//! Turns of a conversation that are begun while another is under way.

use std::collections::HashSet;

use adjutant_core::id::RunId;
use serde::{Deserialize, Serialize};

use crate::engine::RunInfo;

/// What happens when something is said in a conversation whose turn is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenBusy {
    /// It waits until that turn, and those that wait before it, are over.
    #[default]
    Enqueue,
    /// It is refused.
    Reject,
    /// That turn, and those that wait, are cancelled in order; the new one begins after them and sees what was said and done.
    Interrupt,
    /// They are cancelled in order, and neither the new one nor any later one sees them. What they did outside has happened all the
    /// same.
    RollBack,
}

impl WhenBusy {
    /// The words for each.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("enqueue", Self::Enqueue),
        ("reject", Self::Reject),
        ("interrupt", Self::Interrupt),
        ("roll_back", Self::RollBack),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The turns of a conversation that one of them sees, or that a new one would where none is named: those before it that neither it nor
/// any turn before it has taken back. It is the same whenever it is asked, as turns are numbered when they are recorded.
///
/// None where the turn is not in the conversation.
pub fn seen_turns(turns: &[RunInfo], by: Option<&RunId>) -> Option<Vec<RunId>> {
    let place = match by {
        Some(run) => turns.iter().position(|info| info.run == *run)?,
        None => turns.len(),
    };
    let known = turns.get(..=place).unwrap_or(turns);
    let gone: HashSet<&RunId> = known.iter().flat_map(|info| &info.takes_back).collect();
    let before = turns.iter().take(place).map(|info| &info.run);
    Some(before.filter(|run| !gone.contains(run)).cloned().collect())
}
