//! Which processes live.
//!
//! A worker holds a lock on a file of its own while it lives; the operating system lets go of it when the process
//! dies, however it dies, so a dead worker's runs are taken over at once and no clock is involved. A worker that hangs
//! keeps its lock but stops beating: the runs of one that was not seen to beat for a while ([`Options::silence`]), by the
//! watcher's own steady clock, are taken over too. Should it come back, the epoch of its runs has moved on and its writes
//! are refused; it claims others, and beats. One that is stopped in the middle of a commit holds SQLite's lock on the
//! file: nobody can write, or take anything over, until it goes on or dies.
//!
//! [`Options::silence`]: crate::Options::silence

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adjutant_core::{Code, Error, Result};

/// How often a worker beats in the time after which it is taken to hang.
const BEATS: u32 = 10;

/// How long a worker waits between two beats, given after how long without one it is taken to hang.
pub(crate) fn beat(silence: Duration) -> Duration {
    silence / BEATS
}

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

/// Where a worker tells what passes by in its process.
#[cfg(unix)]
pub(crate) fn socket(store: &Path, worker: i64) -> PathBuf {
    with_socket(&path(store, worker))
}

fn with_socket(lock: &Path) -> PathBuf {
    let mut name = lock.as_os_str().to_owned();
    name.push(".socket");
    PathBuf::from(name)
}

/// How a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    Alive,
    /// It holds its lock, and has not beaten for too long.
    Silent,
    /// Its process is gone.
    Gone,
}

/// What a watcher remembers of other workers.
pub(crate) struct Watch {
    silence: Duration,
    beats: HashMap<i64, (i64, Instant)>,
}

impl Watch {
    /// Begins to watch; a worker that does not beat for `silence` is taken to hang.
    pub(crate) fn new(silence: Duration) -> Self {
        Self { silence, beats: HashMap::new() }
    }

    /// How a worker is, given its last beat.
    pub(crate) fn pulse(&mut self, store: Option<&Path>, worker: i64, beat: i64) -> Pulse {
        if store.is_some_and(|store| !is_locked(&path(store, worker))) {
            self.beats.remove(&worker);
            return Pulse::Gone;
        }
        let now = Instant::now();
        let (last, seen) = self.beats.entry(worker).or_insert((beat, now));
        if *last != beat {
            (*last, *seen) = (beat, now);
        }
        if now.duration_since(*seen) > self.silence { Pulse::Silent } else { Pulse::Alive }
    }
}

/// Whether the process of a worker is gone.
pub(crate) fn is_gone(store: &Path, worker: i64) -> bool {
    !is_locked(&path(store, worker))
}

fn is_locked(path: &Path) -> bool {
    let file = match File::open(path) {
        Ok(file) => file,
        // Only what is not there is let go; a process that cannot open files must not take over all the others'.
        Err(error) => return error.kind() != std::io::ErrorKind::NotFound,
    };
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_file(with_socket(path));
            false
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_gone_when_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.db");
        let lease = Lease::take(&store, 7).unwrap();
        let mut watch = Watch::new(Duration::from_secs(20));
        assert_eq!(watch.pulse(Some(&store), 7, 0), Pulse::Alive);
        assert!(Lease::take(&store, 7).is_err());
        drop(lease);
        assert_eq!(watch.pulse(Some(&store), 7, 0), Pulse::Gone);
        assert_eq!(watch.pulse(Some(&store), 8, 0), Pulse::Gone);
    }

    #[test]
    fn a_worker_that_does_not_beat_is_silent_until_it_beats() {
        let mut watch = Watch::new(Duration::ZERO);
        let mut pulse = |beat| {
            std::thread::sleep(Duration::from_millis(1));
            watch.pulse(None, 7, beat)
        };
        assert_eq!(
            [pulse(0), pulse(0), pulse(1), pulse(1)],
            [Pulse::Alive, Pulse::Silent, Pulse::Alive, Pulse::Silent]
        );
    }
}
