//! [`Request`]: what is known of something that an agent wants to do.

use std::collections::BTreeMap;

use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::calls::Calls;

/// What an agent wants to do, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Who wants it.
    pub principal: Principal,
    /// What.
    pub action: Action,
    /// The arguments of the call; empty for what is no call.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub arguments: Map<String, Value>,
    /// Where each argument came from, by its JSON pointer (`/to`, `/items/0/id`). The pointer of an object or a list
    /// stands for all within it that has no entry of its own. What has no entry at all is [`Origin::unknown`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, Origin>,
    /// The join of all that the agent has read.
    #[serde(default)]
    pub label: Label,
    /// What was done in the session before.
    #[serde(default)]
    pub session: Session,
    /// When.
    pub now: Timestamp,
    /// Whether a person has agreed to exactly this.
    #[serde(default)]
    pub approved: bool,
    /// Whether it is within what the task needs, as that was fixed before anything was read; none where nothing was fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_task: Option<bool>,
}

/// Who wants something: an agent, on behalf of those who asked it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    /// Whose data it works on.
    pub tenant: String,
    /// For whom it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The agent that acts, then the one that asked it or handed over to it, and so on. None of them may more than the
    /// one behind it.
    pub agents: Vec<String>,
}

/// A person for whom an agent works.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// What the person is known by.
    pub id: String,
    /// What is known of the person: their role, their team. Text, whole numbers, truth values and lists of text.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

/// What an agent wants to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Call this tool.
    Tool(String),
    /// Ask this agent, or hand over to it.
    Agent(String),
    /// Ask this model.
    Model(String),
    /// Read what a server of MCP offers.
    Resource {
        /// The server.
        server: String,
        /// The address of what is read.
        uri: String,
    },
    /// Write into this memory.
    Remember(String),
    /// Give this person or program the answer.
    Answer,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// How it is known.
    pub evidence: Evidence,
    /// The label of what it came from.
    pub label: Label,
}

impl Origin {
    /// What nothing is known of: nobody vouches for it.
    pub fn unknown() -> Self {
        Self { evidence: Evidence::None, label: Label::untrusted() }
    }
}

/// How it is known where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It was carried there: by a handle, or by a variable of a program.
    Exact,
    /// The author of the tool fixed it: a default, the only value of an enumeration.
    Fixed,
    /// It stands in the words of the person whom the agent works for, as a value of its kind.
    Words,
    /// It stands in a result, as a value of its kind.
    Result,
    /// A person has vouched for it.
    Endorsed,
    /// A model made it of what it has read.
    None,
}

/// What was done in a session before. Only calls that were made count; one that was denied or refused does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The calls, oldest first.
    pub calls: Calls,
}

/// One call that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The tool.
    pub tool: String,
    /// When it was decided.
    pub at: Timestamp,
    /// What it was called with.
    pub arguments: Map<String, Value>,
    /// What the tool returned as data, where it did and somebody may ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Whether the tool said that it failed. A call whose outcome is not known has not failed.
    #[serde(default)]
    pub failed: bool,
}
