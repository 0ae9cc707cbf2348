//! Leaves a provider alone that fails and fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::time::format_duration;
use adjutant_core::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::delta::{Delta, Deltas};
use crate::model::{Call, Model, Note};
use crate::profile::Profile;
use crate::request::Request;

/// After so long a silence a call that is let go of counts as one that failed.
const TELLING_SILENCE: Duration = Duration::from_secs(10);

/// The same for an answer that was asked for whole, before which every model is silent: as long as one may be that streams.
const TELLING_SILENCE_OF_WHOLE: Duration = Duration::from_secs(2 * 60);

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
    fuse: Fuse,
}

/// What knows how the latest calls of one model came out. Clones know the same.
#[derive(Clone, Debug)]
pub(crate) struct Fuse {
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

impl Fuse {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or fails with [`Code::ModelUnavailable`] while the model rests.
    pub(crate) fn enter(&self, model: &str, call: &Call) -> Result<Trial> {
        let entered = self.state().enter(&self.policy, Instant::now());
        entered.map_err(|(rest, cause)| {
            let (times, again) = (self.policy.failures, format_duration(rest));
            let message = format!(
                "the model `{model}` is left alone for {again}: it failed {times} times in a row, last with: {cause}"
            );
            Error::new(Code::ModelUnavailable, message).with_retry_after(rest)
        })?;
        let silence = Arc::new(Mutex::new(Some(Instant::now())));
        let model = model.to_owned();
        let telling = if call.whole { TELLING_SILENCE_OF_WHOLE } else { TELLING_SILENCE };
        Ok(Trial { fuse: self.clone(), model, cancel: call.cancel.clone(), silence, telling, is_open: true })
    }
}

/// A call that was let through, until it is known what came of it.
pub(crate) struct Trial {
    fuse: Fuse,
    model: String,
    cancel: CancellationToken,
    /// Since when nothing came of the provider; none while it is not the provider's turn.
    silence: Arc<Mutex<Option<Instant>>>,
    /// After how much of it whoever lets go has given up.
    telling: Duration,
    is_open: bool,
}

impl Trial {
    /// The same call, by which is heard when it is not the provider who is waited for.
    pub(crate) fn listening(&self, call: Call) -> Call {
        let (silence, listener) = (Arc::clone(&self.silence), call.listener.clone());
        let heard = move |note: Note| {
            let is_its_turn = !matches!(note, Note::Waits { .. } | Note::Again { .. });
            *silence.lock().unwrap_or_else(PoisonError::into_inner) = is_its_turn.then(Instant::now);
            if let Some(listener) = &listener {
                listener(note);
            }
        };
        Call { listener: Some(Arc::new(heard)), ..call }
    }

    /// Something came.
    fn alive(&self) {
        *self.silence.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// It is known what came of the call.
    pub(crate) fn close(&mut self, failed: Option<&Error>) {
        if !std::mem::replace(&mut self.is_open, false) {
            return;
        }
        match failed {
            None => self.fuse.state().leave(&self.fuse.policy, None, Instant::now()),
            Some(error) if is_providers_fault(error) => {
                self.fuse.state().leave(&self.fuse.policy, Some(error), Instant::now());
            }
            // A request that was refused, or cancelled, says nothing of the provider's health.
            Some(_) => {}
        }
    }
}

/// Whoever lets go of a call without having cancelled it, after a long silence, has given it up.
impl Drop for Trial {
    fn drop(&mut self) {
        let since = *self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = since.map(|since| since.elapsed()).filter(|silent| *silent >= self.telling);
        if let Some(silent) = silent.filter(|_| self.is_open && !self.cancel.is_cancelled()) {
            let message = format!(
                "the model `{}` was given up after {} of silence",
                self.model,
                format_duration(silent)
            );
            self.close(Some(&Error::new(Code::ModelTimeout, message)));
        }
    }
}

impl Breaker {
    /// Leaves this model alone when it fails.
    pub fn new(model: Arc<dyn Model>, policy: Policy) -> Self {
        Self { model, fuse: Fuse::new(policy) }
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let mut trial = self.fuse.enter(self.model.id(), &call)?;
        let call = trial.listening(call);
        match self.model.stream(request, call).await {
            Ok(deltas) => Ok(watched(deltas, trial)),
            Err(error) => {
                trial.close(Some(&error));
                Err(error)
            }
        }
    }
}

/// An answer whose end is looked at: only that tells how the call came out.
fn watched(deltas: Deltas, trial: Trial) -> Deltas {
    deltas
        .scan(trial, |trial, delta| {
            match &delta {
                Ok(Delta::End(_)) => trial.close(None),
                Ok(_) => trial.alive(),
                Err(error) => trial.close(Some(error)),
            }
            std::future::ready(Some(delta))
        })
        .boxed()
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

    fn trial(fuse: &Fuse, silence: Option<u64>) -> Trial {
        of(fuse, &Call::default(), silence)
    }

    fn of(fuse: &Fuse, call: &Call, silence: Option<u64>) -> Trial {
        let trial = fuse.enter("m", call).ok().unwrap();
        let since = silence.map(|seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap());
        *trial.silence.lock().unwrap() = since;
        trial
    }

    #[test]
    fn a_call_that_is_given_up_in_silence_counts_against_the_provider() {
        let failures = |let_go: &dyn Fn(&Fuse)| {
            let fuse = Fuse::new(Policy::default());
            let_go(&fuse);
            fuse.state().failures
        };
        assert_eq!(failures(&|fuse| drop(trial(fuse, Some(11)))), 1);
        assert_eq!(
            failures(&|fuse| drop(trial(fuse, Some(1)))),
            0,
            "whoever leaves early has reasons of their own"
        );
        let whole = |seconds| {
            let call = Call { whole: true, ..Call::default() };
            failures(&|fuse| drop(of(fuse, &call, Some(seconds))))
        };
        assert_eq!((whole(60), whole(121)), (0, 1), "before a whole answer there is silence");
        assert_eq!(
            failures(&|fuse| drop(trial(fuse, None))),
            0,
            "it was not the provider who was waited for"
        );
        let cancelled = |fuse: &Fuse| trial(fuse, Some(11)).cancel.cancel();
        assert_eq!(failures(&cancelled), 0, "nobody is to blame for a cancel");
        let ended = |fuse: &Fuse| trial(fuse, Some(11)).close(None);
        assert_eq!(failures(&ended), 0);
    }

    #[test]
    fn a_wait_for_a_turn_is_no_silence_of_the_provider() {
        let fuse = Fuse::new(Policy::default());
        let trial = trial(&fuse, Some(11));
        let call = trial.listening(Call::default());
        call.note(|| Note::Waits { model: "m".into() });
        assert_eq!(*trial.silence.lock().unwrap(), None);
        trial.alive();
        assert!(trial.silence.lock().unwrap().is_some());
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
