//! A whole answer.

use adjutant_core::message::{Message, Part};
use adjutant_core::usage::Usage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delta::{Instead, StopReason, Tried};

/// The whole answer to a request: what a run records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// What the model says: text, reasoning and tool calls, never a tool's result.
    pub message: Message,
    /// The tokens used; none where the provider does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why the model stopped.
    pub stop: StopReason,
    /// The exact model that answered, where the provider names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The provider's id of the request, to quote in a report to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The models that were asked before and did not answer, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// Who answered, where it was not the model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Instead>,
    /// What arrived and was not understood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Value>,
}

impl Response {
    /// Whether tools of the provider's own worked on it, for which providers charge fees beside the tokens. What they are
    /// is on no list here, so the price of the tokens is not all of its cost.
    pub fn has_fees(&self) -> bool {
        let is_cached = self.instead.as_ref().is_some_and(|instead| instead.cached);
        !is_cached && self.message.parts.iter().any(|part| matches!(part, Part::Native(_)))
    }
}
