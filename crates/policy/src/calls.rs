//! [`Calls`]: what was done in a session, with what rules have found in it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cedar::Ledger;
use crate::facts::Past;

/// The calls that were made in a session, oldest first.
///
/// A clone is cheap. What rules ask about (counts, sums, values) is found once and kept, and [`Calls::push`] adds to it, so
/// a decision costs the same however long the session is. Any other change forgets what was found.
#[derive(Clone, Default)]
pub struct Calls(Arc<Kept>);

#[derive(Default)]
struct Kept {
    calls: Vec<Past>,
    found: Mutex<Ledger>,
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { calls: self.calls.clone(), found: Mutex::new(found) }
    }
}

impl Calls {
    /// Adds a call that was made after all others.
    pub fn push(&mut self, call: Past) {
        Arc::make_mut(&mut self.0).calls.push(call);
    }

    /// Asks what was found in them up to now.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut found = self.0.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.read(&self.0.calls);
        ask(&mut found)
    }
}

impl Deref for Calls {
    type Target = Vec<Past>;

    fn deref(&self) -> &Vec<Past> {
        &self.0.calls
    }
}

impl DerefMut for Calls {
    fn deref_mut(&mut self) -> &mut Vec<Past> {
        let kept = Arc::make_mut(&mut self.0);
        kept.found = Mutex::default();
        &mut kept.calls
    }
}

impl From<Vec<Past>> for Calls {
    fn from(calls: Vec<Past>) -> Self {
        Self(Arc::new(Kept { calls, found: Mutex::default() }))
    }
}

impl FromIterator<Past> for Calls {
    fn from_iter<I: IntoIterator<Item = Past>>(calls: I) -> Self {
        Vec::from_iter(calls).into()
    }
}

impl<'a> IntoIterator for &'a Calls {
    type Item = &'a Past;
    type IntoIter = std::slice::Iter<'a, Past>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Calls {
    fn eq(&self, other: &Self) -> bool {
        self.0.calls == other.0.calls
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.calls.fmt(f)
    }
}

impl Serialize for Calls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.calls.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Calls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
