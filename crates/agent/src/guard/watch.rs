//! [`Watch`]: what the guardrails of a run have learned and spent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use adjutant_policy::detect::Pseudonyms;

use crate::answer::Answer;

/// What the guardrails of a run have learned and spent up to now. It is filled from what is recorded alone, in an order
/// that a replay repeats.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    names: Pseudonyms,
    spent: Vec<Answer>,
}

impl Watch {
    /// A run that knows these pseudonyms.
    pub(crate) fn new(names: Pseudonyms) -> Self {
        Self(Mutex::new(State { names, spent: Vec::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
