//! A session: the engine's side of one activation of one run.

use std::future::Future;
use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;

use crate::driver::Driven;
use crate::operation::Operation;
use crate::record::Outcome;
use crate::replay::Moment;
use crate::work::Work;

/// An operation that the code asks for, with what does the work.
pub struct Request {
    /// Its key.
    pub key: StepKey,
    /// The operation.
    pub operation: Operation,
    /// What does the work; for effects only.
    pub work: Option<Arc<dyn Work>>,
}

/// What a session delivers.
#[derive(Debug)]
pub enum Next {
    /// The answer to one operation.
    Done {
        /// The operation's key.
        key: StepKey,
        /// The answer.
        outcome: Outcome,
        /// When it was recorded.
        moment: Moment,
    },
    /// The run was told to stop: every open operation fails, and so does every later one.
    Cancelled {
        /// Why.
        reason: String,
        /// When it was recorded.
        moment: Moment,
    },
    /// Nothing more will come soon: the run's future is to be dropped. The engine wakes the run when there is more.
    Park,
}

/// One activation of one run, fenced against every other. An error from any of these means that the activation is
/// over: the run is not, and another activation will go on from what is recorded.
pub trait Session: Send {
    /// Takes an operation, in the order in which the code asks. Records it, or finds it recorded. Fails with
    /// [`adjutant_core::Code::RunDiverged`] when the record is of another operation.
    fn issue(&mut self, request: Request) -> impl Future<Output = Result<()>> + Send;

    /// Takes back an operation that the code no longer waits for.
    fn withdraw(&mut self, key: StepKey) -> impl Future<Output = Result<()>> + Send;

    /// Gives the next answer in recorded order, or the next that comes, which is then recorded. Answers may be
    /// recorded ahead of their delivery; a cancel may not, and is recorded only when nothing else is to be delivered
    /// before it: the code could end its segment first, and the next one would never hear of it.
    fn next(&mut self) -> impl Future<Output = Result<Next>> + Send;

    /// Ends the run: [`Driven::Ended`]. A run ends only when no effect is open; while it is not known what came of
    /// one that was dropped, the run waits for somebody to say: [`Driven::Parked`]. Messages that the code has not read
    /// are recorded before the end, as [received](crate::Entry::Received).
    fn finish(&mut self, outcome: Outcome) -> impl Future<Output = Result<Driven>> + Send;

    /// Ends the segment and begins the next. Waits until no effect is open (one that was taken back may still run).
    /// Gives the moment of the record, at which the next segment begins: a replay of that segment begins with the
    /// same. None where the run was parked instead, since somebody must first say what came of such an effect.
    fn roll_over(&mut self, state: Json) -> impl Future<Output = Result<Option<Moment>>> + Send;

    /// Stops the run where it is, until somebody looks: what it needs is in the error.
    fn halt(&mut self, error: adjutant_core::Error) -> impl Future<Output = Result<()>> + Send;
}
