//! In the place of `relay` where there are no sockets that only one user can open: pieces are heard in the process
//! that drives their run, and everywhere else what was said is in the journal once the step is over.

use std::path::Path;
use std::sync::Arc;

use adjutant_core::id::{RunId, Scope};
use adjutant_durable::stream::{Delta, Hub};
use tokio::sync::OwnedSemaphorePermit;

/// How many would be heard.
pub(crate) const MOST: usize = 0;

/// Tells nobody anything.
pub(crate) struct Speaker;

impl Speaker {
    /// Nobody can listen.
    pub(crate) fn listen(_: &Path, _: i64, _: Arc<Hub>) -> Option<Self> {
        None
    }
}

/// Hears nothing.
pub(crate) struct Listening {
    /// The worker.
    pub(crate) worker: i64,
}

impl Listening {
    pub(crate) fn to(_: &Path, worker: i64, _: &Scope, _: &RunId, _: OwnedSemaphorePermit) -> Self {
        Self { worker }
    }

    /// Nothing has come.
    pub(crate) fn read(&mut self) -> Vec<Delta> {
        Vec::new()
    }

    /// Nothing ever comes.
    pub(crate) async fn next(&mut self) -> Delta {
        std::future::pending().await
    }
}
