//! What a model is asked.

use std::collections::HashSet;
use std::sync::Arc;

use adjutant_core::id::CallId;
use adjutant_core::message::Message;
use adjutant_core::tool::ToolSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sampling::Sampling;

/// One request to a model: the transcript so far and what the model may do next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The transcript, oldest first. It must be valid: every call has its result.
    pub messages: Vec<Arc<Message>>,
    /// The tools that the model may call.
    #[serde(default)]
    pub tools: Arc<[ToolSpec]>,
    /// Whether it may, must or must not call one.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// Whether it may make one call at a time only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_call: bool,
    /// The tools whose arguments the provider shall hold to their schemas while the model writes, where it can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strict_tools: Vec<String>,
    /// The form of the final answer; free text where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputSchema>,
    /// The most tokens that the answer may have, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// How freely the model chooses its words, from 0; the provider's default where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// How else it chooses them.
    #[serde(default, skip_serializing_if = "Sampling::is_default")]
    pub sampling: Sampling,
    /// How much the model thinks before it answers; the provider's default where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// Texts that end the answer where the model writes one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Parameters of the provider, passed as they are. `null` takes a parameter out that would be sent otherwise.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl Request {
    /// A request with these messages and nothing else.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self { messages: messages.into_iter().map(Arc::new).collect(), ..Self::default() }
    }

    /// The ids of all calls in the transcript.
    pub fn call_ids(&self) -> HashSet<CallId> {
        self.messages.iter().flat_map(|message| message.calls()).map(|call| call.id.clone()).collect()
    }
}

/// Whether a model may, must or must not call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As the model sees fit.
    #[default]
    Auto,
    /// It must answer without tools.
    None,
    /// It must call at least one tool.
    Required,
    /// It must call this tool.
    Named(String),
}

/// How much a model thinks before it answers. Each provider has its own scale; a step that it lacks is the nearest
/// one that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Not at all, where the model can.
    Off,
    /// As little as possible.
    Minimal,
    /// A little.
    Low,
    /// As much as most questions need.
    Medium,
    /// Much.
    High,
    /// As much as the model can.
    Max,
}

/// The form that the final answer must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// A name for it, which some providers show to the model.
    pub name: String,
    /// The JSON schema (2020-12) of the answer.
    pub schema: Value,
    /// Whether the provider shall enforce the schema while it generates, within the subset that it knows.
    pub strict: bool,
}
