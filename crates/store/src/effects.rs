//! Doing the work of an effect: deciding, recording the intent, trying, trying again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use adjutant_core::error::Retry;
use adjutant_core::id::StepKey;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::{Channel, Piece, Sink};
use adjutant_durable::{Amount, Attempt, Done, Effects, Entry, Finished, Reconciled, Work};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::append::{Also, Appender};
use crate::budget::Refused;
use crate::session::Grant;

/// The longest wait that a server can ask for before an effect is tried again: meanwhile it holds a place.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// How long to wait before a budget that other calls hold is looked at again; it doubles up to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// An effect that is to be done.
pub(crate) struct Task {
    pub(crate) key: StepKey,
    pub(crate) effects: Effects,
    pub(crate) work: Arc<dyn Work>,
    pub(crate) appender: Arc<Appender>,
    pub(crate) channel: Arc<Channel>,
    pub(crate) cancel: CancellationToken,
    /// Tells that the code no longer waits for it: what has not begun is not to begin.
    pub(crate) withdrawn: CancellationToken,
    pub(crate) segment: u32,
    /// How many attempts there were; the session reads it too.
    pub(crate) attempts: Arc<AtomicU32>,
    /// Whether a person said to do it again.
    pub(crate) retry: bool,
    /// The append that recorded the operation in this activation; 0 if an earlier one did.
    pub(crate) issued: u64,
    /// What is to be set aside from the budget before an attempt.
    pub(crate) reserve: Option<Amount>,
    /// Whether there was room for it, known once the record is on disk; none where it is not set aside yet.
    pub(crate) granted: Option<Grant>,
}

/// How an effect ended.
pub(crate) struct Ended {
    /// The segment of the step: a later one may have a step at the same path.
    pub(crate) segment: u32,
    pub(crate) key: StepKey,
    pub(crate) done: Done,
    pub(crate) spent: Option<Amount>,
    /// The store failed; the effect was not begun or its end cannot be recorded.
    pub(crate) broken: Option<Error>,
}

impl Task {
    /// Does the work until it has an end.
    pub(crate) async fn run(mut self) -> Ended {
        let (segment, key) = (self.segment, self.key.clone());
        match self.work_on().await {
            Ok(Finished { done, spent }) => Ended { segment, key, done, spent, broken: None },
            Err(error) => {
                Ended { segment, key, done: Done::Err(error.clone()), spent: None, broken: Some(error) }
            }
        }
    }

