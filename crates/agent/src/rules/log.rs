//! [`Log`]: the calls that were made, for the rules that ask about them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adjutant_core::Code;
use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use adjutant_policy::Narrowing;
use adjutant_policy::facts::{Calls, Past, Session};
use serde_json::{Map, Value};

use crate::returned::{Called, Returned};

/// The calls that were made in a session up to now: what is forbidden later may ask about any of them. It grows as calls come to their end, which a replay
/// repeats in the same order.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The tools that some pinned rule asks about.
    concerned: BTreeSet<String>,
    /// Whether it is that of a run that works for another one.
    is_for_another: bool,
    /// How many of the calls were made in earlier turns, and by those for whom the run works.
    before: usize,
    /// All of them, with what rules have found in them.
    calls: Mutex<Calls>,
    /// What the tasks need for which the run was started.
    narrowed: Vec<Arc<Narrowing>>,
    /// What its own task needs, where that was fixed.
    narrowing: Mutex<Option<Arc<Narrowing>>>,
    /// Whether every model is decided on that is asked.
    each_model: AtomicBool,
    /// The models that were decided on, each with the label of what it was to be sent, and why it may not be.
    chosen: Mutex<Vec<(String, Label, Option<String>)>>,
}

impl Log {
    /// A log of which pinned rules ask about these tools; `calls` were made in this run, `before` earlier.
    pub(crate) fn new(concerned: BTreeSet<String>, before: &[Past], calls: Vec<Past>) -> Self {
        let all = before.iter().cloned().chain(calls).collect();
        Self { concerned, before: before.len(), calls: Mutex::new(all), ..Self::default() }
    }

    /// The same for a run that works for another one.
    pub(crate) fn for_another(self) -> Self {
        Self { is_for_another: true, ..self }
    }

    /// The same for a run that is held to what these tasks need.
    pub(crate) fn within(self, narrowed: Vec<Narrowing>) -> Self {
        Self { narrowed: narrowed.into_iter().map(Arc::new).collect(), ..self }
    }

    /// Takes in what came of a call that was decided at that moment.
    pub(crate) fn made(&self, called: &Called, at: Timestamp, returned: &Returned) {
        if let Some(past) = made(called, at, returned) {
            self.calls().push(past);
        }
    }

    /// Takes in what the task needs from now on.
    pub(crate) fn narrow(&self, narrowing: Option<&Narrowing>) {
        let narrowing = narrowing.map(|narrowing| Arc::new(narrowing.clone()));
        *self.narrowing.lock().unwrap_or_else(PoisonError::into_inner) = narrowing;
    }

    /// What the tasks need, as far as that was fixed: what is done must be within each.
    pub(crate) fn narrowings(&self) -> Vec<Arc<Narrowing>> {
        let own = self.narrowing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.narrowed.iter().cloned().chain(own).collect()
    }

    /// Has every model decided on that is asked from now on.
    pub(super) fn decide_each_model(&self) {
        self.each_model.store(true, Ordering::Relaxed);
    }

    /// Whether every model is decided on that is asked.
    pub(super) fn decides_each_model(&self) -> bool {
        self.each_model.load(Ordering::Relaxed)
    }

    /// What was decided on a model that is sent something of this label: why it may not be, or none where it may. None where
    /// nothing was decided yet.
    pub(super) fn chosen(&self, model: &str, label: &Label) -> Option<Option<String>> {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = chosen.iter().find(|(name, sent, _)| name == model && sent == label);
        known.map(|(_, _, refusal)| refusal.clone())
    }

    /// Takes in what was decided on a model.
    pub(super) fn choose(&self, model: &str, label: &Label, refusal: Option<String>) {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.push((model.to_owned(), label.clone(), refusal));
    }

    /// Takes in what somebody did who worked for this run.
    pub(crate) fn join(&self, past: Vec<Past>) {
        let mut calls = self.calls();
        past.into_iter().for_each(|past| calls.push(past));
    }

    /// All that is known of the session. It is not copied, however long it is.
    pub(crate) fn session(&self) -> Session {
        Session { calls: self.calls().clone() }
    }

    /// All that a run that is started by this one is to know.
    pub(crate) fn all(&self) -> Vec<Past> {
        self.calls().iter().map(|past| self.kept(past)).collect()
    }

    /// The same, as far as pinned rules ask about it.
    pub(crate) fn all_concerned(&self) -> Vec<Past> {
        self.concerned(self.calls().iter())
    }

    /// What was done in this run.
    pub(crate) fn own(&self) -> Vec<Past> {
        self.calls().iter().skip(self.before).map(|past| self.kept(past)).collect()
    }

    /// What the reply of the run tells of it: all to the run that it works for. Everybody else reads the journal.
    pub(crate) fn reported(&self) -> Vec<Past> {
        match self.is_for_another {
            true => self.own(),
            false => self.concerned(self.calls().iter().skip(self.before)),
        }
    }

    fn concerned<'a>(&self, calls: impl Iterator<Item = &'a Past>) -> Vec<Past> {
        calls.filter(|past| self.concerned.contains(&past.tool)).cloned().collect()
    }

    /// A call as it is recorded once more: what a tool returned only where some pinned rule may ask for it.
    fn kept(&self, past: &Past) -> Past {
        match self.concerned.contains(&past.tool) {
            true => past.clone(),
            false => Past {
                tool: past.tool.clone(),
                at: past.at,
                arguments: past.arguments.clone(),
                data: None,
                failed: past.failed,
            },
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call as something that was done; none where it was not made, or is not over.
pub(super) fn made(called: &Called, at: Timestamp, returned: &Returned) -> Option<Past> {
    let (data, failed) = match returned {
        Returned::Output(output) => (output.data.clone(), false),
        Returned::Failed(error) | Returned::Telling(error, _)
            if matches!(error.code(), Code::ToolDenied | Code::ToolUnknown) =>
        {
            return None;
        }
        // Given up, or broken off: nobody knows that it did not happen.
        Returned::Failed(error) | Returned::Telling(error, _)
            if matches!(error.code(), Code::ToolTimeout | Code::ToolBroken) =>
        {
            (None, false)
        }
        Returned::Idle(_) => (None, false),
        Returned::Failed(_) | Returned::Telling(..) => (None, true),
        Returned::Pending(_) => return None,
    };
    let arguments = match &called.arguments {
        Value::Object(arguments) => arguments.clone(),
        _ => Map::new(),
    };
    Some(Past { tool: called.name.clone(), at, arguments, data, failed })
}
