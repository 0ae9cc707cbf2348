//! [`Run`]: how a run stands.

use adjutant::agent::title;
use adjutant::durable::{Origin, RunInfo, RunState};
use adjutant_core::Error;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Reply;

/// How a run stands.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::api) struct Run {
    /// Its id.
    id: String,
    /// Its agent or workflow.
    agent: String,
    /// What people find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// `ready` (it waits for a worker), `running`, `waiting` (for a person, a timer or another run), `paused`, `halted` (it cannot
    /// go on by itself) or `ended`.
    state: &'static str,
    /// The conversation that it is a turn of.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// The person for whom it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The published version that it was started with, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    /// The run that waits for it, where another one started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// The run that it continues from a point of, where it is a fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    fork_of: Option<String>,
    /// When it was recorded.
    created: i64,
    /// When its last record was written.
    updated: i64,
    /// How many records its journal has; the offset of the next one.
    records: u64,
    /// What came of it; none until it is over, and where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
    /// Why it failed or halted: `code`, `message`, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// A published version of an agent or workflow.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::api) struct Version {
    /// The hash of its definition.
    pub(in crate::api) definition: String,
    /// The label by which it was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) label: Option<String>,
}

impl From<RunInfo> for Run {
    fn from(info: RunInfo) -> Self {
        let title = title::of_run(&info);
        let (parent, fork_of) = match info.origin {
            Some(Origin::Child { parent, .. }) => (Some(parent.to_string()), None),
            Some(Origin::Fork { of, .. }) => (None, Some(of.to_string())),
            None => (None, None),
        };
        let told = |error: &Error| serde_json::to_value(error).ok();
        let (reply, error) = match &info.outcome {
            Some(Ok(reply)) => (reply.to::<adjutant::Reply>().ok().map(Reply::from), None),
            Some(Err(error)) => (None, told(error)),
            None => (None, info.halted.as_ref().filter(|_| info.state == RunState::Halted).and_then(told)),
        };
        Self {
            id: info.run.to_string(),
            agent: info.name,
            title,
            state: info.state.as_str(),
            session: info.session.map(|session| session.to_string()),
            user: info.user,
            version: info
                .version
                .map(|chosen| Version { definition: chosen.definition.to_string(), label: chosen.label }),
            parent,
            fork_of,
            created: info.created.0,
            updated: info.updated.0,
            records: info.records,
            reply,
            error,
        }
    }
}