    /// An error here is the store's, not the effect's.
    async fn work_on(&mut self) -> Result<Finished> {
        // First what came of an attempt whose answer was lost: only then is there anything to allow or to pay for.
        if self.attempts() > 0 && !self.retry && !self.effects.effect.is_repeatable() {
            match self.look_up().await? {
                Reconciled::Happened(result) => return Ok(Finished { done: Done::Ok(result), spent: None }),
                Reconciled::NotHappened => {}
                Reconciled::Unknown => {
                    let why = "the process ended while the call was under way";
                    return Ok(Finished { done: Done::Unknown(why.to_owned()), spent: None });
                }
            }
        }
        if let Err(refused) = self.pay_ahead().await? {
            return Ok(nothing(Done::Err(refused.error())));
        }
        let mut spent = Some(Amount::default());
        loop {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            let attempt = self.describe();
            let sink = attempt.sink.clone();
            let finished = self.attempt(attempt).await?;
            spent = sum(spent, finished.spent);
            let finished = Finished { spent, ..finished };
            let Done::Err(error) = &finished.done else { return Ok(finished) };
            let again = self.effects.effect != Effect::AtMostOnce && error.retry() == Retry::Later;
            let Some(wait) = self.effects.retry.wait_after(self.attempts()).filter(|_| again) else {
                return Ok(finished);
            };
            let wait = error.retry_after().map_or(wait, |asked| asked.clamp(wait, LONGEST_WAIT.max(wait)));
            sink.push(Piece::Retrying(error.clone(), u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
            if cancelled_within(&self.cancel, wait).await {
                return Ok(finished);
            }
            // Whoever can look it up is asked, whatever the error says: twice is worse than not at all.
            if !self.effects.effect.is_repeatable() {
                match self.look_up().await? {
                    Reconciled::Happened(result) => return Ok(Finished { done: Done::Ok(result), spent }),
                    Reconciled::NotHappened => {}
                    Reconciled::Unknown => return Ok(finished),
                }
            }
        }
    }

    fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Sets aside what it may take, where there is a budget. What an attempt that was lost had set aside is charged.
    /// Where only what is set aside for other calls is in the way, it waits for them.
    async fn pay_ahead(&mut self) -> Result<Result<(), Refused>> {
        let (mut wait, mut waited) = (FIRST_LOOK, Duration::ZERO);
        loop {
            let refused = match self.set_aside().await? {
                Err(refused) if refused.passes && waited < LONGEST_WAIT => refused,
                answer => return Ok(answer),
            };
            if cancelled_within(&self.cancel, wait).await {
                return Ok(Err(refused));
            }
            waited += wait;
            wait = (wait * 2).min(LONGEST_LOOK);
        }
    }

    async fn set_aside(&mut self) -> Result<Result<(), Refused>> {
        let (granted, append) = match (self.granted.take(), self.reserve) {
            (Some(granted), _) => (granted, self.issued),
            (None, None) => return Ok(Ok(())),
            (None, Some(amount)) => {
                let granted = Grant::default();
                let also = Also::Reserve(self.key.clone(), amount, Arc::clone(&granted));
                (granted, self.appender.append(&[], vec![also])?.1)
            }
        };
        self.appender.durable(append).await?;
        granted
            .get()
            .copied()
            .ok_or_else(|| Error::new(Code::Internal, "nobody said whether a budget has room"))
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Finished> {
        let decision = match guard(async { self.work.decide(&attempt).await }).await {
            Ok(Ok(decision)) => decision,
            Ok(Err(error)) | Err(error) => return Ok(nothing(Done::Err(error))),
        };
        if self.withdrawn.is_cancelled() {
            return Ok(nothing(Done::Err(Error::new(Code::RunCancelled, "cancelled before it began"))));
        }
        let mut recorded = self.issued;
        if !self.effects.effect.is_repeatable() || decision.is_some() {
            let intent = Entry::Attempted { key: self.key.clone(), attempt: self.attempts(), decision };
            recorded = self.appender.append(&[intent], Vec::new())?.1;
        }
        // Nothing leaves the process before everything in front of it is on disk.
        if self.effects.effect != Effect::Pure {
            self.appender.durable(recorded).await?;
        }
        let sink = attempt.sink.clone();
        let working = guard(async { self.work.attempt(attempt).await });
        let finished = tokio::select! {
            biased;
            finished = working => finished.unwrap_or_else(|error| self.broken_off(error)),
            error = self.out_of_time(&sink) => self.broken_off(error),
        };
        Ok(match finished.done {
            Done::Unknown(reason) if self.effects.effect.is_repeatable() => {
                Finished { done: Done::Err(Error::new(Code::ToolBroken, reason)), ..finished }
            }
            Done::Unknown(_) => match self.look_up().await? {
                Reconciled::Happened(result) => Finished { done: Done::Ok(result), ..finished },
                Reconciled::NotHappened => {
                    let error =
                        Error::new(Code::ToolFailed, "the call was broken off before it had any effect");
                    Finished { done: Done::Err(error), ..finished }
                }
                Reconciled::Unknown => finished,
            },
            _ => finished,
        })
    }

    fn describe(&self) -> Attempt {
        let owner = self.appender.owner();
        Attempt {
            run: owner.run.clone(),
            scope: owner.scope.clone(),
            key: self.key.clone(),
            number: self.attempts(),
            idempotency_key: Attempt::idempotency_key(&owner.run, self.segment, &self.key),
            deadline: self.effects.timeout_ms.map(|ms| Instant::now() + Duration::from_millis(ms)),
            cancel: self.cancel.clone(),
            sink: Sink::new(Arc::clone(&self.channel), self.key.clone(), self.attempts()),
        }
    }

    /// Asks the work what came of the earlier attempt, if it can tell.
    async fn look_up(&self) -> Result<Reconciled> {
        if self.effects.effect != Effect::Reconcile {
            return Ok(Reconciled::Unknown);
        }
        self.appender.durable(self.issued).await?;
        let looked_up = tokio::time::timeout(
            self.patience(),
            guard(async { self.work.reconcile(self.describe()).await }),
        )
        .await;
        Ok(looked_up.ok().and_then(Result::ok).unwrap_or(Reconciled::Unknown))
    }

    fn patience(&self) -> Duration {
        self.effects.timeout_ms.map_or(Duration::from_secs(60), Duration::from_millis)
    }

    /// Resolves when the attempt has taken too long, or has shown no sign of life for too long.
    async fn out_of_time(&self, sink: &Sink) -> Error {
        let whole = self.effects.timeout_ms.map(Duration::from_millis);
        let idle = self.effects.idle_ms.map(Duration::from_millis);
        let too_long = async {
            match whole {
                Some(whole) => tokio::time::sleep(whole).await,
                None => std::future::pending().await,
            }
        };
        let silent = async {
            let Some(idle) = idle else { return std::future::pending().await };
            while let Some(rest) = idle.checked_sub(sink.idle()).filter(|rest| !rest.is_zero()) {
                tokio::time::sleep(rest).await;
            }
        };
        let after =
            |duration: Option<Duration>| adjutant_core::time::format_duration(duration.unwrap_or_default());
        tokio::select! {
            () = too_long => Error::new(Code::ToolTimeout, format!("no answer within {}", after(whole))),
            () = silent => Error::new(Code::ToolTimeout, format!("no sign of life for {}", after(idle))),
        }
    }

    /// What an attempt that did not come to its own end means, and took for all that is known: everything.
    fn broken_off(&self, error: Error) -> Finished {
        Finished { done: lost(self.effects.effect, error), spent: None }
    }
}

/// What it means that an effect came to no end of its own.
fn lost(effect: Effect, error: Error) -> Done {
    if effect.is_repeatable() { Done::Err(error) } else { Done::Unknown(error.message().to_owned()) }
}

/// What two attempts took together; not known where it is not known of one.
fn sum(one: Option<Amount>, other: Option<Amount>) -> Option<Amount> {
    let (one, other) = (one?, other?);
    Some(Amount {
        tokens: one.tokens.saturating_add(other.tokens),
        nanos: one.nanos.saturating_add(other.nanos),
    })
}

impl Ended {
    /// The end of an effect that was given up from outside.
    pub(crate) fn given_up(segment: u32, key: StepKey, effect: Effect, error: Error) -> Self {
        Self { segment, key, done: lost(effect, error), spent: None, broken: None }
    }

    /// What is to be done in the ledger beside recording the end.
    pub(crate) fn settle(&self) -> Also {
        Also::Settle(self.key.clone(), self.spent)
    }
}

fn nothing(done: Done) -> Finished {
    Finished { done, spent: Some(Amount::default()) }
}

/// Turns a panic of somebody's work into an error.
pub(crate) async fn guard<T>(work: impl Future<Output = T>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Error::new(Code::ToolBroken, format!("the code of the call panicked: {text}"))
    })
}

/// Waits, unless it is cancelled before; returns whether it was.
async fn cancelled_within(cancel: &CancellationToken, wait: Duration) -> bool {
    tokio::time::timeout(wait, cancel.cancelled()).await.is_ok()
}
