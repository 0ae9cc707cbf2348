//! The world outside the run: what really happened, whatever the journal knows of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error};
use adjutant_durable::{Attempt, Done, Finished, Reconciled, Work};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::random::fold;

/// Everything that effects did.
#[derive(Clone, Default)]
pub(crate) struct Outside(Arc<Mutex<Log>>);

#[derive(Clone, Default)]
struct Log {
    executions: Vec<Execution>,
    answers: HashMap<Arc<str>, Json>,
}

/// One time that an effect was done.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(crate) key: StepKey,
    pub(crate) idempotency_key: Arc<str>,
    pub(crate) effect: Effect,
    /// False where it failed and left nothing behind.
    pub(crate) happened: bool,
}

impl Outside {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap()
    }

    pub(crate) fn executions(&self) -> Vec<Execution> {
        self.log().executions.clone()
    }

    /// The same outside, which goes on by itself from here.
    pub(crate) fn split(&self) -> Self {
        Self(Arc::new(Mutex::new(self.log().clone())))
    }

    /// Does something that the test itself describes, and says how often it was done with that key by now.
    pub(crate) fn execute(&self, attempt: &Attempt, effect: Effect, happened: bool) -> usize {
        let mut log = self.log();
        log.executions.push(Execution {
            key: attempt.key.clone(),
            idempotency_key: Arc::clone(&attempt.idempotency_key),
            effect,
            happened,
        });
        log.executions.iter().filter(|done| done.idempotency_key == attempt.idempotency_key).count()
    }
}

/// An effect of a random program.
#[derive(Clone)]
pub(crate) struct Errand {
    pub(crate) effect: Effect,
    /// How many attempts fail first; an effect that is not tried again fails if there is any.
    pub(crate) fails: u32,
    /// Whether the first attempt happens, and its answer is lost.
    pub(crate) vague: bool,
    /// Whether a pure effect says something else each time.
    pub(crate) volatile: bool,
    pub(crate) outside: Outside,
}

impl Errand {
    fn run(&self, attempt: &Attempt) -> Done {
        let repeatable = self.effect.is_repeatable();
        let fails = if repeatable { attempt.number <= self.fails } else { self.fails > 0 };
        let times = self.outside.execute(attempt, self.effect, !fails);
        if fails {
            return Done::Err(Error::new(Code::ModelUnavailable, "out of order"));
        }
        let salt = if self.effect == Effect::Pure && self.volatile { times as u64 } else { 0 };
        let answer = Json::of(&fold(salt, attempt.key.as_str())).unwrap();
        self.outside.log().answers.insert(Arc::clone(&attempt.idempotency_key), answer.clone());
        if self.vague && !repeatable && attempt.number == 1 {
            return Done::Unknown("the connection broke".to_owned());
        }
        Done::Ok(answer)
    }
}

impl Work for Errand {
    fn decide(&self, attempt: &Attempt) -> BoxFuture<'static, adjutant_core::Result<Option<Json>>> {
        let decision = Json::of(&attempt.number).map(Some);
        async move { decision }.boxed()
    }

    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let done = self.run(&attempt);
        async move { Finished { done, spent: None } }.boxed()
    }

    fn reconcile(&self, attempt: Attempt) -> BoxFuture<'static, Reconciled> {
        let known = self.outside.log().answers.get(&attempt.idempotency_key).cloned();
        let found = match known {
            Some(_) if self.vague => Reconciled::Unknown,
            Some(answer) => Reconciled::Happened(answer),
            None => Reconciled::NotHappened,
        };
        async move { found }.boxed()
    }
}
