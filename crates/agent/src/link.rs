//! Links: how a growing transcript is recorded without being written again at every step.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Error, Result};
use adjutant_model::ToolChoice;
use serde::{Deserialize, Serialize};

pub use adjutant_model::unseen::Unseen;

/// The input of a model step: the request before it, by its digest, and what was added since.
///
/// [`history::requests`](crate::history::requests) makes the exact request of it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The digest of the link before; none at the beginning of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// What was added to the transcript since, in order.
    pub entries: Vec<Entry>,
    /// The model that is asked.
    pub model: String,
    /// Whether it may call tools; which ones says the definition.
    #[serde(default, skip_serializing_if = "is_auto")]
    pub tool_choice: ToolChoice,
    /// Whether the provider is given the schema of the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub output: bool,
    /// The tools that were offered besides those that always are, in their order, where the agent searches for its tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// Kinds of media in tool results that the model cannot take in, and is given words for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Unseen>,
    /// Whether the answer is shown only in the end, since a guardrail may still change it or hold it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// One change of a transcript. What some step of the run has recorded is referred to, never repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The prompt of the agent, with its variables filled in.
    Instructions(String),
    /// All that was said in the session up to the end of this run, without its instructions.
    Earlier(RunId),
    /// What is left of it where turns before the end of this run were erased.
    Remaining {
        /// The run.
        run: RunId,
        /// The digest of what was left: more may be erased later.
        digest: Digest,
    },
    /// The message that the run was started with.
    Input,
    /// The messages that a reading of the inbox gave.
    Heard(StepKey),
    /// What the runtime tells the model.
    Note(StepKey),
    /// What the model answered.
    Answer(StepKey),
    /// The result of one call.
    Result(StepKey),
    /// What a person has added who had taken the run.
    Did(StepKey),
    /// What a person has written anew who had taken the run.
    Rewrote(StepKey),
    /// The tool results among the first `before` messages were shortened.
    Shortened {
        /// How many messages, from the beginning.
        before: usize,
        /// To how many tokens each.
        tokens: u32,
    },
    /// The first messages after the instructions gave way to a summary.
    Summarised {
        /// How many.
        messages: usize,
        /// The step that summarised them.
        step: StepKey,
    },
    /// The first messages after the instructions were left out without a summary, as it could not be made.
    Forgotten {
        /// How many.
        messages: usize,
    },
}

impl Entry {
    /// The turn up to which a run has seen its session, if the entry is about that.
    pub(crate) fn turn_before(&self) -> Option<&RunId> {
        match self {
            Self::Earlier(run) | Self::Remaining { run, .. } => Some(run),
            _ => None,
        }
    }
}

impl Link {
    /// The link as it is recorded, and its digest: a hash over all that was said up to here, at the cost of what is
    /// new.
    pub fn seal(&self) -> Result<(Json, Digest), Error> {
        let json = Json::of(self)?;
        let digest = Digest::of(json.as_str().as_bytes());
        Ok((json, digest))
    }
}

fn is_auto(choice: &ToolChoice) -> bool {
    *choice == ToolChoice::Auto
}
