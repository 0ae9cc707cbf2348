//! Mail: everything that comes to a run from outside comes through one door, in order.

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error};
use serde::{Deserialize, Serialize};

use crate::record::Outcome;

/// Something sent to a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// What makes a second copy of it recognisable; the second is accepted and ignored.
    pub id: String,
    /// What it says.
    pub letter: Letter,
    /// What somebody does by it, where that is to be told of them. It is recorded with the mail; the run does not learn of it.
    pub deed: Option<Deed>,
}

/// What somebody does to a run by a piece of mail.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// Who, such as the name of a key; none where nobody said.
    pub by: Option<String>,
    /// What, in two words such as `run.paused`.
    pub what: &'static str,
    /// What else is known. It outlives the run, so nothing stands in it that was said.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// What a piece of mail says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// An answer to a signal; it may come before the run waits for it.
    Signal {
        /// The name that the run waits for.
        name: String,
        /// The answer.
        payload: Json,
    },
    /// A message for the run's inbox, read at its next reading.
    Message {
        /// What is said.
        payload: Json,
    },
    /// Another run that this one started has ended.
    ChildEnded {
        /// The step that waits for it.
        key: StepKey,
        /// The segment of that step.
        segment: u32,
        /// What came of it.
        outcome: Outcome,
    },
    /// Stop for good, in order.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Stop between two steps, and stay stopped.
    Pause {
        /// Why.
        reason: String,
    },
    /// Go on, after a pause or after the run halted.
    Resume,
    /// What is now known of an effect whose outcome was not.
    Resolve {
        /// The step.
        key: StepKey,
        /// What is known.
        resolution: Resolution,
    },
}

/// What a person says of an effect whose outcome was not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It happened, with this result.
    Happened(Json),
    /// Do it again, under the same idempotency key.
    Retry,
    /// Leave it; the run is cancelled.
    Abort,
}

impl Mail {
    /// Mail that is recognised by an id of its sender's.
    pub fn new(id: impl Into<String>, letter: Letter) -> Self {
        Self { id: id.into(), letter, deed: None }
    }

    /// Says what somebody does by it.
    #[must_use]
    pub fn told_as(mut self, deed: Deed) -> Self {
        self.deed = Some(deed);
        self
    }

    /// Says what is known of an effect, of which the record at offset `record` says that its outcome is not known (see
    /// [`Wait::Unknown`](crate::Wait::Unknown)). Each such record takes one answer: a second is recognised.
    pub fn resolve(record: u64, key: StepKey, resolution: Resolution) -> Self {
        Self::new(format!("resolve:{record}"), Letter::Resolve { key, resolution })
    }
}

/// The error that an operation gets when its run was told to stop.
pub(crate) fn cancelled(reason: &str) -> Error {
    Error::new(Code::RunCancelled, format!("cancelled: {reason}"))
}
