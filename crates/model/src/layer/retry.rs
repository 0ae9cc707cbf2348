//! Asks again where a failure passes by itself.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::error::Retry as Helps;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};

use super::begun::begun;
use super::chance::spread;
use crate::delta::Deltas;
use crate::model::{Call, Model, Note};
use crate::profile::Profile;
use crate::request::Request;

/// How often and how soon a model is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How often it is asked in all; 1 means never again.
    pub attempts: u32,
    /// How long to wait before the second attempt where the provider says nothing; each wait after it is twice as long.
    /// Half of every wait is left to chance, so that many callers do not come back together.
    pub first_wait: Duration,
    /// The longest wait. A provider that asks for more is not waited for: the failure stands, and another model may
    /// be asked.
    pub longest_wait: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { attempts: 4, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(60) }
    }
}

impl Policy {
    /// How long to wait before the next attempt, after so many that failed; none where there is no next one.
    fn wait_after(&self, failed: u32, error: &Error, chance: f64) -> Option<Duration> {
        if failed >= self.attempts || error.retry() == Helps::Never {
            return None;
        }
        match error.retry_after() {
            // Coming back too early would fail again, so chance only adds.
            Some(asked) if asked <= self.longest_wait => Some(asked + spread(self.first_wait, chance)),
            Some(_) => None,
            None => {
                let doubled =
                    self.first_wait.saturating_mul(1u32.checked_shl(failed - 1).unwrap_or(u32::MAX));
                let wait = doubled.min(self.longest_wait);
                Some(wait / 2 + spread(wait / 2, chance))
            }
        }
    }
}

/// A model that is asked again where a failure passes by itself, and never after a part of its answer was delivered.
#[derive(Clone)]
pub struct Retry {
    model: Arc<dyn Model>,
    policy: Policy,
}

impl Retry {
    /// Asks this model again.
    pub fn new(model: Arc<dyn Model>, policy: Policy) -> Self {
        Self { model, policy }
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let attempt =
            || async { begun(self.model.stream(request.clone(), call.clone()).await?, &call).await };
        let deltas = insist(&self.policy, self.model.id(), &call, attempt).await?;
        if self.policy.attempts > 1 {
            return Ok(deltas);
        }
        // Once is once, also for whoever would ask again after a part of the answer was shown.
        Ok(deltas.map(|delta| delta.map_err(|error| error.after_attempts(1))).boxed())
    }
}

/// Tries until it succeeds, fails for good, or has been tried as often as the policy says. The listener of the call is
/// told of every wait.
pub(crate) async fn insist<T, F: Future<Output = Result<T>>>(
    policy: &Policy,
    model: &str,
    call: &Call,
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let mut attempts = 1;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(wait) = policy.wait_after(attempts, &error, super::chance::chance()) else {
            return Err(error.after_attempts(attempts));
        };
        call.note(|| Note::Again { model: model.to_owned(), error: error.clone(), wait });
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => {
                return Err(Error::new(Code::RunCancelled, "the call of the model was cancelled"));
            }
            () = tokio::time::sleep(wait) => {}
        }
        attempts += 1;
    }
}

impl Model for Retry {
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
    fn waits_grow_and_what_the_provider_asks_for_is_kept() {
        let policy = Policy::default();
        let busy = || Error::new(Code::ModelRateLimited, "busy");
        let asks = |seconds| busy().with_retry_after(Duration::from_secs(seconds));
        let millis = |failed, error: &Error, chance| {
            policy.wait_after(failed, error, chance).map(|wait| u64::try_from(wait.as_millis()).unwrap())
        };
        let cases = [
            (1, busy(), 0.0, Some(250)),
            (1, busy(), 1.0, Some(500)),
            (3, busy(), 0.5, Some(1_500)),
            (4, busy(), 0.5, None),
            (1, asks(7), 0.0, Some(7_000)),
            (1, asks(7), 1.0, Some(7_500)),
            (1, asks(61), 0.0, None),
            (1, Error::new(Code::ModelKeyRefused, "no"), 0.0, None),
            (1, busy().after_attempts(4), 0.0, None),
        ];
        for (failed, error, chance, expected) in cases {
            assert_eq!(millis(failed, &error, chance), expected, "{failed} {error:?} {chance}");
        }
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let policy = Policy { attempts: 100, ..Policy::default() };
        let wait = policy.wait_after(90, &Error::new(Code::ModelUnavailable, "x"), 1.0);
        assert_eq!(wait, Some(policy.longest_wait));
    }
}
