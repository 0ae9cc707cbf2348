//! Leaves a provider alone that fails and fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::time::format_duration;
use adjutant_core::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::begun::begun;
use crate::delta::Deltas;
use crate::model::{Call, Model};
use crate::profile::Profile;
use crate::request::Request;

/// When a model is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// After how many calls in a row that failed on the provider's side; 0 means never.
    pub failures: u32,
    /// How long. Then one call tries it; the others wait for what comes of that one.
    pub rest: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { failures: 5, rest: Duration::from_secs(30) }
    }
}

/// A circuit breaker: a model that is left alone for a while after it failed again and again, so that callers move on
/// at once and a provider in trouble is not pressed further.
#[derive(Clone)]
pub struct Breaker {
    model: Arc<dyn Model>,
    policy: Policy,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when it rests, and why.
    resting: Option<(Instant, Error)>,
}

impl State {
    /// Refuses a call while the model rests. The first call after that is let through, and the rest begins anew for the
    /// others until it is known what came of it.
    fn enter(&mut self, policy: &Policy, now: Instant) -> Result<(), (Duration, Error)> {
        match &mut self.resting {
            Some((until, error)) if now < *until => Err((*until - now, error.clone())),
            Some((until, _)) => {
                *until = now + policy.rest;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn leave(&mut self, policy: &Policy, failed: Option<&Error>, now: Instant) {
        match failed {
            None => *self = Self::default(),
            Some(error) => {
                self.failures = self.failures.saturating_add(1);
                if policy.failures > 0 && self.failures >= policy.failures {
                    self.resting = Some((now + policy.rest, error.clone()));
                }
            }
        }
    }
}

impl Breaker {
    /// Leaves this model alone when it fails.
    pub fn new(model: Arc<dyn Model>, policy: Policy) -> Self {
        Self { model, policy, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let entered = self.state().enter(&self.policy, Instant::now());
        entered.map_err(|(rest, cause)| self.resting(rest, &cause))?;
        let answer = match self.model.stream(request, call.clone()).await {
            Ok(deltas) => begun(deltas, &call).await,
            Err(error) => Err(error),
        };
        // A request that was refused, or cancelled, says nothing of the provider's health.
        match &answer {
            Ok(_) => self.state().leave(&self.policy, None, Instant::now()),
            Err(error) if is_providers_fault(error) => {
                self.state().leave(&self.policy, Some(error), Instant::now());
            }
            Err(_) => {}
        }
        answer
    }

    fn resting(&self, rest: Duration, cause: &Error) -> Error {
        let (times, again) = (self.policy.failures, format_duration(rest));
        let message = format!(
            "the model `{}` is left alone for {again}: it failed {times} times in a row, last with: {cause}",
            self.model.id()
        );
        Error::new(Code::ModelUnavailable, message).with_retry_after(rest)
    }
}

/// Whether a failure says that the provider itself is in trouble. One that is busy, or that refuses this one request, is
/// not.
fn is_providers_fault(error: &Error) -> bool {
    matches!(error.code(), Code::ModelUnreachable | Code::ModelTimeout | Code::ModelUnavailable)
}

impl Model for Breaker {
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
    fn it_opens_rests_and_lets_one_try() {
        let policy = Policy { failures: 2, rest: Duration::from_secs(10) };
        let down = Error::new(Code::ModelUnavailable, "down");
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut state = State::default();
        state.leave(&policy, Some(&down), at(0));
        assert!(state.enter(&policy, at(0)).is_ok(), "one failure is no trouble");
        state.leave(&policy, Some(&down), at(0));
        assert_eq!(state.enter(&policy, at(4)).unwrap_err().0, Duration::from_secs(6));
        assert!(state.enter(&policy, at(10)).is_ok(), "one call tries");
        assert!(state.enter(&policy, at(10)).is_err(), "the others wait for it");
        state.leave(&policy, Some(&down), at(11));
        assert!(state.enter(&policy, at(12)).is_err(), "it failed again");
        assert!(state.enter(&policy, at(21)).is_ok());
        state.leave(&policy, None, at(22));
        assert!((0..5).all(|_| state.enter(&policy, at(22)).is_ok()), "it is well again");
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let policy = Policy { failures: 0, rest: Duration::from_secs(10) };
        let mut state = State::default();
        let now = Instant::now();
        (0..100).for_each(|_| state.leave(&policy, Some(&Error::new(Code::ModelTimeout, "x")), now));
        assert!(state.enter(&policy, now).is_ok());
    }
}
