//! Events: what a watcher of a run sees, in the order in which it happened.
//!
//! Events are a view. Those with an [`Event::offset`] are read from the journal and can be read again; deltas pass
//! by once, and what they add up to is in the journal later.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::id::{CallId, RunId, StepKey};
use crate::json::Json;
use crate::limit::Limit;
use crate::message::{Message, ToolCall, ToolResult};
use crate::money::Money;
use crate::time::Timestamp;
use crate::usage::Usage;

/// The version of the shapes below. A reader refuses a larger one.
pub const EVENT_VERSION: u16 = 1;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`EVENT_VERSION`] of the writer.
    pub version: u16,
    /// The run it happened in.
    pub run: RunId,
    /// The offset of its record in the run's journal; none for a delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// The step it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepKey>,
    /// What happened.
    pub kind: EventKind,
}

/// Where a delta stands in the stream of its step. A client that has seen up to here misses nothing after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// Which attempt of the step; the first is 1.
    pub attempt: u32,
    /// Which delta of the attempt; the first is 0.
    pub sequence: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run was recorded.
    Started {
        /// The agent or workflow.
        name: String,
    },
    /// A person's message reached the model.
    Heard(Message),
    /// A model is asked.
    ModelCalled {
        /// The model's id.
        model: String,
    },
    /// A piece of the answer's text.
    TextDelta {
        /// Its place.
        cursor: Cursor,
        /// The piece.
        text: String,
    },
    /// A piece of the reasoning's text.
    ReasoningDelta {
        /// Its place.
        cursor: Cursor,
        /// The piece.
        text: String,
    },
    /// The attempt that the deltas so far came from failed; forget them.
    Reset {
        /// The attempt that begins.
        attempt: u32,
    },
    /// An attempt failed in a way that may pass, and another is made after a wait.
    Retrying {
        /// Why it failed.
        error: Error,
        /// How long the wait is, in milliseconds.
        wait_ms: u64,
    },
    /// What happens around a model while its answer is awaited: another one is asked, or limits hold the call back.
    ModelProgress {
        /// What happens.
        text: String,
    },
    /// A model answered.
    ModelAnswered {
        /// The whole message.
        message: Message,
        /// The tokens used.
        usage: Usage,
        /// What it cost; none where the price is not known.
        cost: Option<Money>,
    },
    /// A tool is called.
    ToolCalled(ToolCall),
    /// A running tool says how far it is.
    ToolProgress {
        /// The call.
        call: CallId,
        /// What it says.
        text: String,
    },
    /// A tool answered.
    ToolAnswered(ToolResult),
    /// The run waits for a person.
    ApprovalRequested {
        /// The name to answer to.
        signal: String,
        /// What is asked.
        request: Json,
    },
    /// A person answered.
    ApprovalAnswered {
        /// The name that was answered to.
        signal: String,
        /// The answer.
        answer: Json,
    },
    /// A call asks a person something before it goes on; the run waits.
    QuestionAsked {
        /// The name to answer to.
        signal: String,
        /// What is asked.
        request: Json,
    },
    /// A person answered a question.
    QuestionAnswered {
        /// The name that was answered to.
        signal: String,
        /// The answer.
        answer: Json,
    },
    /// It is not known whether an effect happened; the run waits for somebody to say.
    OutcomeUnknown {
        /// Why it is not known.
        reason: String,
    },
    /// Another run was started, and this one waits for it.
    ChildStarted {
        /// That run.
        run: RunId,
        /// Its agent or workflow.
        name: String,
    },
    /// A run that this one has waited for is over.
    ChildEnded {
        /// That run.
        run: RunId,
    },
    /// A limit was reached; the agent gets one last turn without tools.
    LimitReached {
        /// Which.
        limit: Limit,
    },
    /// The conversation is handed over to another agent.
    HandedOver {
        /// By whom.
        by: String,
        /// To whom.
        to: String,
    },
    /// The agent goes about its task otherwise than by the plain loop.
    Strategy {
        /// How.
        name: String,
        /// How often models are asked at most.
        most_model_calls: u64,
    },
    /// What is still to be done was thought over.
    Todo {
        /// What is done.
        done: Vec<String>,
        /// What is not.
        open: Vec<String>,
    },
    /// The conversation was shortened to fit the model's window.
    Compacted {
        /// How many messages were replaced.
        messages: usize,
    },
    /// The run was told to stop, and why.
    CancelRequested {
        /// The reason given.
        reason: String,
    },
    /// The run stopped between two steps and can go on.
    Paused {
        /// Why.
        reason: String,
    },
    /// The run cannot go on by itself.
    Halted {
        /// Why.
        error: Error,
    },
    /// The run goes on.
    Resumed,
    /// The run is over.
    Ended {
        /// What came of it.
        result: Result<Json, Error>,
    },
    /// A recorded step that has no other event: a timer, a reading of the clock.
    Step {
        /// What kind of step.
        operation: String,
    },
}
