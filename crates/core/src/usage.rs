//! What a model call used.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Tokens of one or several model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens sent, all of them: cached and cache-writing ones are part of this number.
    pub input: u64,
    /// Tokens received, all of them: reasoning is part of this number.
    pub output: u64,
    /// Of the input, those that the provider read from its prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached: u64,
    /// Of the input, those that the provider wrote to its prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Of those written to the cache, those that it keeps for long, an hour usually, at a price of its own.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_long: u64,
    /// Of the output, those spent on reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Usage {
    /// Input and output together.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cached = self.cached.saturating_add(other.cached);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.cache_write_long = self.cache_write_long.saturating_add(other.cache_write_long);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}
