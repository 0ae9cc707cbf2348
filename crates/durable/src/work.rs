//! Work: what an effect does, outside the run's code.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Error, Result};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::operation::Amount;
use crate::stream::Sink;

/// What an effect does. It may be tried several times, also in another process after a crash.
pub trait Work: Send + Sync + 'static {
    /// Decides whether the attempt may be made, and says why; an error is the answer of the effect, without an
    /// attempt. It is asked before each attempt, and what it says is recorded with it.
    fn decide(&self, _attempt: &Attempt) -> BoxFuture<'static, Result<Option<Json>>> {
        Box::pin(async { Ok(None) })
    }

    /// Tries it.
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished>;

    /// Looks up what came of an earlier attempt with the same key, for effects that can.
    fn reconcile(&self, _attempt: Attempt) -> BoxFuture<'static, Reconciled> {
        Box::pin(async { Reconciled::Unknown })
    }
}

/// What came of an attempt, and what it took from the budget.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What came of it.
    pub done: Done,
    /// What it used; the whole reservation where it cannot say.
    pub spent: Option<Amount>,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Done {
    /// It has an answer.
    Ok(Json),
    /// It failed, and nothing happened that would have to be undone.
    Err(Error),
    /// It is not known whether it happened.
    Unknown(String),
}

impl From<Result<Json>> for Finished {
    fn from(result: Result<Json>) -> Self {
        let done = match result {
            Ok(json) => Done::Ok(json),
            Err(error) => Done::Err(error),
        };
        Self { done, spent: None }
    }
}

/// What a look-up says of an earlier attempt.
#[derive(Clone, Debug)]
pub enum Reconciled {
    /// It happened, with this answer.
    Happened(Json),
    /// It did not happen; it may be tried again.
    NotHappened,
    /// The look-up does not know either.
    Unknown,
}

/// One attempt of an effect, seen by its work.
#[derive(Clone)]
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// Whose run it is.
    pub scope: Scope,
    /// The step.
    pub key: StepKey,
    /// Which attempt, from 1.
    pub number: u32,
    /// What makes a second execution recognisable: the same for every attempt of this step.
    pub idempotency_key: Arc<str>,
    /// When the attempt is given up.
    pub deadline: Option<Instant>,
    /// Tells that the run no longer wants the answer.
    pub cancel: CancellationToken,
    /// Takes tokens and progress, which are shown but not recorded.
    pub sink: Sink,
}

impl Attempt {
    /// The idempotency key of a step: a hash of the run, the segment and the key.
    pub fn idempotency_key(run: &RunId, segment: u32, key: &StepKey) -> Arc<str> {
        let parts =
            [b"effect".as_slice(), run.as_str().as_bytes(), &segment.to_le_bytes(), key.as_str().as_bytes()];
        let text: String = Digest::of_parts(&parts).to_string().chars().take(32).collect();
        text.into()
    }
}

/// Work made of a function; see [`work`].
pub struct FunctionWork<F>(F);

/// Makes work of an async function that can simply be called again.
pub fn work<F, R>(function: F) -> FunctionWork<F>
where
    F: Fn(Attempt) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Json>> + Send + 'static,
{
    FunctionWork(function)
}

impl<F, R> Work for FunctionWork<F>
where
    F: Fn(Attempt) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Json>> + Send + 'static,
{
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let future = (self.0)(attempt);
        Box::pin(async move { future.await.into() })
    }
}
