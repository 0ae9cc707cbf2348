//! [`Watch`]: what the guardrails of a run have learned and spent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adjutant_policy::detect::Pseudonyms;

use crate::answer::Answer;
use crate::rules::Log;

/// What the guardrails of a run have learned and spent up to now. It is filled from what is recorded alone, in an order
/// that a replay repeats.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct State {
    names: Pseudonyms,
    spent: Vec<Answer>,
}

impl Watch {
    /// A run that knows these pseudonyms, with what was done in it.
    pub(crate) fn new(names: Pseudonyms, log: Arc<Log>) -> Self {
        Self { state: Mutex::new(State { names, spent: Vec::new() }), log }
    }

    /// What was done in the run.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the pseudonyms stand for.
    pub(crate) fn names(&self) -> Pseudonyms {
        self.state().names.clone()
    }

    /// Takes in what more of them stand for.
    pub(super) fn learn(&self, names: Pseudonyms) {
        self.state().names.extend(names);
    }

    /// Takes in what a judge has answered.
    pub(super) fn spend(&self, answer: Answer) {
        self.state().spent.push(answer);
    }

    /// What judges have answered since this was asked last.
    pub(crate) fn spent(&self) -> Vec<Answer> {
        std::mem::take(&mut self.state().spent)
    }
}
