//! An engine in this process that serves, and ways for it to end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_durable::{Admission, Ctx, Engine, Host, Outcome, Program, RunInfo, RunState, Serve};
use adjutant_store::{Options, Store};
use futures::future::BoxFuture;
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

/// One program for every run.
pub(crate) struct Code<F>(pub(crate) F);

impl<F, R> Host for Code<F>
where
    F: Fn(Ctx) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    fn program<'a>(&'a self, _: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let code = self.0.clone();
        Box::pin(async move {
            let program: Program = Arc::new(move |ctx, _| Box::pin(code(ctx)));
            Ok(program)
        })
    }
}

/// What a run of [`Code`] is started with.
pub(crate) fn admission(number: u64) -> Admission {
    Admission::new(run_id(number), "test", "test", Digest::of(b""), Json::null())
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
        assert!(info.state != RunState::Halted || state == RunState::Halted, "halted: {info:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not {state:?} within ten seconds: {:?}", engine.info(run).await.unwrap());
}
