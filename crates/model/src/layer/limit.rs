//! Holds calls back so that a provider's limits are kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::delta::{Delta, Deltas};
use crate::model::{Call, Model, Note};
use crate::profile::Profile;
use crate::request::Request;
use crate::token;

/// How often it is told that a call still waits.
const REMINDER: Duration = Duration::from_secs(60);

/// What may be asked of a model; nothing is limited where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How many calls may be under way at once.
    pub concurrency: Option<u32>,
    /// How many calls may begin in a minute.
    pub requests_per_minute: Option<u32>,
    /// How many tokens a minute may take, input and output together. A call is counted by an estimate when it begins and
    /// by the provider's count when it ends.
    pub tokens_per_minute: Option<u64>,
}

impl Policy {
    /// Whether anything is limited.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// A model whose calls wait for their turn. Calls that wait are let in in the order in which they came.
#[derive(Clone)]
pub struct Limit {
    model: Arc<dyn Model>,
    gates: Arc<Gates>,
}

/// What calls wait at.
#[derive(Debug)]
pub(crate) struct Gates {
    slots: Option<Arc<Semaphore>>,
    requests: Option<Gate>,
    tokens: Option<Gate>,
}

/// A bucket behind a door: who waits for it to fill keeps the door, so that the next one comes after.
#[derive(Debug)]
struct Gate {
    door: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

/// A bucket that fills with time. It may be owed: a call that took more than was thought holds the next one back.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    level: f64,
    capacity: f64,
    filled: Instant,
}

impl Bucket {
    fn per_minute(capacity: f64, now: Instant) -> Self {
        Self { level: capacity, capacity, filled: now }
    }

    /// Takes so much, or says how long to wait until it may be asked for again. More than a bucket holds is let through
    /// when the bucket is full.
    fn take(&mut self, amount: f64, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.level = (self.level + passed * self.capacity / 60.0).min(self.capacity);
        self.filled = now;
        let missing = amount.min(self.capacity) - self.level;
        if missing > 1e-6 {
            return Err(Duration::from_secs_f64(missing * 60.0 / self.capacity));
        }
        self.level -= amount;
        Ok(())
    }
}

impl Gate {
    fn per_minute(capacity: f64) -> Self {
        Self {
            door: tokio::sync::Mutex::default(),
            bucket: Mutex::new(Bucket::per_minute(capacity, Instant::now())),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        change(&mut self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn pass(&self, amount: f64) {
        let _door = self.door.lock().await;
        while let Err(wait) = self.with(|bucket| bucket.take(amount, Instant::now())) {
            tokio::time::sleep(wait).await;
        }
    }
}

impl Limit {
    /// Holds back the calls of this model.
    pub fn new(model: Arc<dyn Model>, policy: Policy) -> Self {
        Self { model, gates: Arc::new(Gates::new(policy)) }
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let estimate = self.gates.tokens.as_ref().map_or(0, |_| token::estimate_request(&request));
        let slot = self.gates.admit(self.model.id(), estimate, &call).await?;
        let deltas = self.model.stream(request, call).await?;
        let stay = Stay { gates: Arc::clone(&self.gates), estimate, used: 0, _slot: slot };
        Ok(deltas
            .scan(stay, |stay, delta| {
                if let Ok(Delta::Usage(usage)) = &delta {
                    stay.used = usage.total();
                }
                std::future::ready(Some(delta))
            })
            .boxed())
    }
}

impl Gates {
    pub(crate) fn new(policy: Policy) -> Self {
        let slots = policy.concurrency.and_then(|slots| usize::try_from(slots.max(1)).ok());
        Self {
            slots: slots.map(|slots| Arc::new(Semaphore::new(slots))),
            requests: policy.requests_per_minute.map(|number| Gate::per_minute(f64::from(number.max(1)))),
            tokens: policy.tokens_per_minute.map(|number| Gate::per_minute(as_float(number.max(1)))),
        }
    }

    /// Waits until a call of so many tokens may be made, which lasts until what is given is dropped. Fails with
    /// `run-cancelled`.
    pub(crate) async fn admit(
        &self,
        model: &str,
        tokens: u64,
        call: &Call,
    ) -> Result<Option<OwnedSemaphorePermit>> {
        let mut entering = std::pin::pin!(self.enter(tokens));
        // Most calls need not wait, and then nobody is told that they do.
        if let Some(slot) = entering.as_mut().now_or_never() {
            return Ok(slot);
        }
        loop {
            // Also a sign of life: who waits in line is not silent.
            call.note(|| Note::Waits { model: model.to_owned() });
            tokio::select! {
                biased;
                () = call.cancel.cancelled() => {
                    return Err(Error::new(Code::RunCancelled, "the call of the model was cancelled"));
                }
                slot = &mut entering => return Ok(slot),
                () = tokio::time::sleep(REMINDER) => {}
            }
        }
    }

    async fn enter(&self, tokens: u64) -> Option<OwnedSemaphorePermit> {
        let slot = match &self.slots {
            // INVARIANT: the semaphore is never closed.
            Some(slots) => Arc::clone(slots).acquire_owned().await.ok(),
            None => None,
        };
        if let Some(requests) = &self.requests {
            requests.pass(1.0).await;
        }
        if let Some(gate) = &self.tokens {
            gate.pass(as_float(tokens)).await;
        }
        slot
    }
}

/// A call that was let in, until its answer is read or dropped.
struct Stay {
    gates: Arc<Gates>,
    estimate: u64,
    used: u64,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(tokens) = &self.gates.tokens {
            // What nobody has counted is taken to be as it was thought.
            let used = if self.used == 0 { self.estimate } else { self.used };
            tokens.with(|bucket| bucket.level -= as_float(used) - as_float(self.estimate));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no limit is as large as 2^53 tokens a minute")]
fn as_float(number: u64) -> f64 {
    number as f64
}

impl Model for Limit {
    fn id(&self) -> &str {
        self.model.id()
    }

    fn profile(&self) -> &Profile {
        self.model.profile()
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        self.clone().ask(request, call).boxed()
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        self.model.preview(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_with_time_and_can_be_owed() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut bucket = Bucket::per_minute(60.0, begin);
        assert_eq!(bucket.take(50.0, at(0)), Ok(()));
        assert_eq!(bucket.take(30.0, at(0)), Err(Duration::from_secs(20)));
        assert_eq!(bucket.take(30.0, at(20)), Ok(()));
        assert_eq!(bucket.take(1_000.0, at(20)), Err(Duration::from_secs(60)), "it waits for a full bucket");
        assert_eq!(bucket.take(1_000.0, at(80)), Ok(()));
        assert_eq!(bucket.take(1.0, at(80)), Err(Duration::from_secs(941)), "what was too much is owed");
    }
}
