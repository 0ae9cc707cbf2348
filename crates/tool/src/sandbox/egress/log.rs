//! [`Log`]: what a sandbox was refused, and how much it has moved.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// How many refusals are told; a program that tries every port is told enough by these.
const MOST: usize = 20;

/// Where refusals are told as they happen.
pub type Sink = std::sync::Arc<dyn Fn(String) + Send + Sync>;

/// What a sandbox was refused, and how much it has moved.
#[derive(Default)]
pub(in crate::sandbox) struct Log {
    refused: Mutex<BTreeSet<String>>,
    sink: OnceLock<Sink>,
    moved: AtomicU64,
    most: u64,
}

impl Log {
    pub(super) fn new(most: u64) -> Self {
        Self { most, ..Self::default() }
    }

    /// Tells every refusal from now on. The first listener stays.
    pub(in crate::sandbox) fn listen(&self, sink: Sink) {
        let _ = self.sink.set(sink);
    }

    /// Notes a refusal; the same one is told once.
    pub(super) fn refuse(&self, what: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = refused.len() < MOST && refused.insert(what.to_owned());
        drop(refused);
        if let (true, Some(sink)) = (is_new, self.sink.get()) {
            sink(what.to_owned());
        }
    }

    /// All that was refused.
    pub(in crate::sandbox) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Counts bytes that were moved. False when that is more than may be.
    pub(super) fn moves(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.moved.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.most;
        if !fits {
            self.refuse(&format!("more than {} bytes were sent and received", self.most));
        }
        fits
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("refused", &self.refused)
            .field("moved", &self.moved)
            .finish_non_exhaustive()
    }
}
