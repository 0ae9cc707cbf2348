//! [`Notice`]: telling somebody that a call waits for a person.

use adjutant_core::Result;
use adjutant_core::id::{RunId, SessionId};
use adjutant_core::time::Timestamp;
use futures::future::BoxFuture;
use serde::Serialize;

use super::request::Request;

/// That a call waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// What makes a second copy of it recognisable: after a crash it may be sent again.
    pub id: String,
    /// Whose run it is, where that is not `local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The run that waits.
    pub run: RunId,
    /// Its agent.
    pub agent: String,
    /// The conversation that it is a turn of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The person for whom it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name to answer to.
    pub signal: String,
    /// Since when it waits.
    pub at: Timestamp,
    /// What is asked.
    pub request: Request,
}

/// Tells somebody outside that a call waits for a person.
pub trait Notifier: Send + Sync + 'static {
    /// Tells them. What fails with a code that passes, such as [`adjutant_core::Code::ToolBusy`], is tried again.
    fn notify(&self, notice: Notice) -> BoxFuture<'static, Result<()>>;
}
