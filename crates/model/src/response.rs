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
        !is_cached && self.message.parts.iter().any(is_work)
    }
}

/// Whether a part is what a tool of the provider's own did, and not something that is said of a text: its sources, or whether it is
/// the answer.
fn is_work(part: &Part) -> bool {
    let Part::Native(native) = part else { return false };
    let is_citation = native.value.get("type").is_some_and(|kind| kind == "citations");
    let is_phase = native.value.as_object().is_some_and(|fields| fields.keys().all(|name| name == "phase"));
    !is_citation && !is_phase
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::Native;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_of_a_text_costs_nothing() {
        let with = |value: Value| {
            let native = Part::Native(Native { provider: "p".into(), value });
            Response {
                message: Message::assistant(vec![native]),
                usage: None,
                stop: StopReason::EndTurn,
                model: None,
                request_id: None,
                tried: Vec::new(),
                instead: None,
                unknown: Vec::new(),
            }
        };
        assert!(with(json!({"type": "web_search_call"})).has_fees());
        assert!(with(json!({"executableCode": {}})).has_fees());
        assert!(!with(json!({"phase": "final_answer"})).has_fees());
        assert!(!with(json!({"type": "citations", "citations": []})).has_fees());
    }
}
