//! What is remembered of keys between two looks into the store: a request must not wait for one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use adjutant_core::time::Timestamp;
use adjutant_durable::Key;

/// How long a key is taken for what it was: a key that another process took back is accepted for so long.
pub(super) const FRESH: Duration = Duration::from_secs(2);

/// How often the uses of keys are written down.
const SETTLE: Duration = Duration::from_secs(60);

/// How many keys are remembered; whoever knows this many is no usual service.
const MOST: usize = 10_000;

/// Keys as they were read, and when they were used since uses were last written down.
pub(super) struct Seen {
    keys: HashMap<String, (Key, Instant)>,
    used: HashMap<String, Timestamp>,
    settled: Instant,
    /// When a key was last changed by this process: what was read before may be what it was.
    changed: Option<Instant>,
}

impl Seen {
    pub(super) fn new(now: Instant) -> Self {
        Self { keys: HashMap::new(), used: HashMap::new(), settled: now, changed: None }
    }

    /// A key that was read a moment ago.
    pub(super) fn fresh(&self, id: &str, now: Instant) -> Option<&Key> {
        let (key, read) = self.keys.get(id)?;
        (now.saturating_duration_since(*read) < FRESH).then_some(key)
    }

    /// Remembers a key that was read at some time.
    pub(super) fn remember(&mut self, key: Key, read: Instant, now: Instant) {
        if self.changed.is_some_and(|changed| read <= changed) {
            return;
        }
        if self.keys.len() >= MOST {
            self.keys.retain(|_, (_, read)| now.saturating_duration_since(*read) < FRESH);
        }
        if self.keys.len() < MOST {
            self.keys.insert(key.info.id.clone(), (key, read));
        }
    }

    /// Forgets what is known of a key: it was changed.
    pub(super) fn forget(&mut self, id: &str, now: Instant) {
        self.changed = Some(now);
        self.keys.remove(id);
    }

    /// Notes a use. Returns the uses that are to be written down, where it is time.
    pub(super) fn note(&mut self, id: &str, at: Timestamp, now: Instant) -> Vec<(String, Timestamp)> {
        match self.used.get_mut(id) {
            Some(last) => *last = at.max(*last),
            None => drop(self.used.insert(id.to_owned(), at)),
        }
        match now.saturating_duration_since(self.settled) >= SETTLE {
            true => self.settle(now),
            false => Vec::new(),
        }
    }

    /// Takes the uses that were not written down.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<(String, Timestamp)> {
        self.settled = now;
        self.used.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::hash::Digest;
    use adjutant_core::id::Scope;
    use adjutant_core::role::Role;
    use adjutant_durable::KeyInfo;

    use super::*;

    fn key(id: &str) -> Key {
        let info = KeyInfo {
            id: id.to_owned(),
            scope: Scope::default(),
            name: String::new(),
            role: Role::Viewer,
            scopes: Vec::new(),
            created: Timestamp(1),
            by: String::new(),
            expires: None,
            revoked: None,
            replaced_by: None,
            began_as: None,
            used: None,
        };
        Key { info, hash: Digest::of(b"") }
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered() {
        let begun = Instant::now();
        let later = |millis| begun + Duration::from_millis(millis);
        let mut seen = Seen::new(begun);
        seen.remember(key("a"), later(1), later(1));
        assert!(seen.fresh("a", later(1)).is_some() && seen.fresh("a", later(1) + FRESH).is_none());
        seen.forget("a", later(5));
        assert!(seen.fresh("a", later(5)).is_none());
        seen.remember(key("a"), later(4), later(6));
        assert!(seen.fresh("a", later(6)).is_none(), "it was read before it was taken back");
        seen.remember(key("a"), later(7), later(8));
        assert!(seen.fresh("a", later(8)).is_some());
    }

    #[test]
    fn no_more_than_so_many_keys_are_remembered() {
        let begun = Instant::now();
        let mut seen = Seen::new(begun);
        (0..MOST + 5).for_each(|number| seen.remember(key(&number.to_string()), begun, begun));
        assert_eq!(seen.keys.len(), MOST);
        seen.remember(key("late"), begun + FRESH, begun + FRESH);
        assert_eq!(seen.keys.len(), 1);
    }

    #[test]
    fn uses_are_written_down_together() {
        let begun = Instant::now();
        let mut seen = Seen::new(begun);
        for second in 0..59 {
            assert!(seen.note("a", Timestamp(second), begun + Duration::from_secs(1)).is_empty());
        }
        assert!(seen.note("b", Timestamp(3), begun).is_empty());
        let mut due = seen.note("a", Timestamp(9), begun + SETTLE);
        due.sort();
        assert_eq!(due, [("a".to_owned(), Timestamp(58)), ("b".to_owned(), Timestamp(3))]);
        assert!(seen.note("a", Timestamp(99), begun + SETTLE).is_empty());
        assert_eq!(seen.settle(begun).len(), 1);
    }
}
