//! The journal: what a run did and waited for, in order.

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error};
use serde::{Deserialize, Serialize};

use crate::admission::Admission;
use crate::mail::Letter;
use crate::operation::{Operation, OperationHash};

/// The version of the shapes below. Stored with every record; a reader refuses a larger one.
pub const RECORD_VERSION: u16 = 1;

/// How a step or a run came out.
pub type Outcome = Result<Json, Error>;

/// One line of a run's journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place in the journal of the run, from 0, without gaps.
    pub offset: u64,
    /// The segment of the run it belongs to, from 0.
    pub segment: u32,
    /// When it was written; never before the record in front of it.
    pub at: Timestamp,
    /// What it says.
    pub entry: Entry,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The run exists. Always the first record.
    Admitted(Box<Admission>),
    /// A worker began to drive the run, for the `epoch`-th time.
    Activated {
        /// Counts the activations; the fence against a worker that was thought dead.
        epoch: u64,
    },
    /// The code asked for an operation.
    Issued {
        /// Its key.
        key: StepKey,
        /// Its identity.
        hash: OperationHash,
        /// The operation.
        operation: Operation,
    },
    /// An effect that must not be repeated blindly is about to be tried: the intent.
    Attempted {
        /// The step.
        key: StepKey,
        /// Which attempt, from 1.
        attempt: u32,
        /// Why it was allowed.
        decision: Option<Json>,
    },
    /// An operation was answered, and the answer is delivered here in the order of things.
    Completed {
        /// The step.
        key: StepKey,
        /// Its answer.
        outcome: Outcome,
    },
    /// An operation that answers at once was asked for and answered.
    Answered {
        /// Its key.
        key: StepKey,
        /// Its identity.
        hash: OperationHash,
        /// The operation.
        operation: Operation,
        /// Its answer.
        outcome: Outcome,
    },
    /// The code no longer waits for an operation.
    Dropped {
        /// The step.
        key: StepKey,
    },
    /// An answer that came after its operation was dropped. It is never delivered.
    Late {
        /// The step.
        key: StepKey,
        /// The answer.
        outcome: Outcome,
    },
    /// It is not known whether the effect happened; a person must say.
    Unknown {
        /// The step.
        key: StepKey,
        /// Why it is not known.
        reason: String,
    },
    /// A letter from outside took effect.
    Received(Letter),
    /// The run cannot go on by itself.
    Halted(Error),
    /// The segment ended; the next one begins with this state.
    RolledOver {
        /// What the next segment starts from.
        state: Json,
        /// How long the run had been active by then, in milliseconds.
        active_ms: u64,
    },
    /// The run is over. Always the last record.
    Ended(Outcome),
}

impl Entry {
    /// The step that the entry is about.
    pub fn key(&self) -> Option<&StepKey> {
        match self {
            Self::Issued { key, .. }
            | Self::Attempted { key, .. }
            | Self::Completed { key, .. }
            | Self::Answered { key, .. }
            | Self::Dropped { key }
            | Self::Late { key, .. }
            | Self::Unknown { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// The code and the journal disagree. The run stops and shows both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Divergence {
    /// Another operation stands at the key.
    Changed {
        /// The key.
        key: StepKey,
        /// What is recorded.
        recorded: String,
        /// What the code asks for.
        asked: String,
    },
    /// The code asks for a step that was not asked for at this point.
    Added {
        /// The key.
        key: StepKey,
        /// What the code asks for.
        asked: String,
    },
    /// A step is recorded that the code does not ask for.
    Missing {
        /// The key.
        key: StepKey,
        /// What is recorded.
        recorded: String,
    },
    /// The record says that the code took a step back, but it waits for it.
    Kept {
        /// The key.
        key: StepKey,
        /// What is recorded.
        recorded: String,
    },
}

impl From<Divergence> for Error {
    fn from(divergence: Divergence) -> Self {
        let message = match divergence {
            Divergence::Changed { key, recorded, asked } => {
                format!("at step `{key}` the journal has `{recorded}`, but the code asks for `{asked}`")
            }
            Divergence::Added { key, asked } => {
                format!(
                    "the code asks for `{asked}` at step `{key}`, which the journal does not have at this point"
                )
            }
            Divergence::Missing { key, recorded } => {
                format!("the journal has `{recorded}` at step `{key}`, but the code does not ask for it")
            }
            Divergence::Kept { key, recorded } => {
                format!(
                    "in the journal the code took `{recorded}` at step `{key}` back, but now it waits for it"
                )
            }
        };
        Error::new(Code::RunDiverged, message)
            .with_help("run it with the code it was started with, or fork it from a step before this one")
    }
}
