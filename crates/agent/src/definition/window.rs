//! How an agent uses its model's context window.

use serde::{Deserialize, Serialize};

use super::document::Table;

/// How much of a transcript a model is sent, and what is given up first when it grows too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextWindow {
    /// The size of the window in tokens, in place of what is known of the model. Useful for a local server that was
    /// started with a smaller one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How full the window may be, in percent, before old tool results are shortened and then the history is
    /// compacted.
    pub compact_at: u8,
    /// How many of the latest model turns are sent as they are, whatever is compacted.
    pub keep_turns: u32,
    /// To how many tokens an old tool result is shortened.
    pub shorten_results_to: u32,
}

impl Default for ContextWindow {
    fn default() -> Self {
        Self { tokens: None, compact_at: 80, keep_turns: 4, shorten_results_to: 500 }
    }
}

impl ContextWindow {
    /// Reads the table `context`; what it does not say stays as it is.
    pub(super) fn read(mut self, table: Table<'_>) -> Self {
        self.tokens = table.integer("tokens", 1_000..=100_000_000).or(self.tokens);
        self.compact_at = table.integer("compact_at", 10..=95).unwrap_or(self.compact_at);
        self.keep_turns = table.integer("keep_turns", 1..=1_000).unwrap_or(self.keep_turns);
        self.shorten_results_to =
            table.integer("shorten_results_to", 50..=1_000_000).unwrap_or(self.shorten_results_to);
        table.finish();
        self
    }
}
