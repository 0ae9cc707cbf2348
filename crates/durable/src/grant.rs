//! Grants: what a person has allowed beforehand, and what runs ask people now.
//!
//! An engine keeps them and knows nothing of what they mean: who may do what because of one is for the loop to say.

use std::collections::BTreeMap;

use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::RunState;

/// What a person has allowed beforehand when they answered an approval: further calls of a tool that nobody needs to be
/// asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// What it is known by.
    pub id: String,
    /// Where it holds.
    pub within: Within,
    /// The person for whom the agent works; it holds for nobody else's runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The agent whose calls it allows.
    pub agent: String,
    /// The tool.
    pub tool: String,
    /// The values that arguments must have, by their JSON pointers; other arguments may have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, Value>,
    /// The policies whose question the person has answered. A call about which others ask is asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it ends; when it is revoked where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The run whose approval was answered.
    pub run: RunId,
    /// The name of the signal that was answered to.
    pub signal: String,
    /// Who took it back, where somebody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

/// Where a grant holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// In the turns of one conversation, with all that they start.
    Session(SessionId),
    /// In one run, with all that it starts.
    Run(RunId),
    /// In every run of the project.
    Project,
}

/// Who took a grant back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, where they said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A signal that a run waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asking {
    /// The run.
    pub run: RunId,
    /// Its agent or workflow.
    pub agent: String,
    /// How it stands.
    pub state: RunState,
    /// The conversation that it is a turn of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The person whose data it handles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The step.
    pub key: StepKey,
    /// The name to answer to.
    pub signal: String,
    /// What is asked.
    pub request: Json,
    /// Since when.
    pub since: Timestamp,
    /// The answer, where one was sent that the run has not taken yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Json>,
}
