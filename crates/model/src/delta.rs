//! The pieces in which an answer arrives.

use adjutant_core::id::CallId;
use adjutant_core::message::{Native, Reasoning};
use adjutant_core::money::Prices;
use adjutant_core::usage::Usage;
use adjutant_core::{Error, Result};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer as it arrives. It ends after [`Delta::End`] or after the first error.
pub type Deltas = BoxStream<'static, Result<Delta>>;

/// One piece of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delta {
    /// What the provider says of the answer as a whole. At most once, before the answer.
    Start(Start),
    /// A model of a fallback chain that was asked before, and why another answers. In order, before the answer.
    Tried(Tried),
    /// Another than the model that was asked answers. At most once, before the answer.
    Instead(Instead),
    /// A piece of the answer's text.
    Text(String),
    /// A piece of the text that the provider shows of its reasoning.
    Reasoning(String),
    /// Ends a piece of reasoning, with what the provider wants back unchanged. A text in it replaces the pieces.
    ReasoningDone(Reasoning),
    /// A piece of a tool call.
    ToolCall {
        /// Tells the calls of one answer apart.
        index: u32,
        /// The call's id, once.
        id: Option<CallId>,
        /// The tool's name, once.
        name: Option<String>,
        /// A piece of the arguments' JSON text.
        arguments: String,
    },
    /// Something whole that only the provider understands, and wants back as it is.
    Native(Native),
    /// The tokens used so far; the last one counts.
    Usage(Usage),
    /// Something that is not understood. It is kept and shown, and changes nothing else.
    Unknown(Value),
    /// The answer is complete.
    End(StopReason),
}

/// What a provider says of an answer as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The provider's id of the request, to quote in a report to the provider.
    pub request_id: Option<String>,
    /// The exact model that answers, where the provider names one.
    pub model: Option<String>,
    /// What the provider's headers say of the account's limits: names in lower case, values as they came.
    pub rate_limits: Vec<(String, String)>,
}

/// A model that was asked and did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The model's id.
    pub model: String,
    /// Why another was asked.
    pub error: Error,
}

/// Who answers in the place of the model that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instead {
    /// The model's id.
    pub model: String,
    /// What it costs; none where the price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// Whether the answer is one that was given before, so that nothing is used and nothing is paid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It is done.
    EndTurn,
    /// It waits for the results of its tool calls.
    ToolCalls,
    /// The limit of output tokens, or the context window, was reached.
    MaxTokens,
    /// It wrote one of the request's stop texts.
    StopSequence,
    /// It declined to answer.
    Refusal,
    /// The provider's filter held the answer back.
    ContentFilter,
    /// The provider paused a long turn of its own tools. Asked again with the answer so far as it is, it goes on.
    Paused,
    /// Another reason, in the provider's word.
    Other(String),
}
