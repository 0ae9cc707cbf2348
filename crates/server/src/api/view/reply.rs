//! [`Reply`]: what came of a run.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What came of a run.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::api) struct Reply {
    /// The text of the answer.
    text: String,
    /// The answer as data, where the agent has an output schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    /// Why the run ended: `answered`, `refused`, `cut_off`..., or `{"limit_reached": ..}`.
    stop: Value,
    /// The tokens of all its model calls.
    usage: Usage,
    /// What it cost in US dollars, as a decimal number; none where a price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<String>,
    /// Turns of the model.
    turns: u32,
    /// How long it worked, without the time in which it waited for people, in milliseconds.
    active_ms: u64,
    /// The label of the answer: where what it was made of comes from, and who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Value>,
}

/// Tokens of models.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::api) struct Usage {
    /// Sent, all of them.
    input: u64,
    /// Received, all of them.
    output: u64,
    /// Of the input, those that the provider had cached.
    cached: u64,
    /// Of the output, those spent on reasoning.
    reasoning: u64,
}

impl From<adjutant_core::usage::Usage> for Usage {
    fn from(usage: adjutant_core::usage::Usage) -> Self {
        Self { input: usage.input, output: usage.output, cached: usage.cached, reasoning: usage.reasoning }
    }
}

impl From<adjutant::Reply> for Reply {
    fn from(reply: adjutant::Reply) -> Self {
        Self {
            text: reply.text,
            data: reply.data,
            stop: serde_json::to_value(reply.stop).unwrap_or_default(),
            usage: reply.usage.into(),
            cost: reply.cost.map(|cost| cost.amount().to_string()),
            turns: reply.turns,
            active_ms: reply.active_ms,
            label: reply.label.and_then(|label| serde_json::to_value(label).ok()),
        }
    }
}
