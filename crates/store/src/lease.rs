//! Which processes live.
//!
//! A worker holds a lock on a file of its own while it lives; the operating system lets go of it when the process
//! dies, however it dies, so a dead worker's runs are taken over at once and no clock is involved. A worker that hangs
//! keeps its lock but stops beating: one that was not seen to beat for [`SILENCE`], by the watcher's own steady clock,
//! is taken for dead too. Should it come back, the epoch of its runs has moved on and its writes are refused.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adjutant_core::{Code, Error, Result};

/// How often a worker beats.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// After so long without a beat a worker is taken for dead.
const SILENCE: Duration = Duration::from_secs(20);

/// The lock that a worker holds while it lives.
pub(crate) struct Lease {
    path: PathBuf,
    _lock: File,
}

impl Lease {
    /// Takes the lock of a worker.
    pub(crate) fn take(store: &Path, worker: i64) -> Result<Self> {
        let path = path(store, worker);
        let failed = |error: &std::io::Error| {
            Error::new(Code::StoreUnavailable, format!("the lock `{}` cannot be taken", path.display()))
                .caused_by(error)
        };
        let lock = File::create(&path).map_err(|error| failed(&error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => failed(&error),
            TryLockError::WouldBlock => failed(&std::io::Error::other("another process holds it")),
        })?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Left behind, it would only be one more file: nobody holds its lock.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn path(store: &Path, worker: i64) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(format!("-worker-{worker}"));
    PathBuf::from(name)
}

/// What a watcher remembers of other workers.
#[derive(Default)]
pub(crate) struct Watch {
    beats: HashMap<i64, (i64, Instant)>,
}

impl Watch {
    /// Whether a worker is dead, given its last beat.
    pub(crate) fn is_dead(&mut self, store: Option<&Path>, worker: i64, beat: Option<i64>) -> bool {
        let Some(beat) = beat else { return true };
        if store.is_some_and(|store| !is_locked(&path(store, worker))) {
            return true;
        }
        let now = Instant::now();
        let (last, seen) = self.beats.entry(worker).or_insert((beat, now));
        if *last != beat {
            (*last, *seen) = (beat, now);
        }
        now.duration_since(*seen) > SILENCE
    }
}

fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            false
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_dead_when_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.db");
        let lease = Lease::take(&store, 7).unwrap();
        let mut watch = Watch::default();
        assert!(!watch.is_dead(Some(&store), 7, Some(0)));
        assert!(Lease::take(&store, 7).is_err());
        drop(lease);
        assert!(watch.is_dead(Some(&store), 7, Some(0)));
        assert!(watch.is_dead(Some(&store), 8, None));
    }
}
