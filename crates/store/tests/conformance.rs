//! The embedded engine keeps what every engine promises.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::id::Scope;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_durable::conformance::{Harness, Instance};
use adjutant_durable::{Directory, Engine, Host, Serve};
use adjutant_store::{Options, Store, SystemClock};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The machine's clock, moved forward.
#[derive(Clone, Default)]
struct MovedClock(Arc<AtomicI64>);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }
}

/// A file in a folder of its own.
struct File {
    folder: TempDir,
    clock: MovedClock,
}

impl File {
    fn fresh() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: MovedClock::default() }
    }
}

impl Harness for File {
    type Instance = Process;

    async fn open(&self, owner: Scope) -> Result<Process> {
        let path = self.folder.path().join("a.db");
        let options = Options { clock: Arc::new(self.clock.clone()), ..Options::default() };
        let store = Store::open(&path, options)?;
        Ok(Process {
            engine: store.engine(owner),
            directory: store.directory(),
            path,
            serving: Mutex::default(),
        })
    }

    async fn pass(&self, time: Duration) -> Result<()> {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        Ok(())
    }
}

/// What one process would have of the file.
struct Process {
    engine: Arc<dyn Engine>,
    directory: Arc<dyn Directory>,
    path: PathBuf,
    serving: Mutex<Option<Serving>>,
}

struct Serving {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
    /// The locks of the workers that were there before.
    others: BTreeSet<PathBuf>,
}

/// The locks of workers beside a store.
fn locks(store: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(store.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("-worker-")).collect()
}

impl Instance for Process {
    fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine)
    }

    fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.directory)
    }

    fn serve(&self, host: Arc<dyn Host>) {
        let (stop, others) = (CancellationToken::new(), locks(&self.path));
        let task = tokio::spawn(self.engine.serve(host, Serve::All, stop.clone()));
        *self.serving.lock().unwrap() = Some(Serving { stop, task, others });
    }

    async fn stop(self) -> Result<()> {
        let serving = self.serving.lock().unwrap().take();
        let Some(serving) = serving else { return Ok(()) };
        serving.stop.cancel();
        serving.task.await.unwrap()
    }

    async fn crash(self) -> Result<()> {
        let serving = self.serving.lock().unwrap().take();
        if let Some(serving) = serving {
            serving.task.abort();
            let _ = serving.task.await;
        }
        Ok(())
    }

    async fn lapse(&self) -> Result<()> {
        let others = self.serving.lock().unwrap().as_ref().map(|serving| serving.others.clone());
        let Some(others) = others else { return Ok(()) };
        loop {
            // Without its lock a worker is dead to the others, whatever it still does.
            if let Some(lock) = locks(&self.path).difference(&others).next() {
                std::fs::remove_file(lock).unwrap();
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

adjutant_durable::conformance_suite!(File::fresh());
