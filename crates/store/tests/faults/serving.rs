//! An engine in this process that serves, and ways for it to end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::id::{RunId, Scope};
use adjutant_durable::{Engine, Host, RunInfo, RunState, Serve};
use adjutant_store::{Options, Store};
use tokio_util::sync::CancellationToken;

/// An engine that drives runs.
pub(crate) struct Serving {
    pub(crate) engine: Arc<dyn Engine>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Serving {
    pub(crate) fn open(path: &Path, options: Options, host: Arc<dyn Host>) -> Result<Self> {
        let engine = Store::open(path, options)?.engine(Scope::default());
        Ok(Self::start(engine, host))
    }

    pub(crate) fn start(engine: Arc<dyn Engine>, host: Arc<dyn Host>) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(engine.serve(host, Serve::All, stop.clone())), engine, stop }
    }

    /// Ends in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends as if the process had died.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A run's id by its number.
pub(crate) fn run_id(number: u64) -> RunId {
    RunId::new(format!("{number:0>16}"))
}

/// Waits until a run is in a state; fails after ten seconds.
pub(crate) async fn until(engine: &Arc<dyn Engine>, run: &RunId, state: RunState) -> RunInfo {
    for _ in 0..2_000 {
        let info = engine.info(run).await.unwrap();
        if info.state == state {
            return info;
        }
        assert!(info.state != RunState::Halted, "halted: {info:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not {state:?} within ten seconds: {:?}", engine.info(run).await.unwrap());
}
