//! [`Tree`]: the settings of a tree search.

use serde::{Deserialize, Serialize};

use crate::definition::document::Table;

/// A tree search: how wide and how deep it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// What its branches are.
    pub over: Over,
    /// In how many ways each line of work goes on.
    pub width: u32,
    /// How many lines of work are kept of each level.
    pub keep: u32,
    /// How many levels there are at most.
    pub depth: u32,
    /// How often models may be asked before the answer; as often as the levels need where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
}

/// What the branches of a tree search are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// What can be thought next: nothing is done before the answer.
    #[default]
    Thoughts,
    /// What can be done next: each is done with the tools of the agent, which must all be pure.
    Actions,
}

impl Over {
    const WORDS: [(&str, Self); 2] = [("thoughts", Self::Thoughts), ("actions", Self::Actions)];
}

impl Tree {
    /// What holds where nothing else is said.
    pub const USUAL: Self = Self { over: Over::Thoughts, width: 3, keep: 2, depth: 3, calls: None };

    /// How many steps the agent has for one branch over actions, and for its answer after such a search.
    pub(super) const STEPS_OF_A_TRY: u32 = 5;

    /// Reads what stands beside the name; what is not said is as here.
    pub(super) fn read(self, table: &Table<'_>) -> Self {
        Self {
            over: table.choice("over", &Over::WORDS).unwrap_or(self.over),
            width: table.integer("width", 1..=20).unwrap_or(self.width),
            keep: table.integer("keep", 1..=20).unwrap_or(self.keep),
            depth: table.integer("depth", 1..=20).unwrap_or(self.depth),
            calls: table.integer("calls", 1..=100_000).or(self.calls),
        }
    }
}
