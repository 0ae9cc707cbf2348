//! [`Store`]: one file, opened once by each process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use adjutant_core::id::{RunId, Scope};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::Hub;
use adjutant_durable::{Amount, Directory, Engine};
use rusqlite::{Connection, params};
use tokio::sync::{Notify, Semaphore, watch};

use crate::clock::SystemClock;
use crate::connection::{self, Place, fault};
use crate::directory::SqliteDirectory;
use crate::engine::SqliteEngine;
use crate::folder;
use crate::lease::{self, Lease};
use crate::relay::{self, Speaker};
use crate::schema;
use crate::writer::Writer;

/// How many connections read at a time: each has a thread and a cache.
const READERS: usize = 4;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// How many runs one process drives at a time.
    pub most_runs: usize,
    /// After how long without a sign of life the runs of a process that hangs are taken over by another. A process
    /// that died is noticed at once. Every process on one file must be given the same.
    pub silence: Duration,
    /// How long a worker that is told to stop waits for what is at work and could be done again, such as a call to a model, so that
    /// it is recorded and need not be. What must not be repeated it waits for anyway.
    pub patience: Duration,
    /// The name of another SQLite virtual file system, for tests that make the disk fail.
    pub vfs: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            most_runs: 1_000,
            silence: Duration::from_secs(20),
            patience: Duration::ZERO,
            vfs: None,
        }
    }
}

/// Runs and their journals. Cheap to clone; a clone is the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl Store {
    /// Opens a file, and makes it and its folder if they are not there. Fails with [`Code::StoreNewer`] if a newer
    /// version wrote it.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let path = path.as_ref();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            folder::make(folder).map_err(|error| {
                Error::new(
                    Code::StoreUnavailable,
                    format!("the folder `{}` cannot be made", folder.display()),
                )
                .caused_by(&error)
            })?;
        }
        Self::start(Place::File(path.to_owned()), options)
    }

    /// A store in the memory of this process: for runs that need not outlive it.
    pub fn in_memory() -> Result<Self> {
        Self::start(Place::Memory, Options::default())
    }

    fn start(place: Place, options: Options) -> Result<Self> {
        let mut connection = connection::open_writer(&place, options.vfs.as_deref())?;
        let name = match &place {
            Place::File(path) => path.display().to_string(),
            Place::Memory => ":memory:".to_owned(),
        };
        schema::migrate(&mut connection, &name)?;
        let writer = Writer::start(connection)?;
        let most_staying = (options.most_runs / 4).min(Semaphore::MAX_PERMITS);
        Ok(Self(Arc::new(Inner {
            place,
            options,
            writer,
            readers: Mutex::default(),
            reading: Semaphore::new(READERS),
            staying: Arc::new(Semaphore::new(most_staying)),
            hub: Arc::default(),
            listening: Arc::new(Semaphore::new(relay::MOST)),
            bells: Mutex::default(),
            workers: Notify::new(),
            worker: tokio::sync::Mutex::default(),
            own: AtomicI64::new(0),
        })))
    }

    /// The engine of one tenant and project.
    pub fn engine(&self, scope: Scope) -> Arc<dyn Engine> {
        self.engine_within(scope, Daily::default())
    }

    /// The engine of one tenant and project, all of whose runs together may take so much on one day (UTC). A call that
    /// this has no room for is not made; a run is not started on a day on which nothing is left.
    pub fn engine_within(&self, scope: Scope, daily: Daily) -> Arc<dyn Engine> {
        Arc::new(SqliteEngine::new(Arc::clone(&self.0), scope, daily))
    }

    /// The keys of all tenants.
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(SqliteDirectory::new(Arc::clone(&self.0)))
    }

    /// The file; none for a store in memory.
    pub fn path(&self) -> Option<&Path> {
        self.0.path()
    }
}

/// What all runs of an engine together may take on one day, if that is bounded. Clones are the same one. A bound that is set anew
/// holds for each run from when it is next brought to life.
#[derive(Clone, Debug, Default)]
pub struct Daily(Arc<RwLock<Option<Amount>>>);

impl Daily {
    /// Sets the bound.
    pub fn set(&self, bound: Option<Amount>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = bound;
    }

    /// The bound of now.
    pub(crate) fn get(&self) -> Option<Amount> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rings when something came for a run, or something of it is on disk.
pub(crate) struct Bell {
    mail: watch::Sender<u64>,
    commits: watch::Sender<u64>,
    states: watch::Sender<u64>,
}

impl Bell {
    fn new() -> Self {
        Self { mail: watch::channel(0).0, commits: watch::channel(0).0, states: watch::channel(0).0 }
    }

    /// Tells that something came for the run.
    pub(crate) fn ring(&self) {
        self.mail.send_modify(|count| *count += 1);
    }

    /// Tells that something of the run is on disk.
    pub(crate) fn committed(&self) {
        self.commits.send_modify(|count| *count += 1);
    }

    /// Tells that the run stands otherwise than before.
    pub(crate) fn stood(&self) {
        self.states.send_modify(|count| *count += 1);
    }

    pub(crate) fn states(&self) -> watch::Receiver<u64> {
        self.states.subscribe()
    }

    pub(crate) fn mail(&self) -> watch::Receiver<u64> {
        self.mail.subscribe()
    }

    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }
}

/// Whose journal an activation writes.
pub(crate) struct Owner {
    pub(crate) row: i64,
    pub(crate) run: RunId,
    pub(crate) scope: Scope,
    pub(crate) epoch: u64,
    /// Whether the run, or the one that started it all, has an account.
    pub(crate) budgeted: bool,
    /// What all runs of the project may take on one day.
    pub(crate) daily: Option<Amount>,
    pub(crate) bell: Arc<Bell>,
}

impl Owner {
    /// Whether what the run takes must be set aside before.
    pub(crate) fn pays_ahead(&self) -> bool {
        self.budgeted || self.daily.is_some()
    }
}

/// A process as one that drives runs.
struct Worker {
    id: i64,
    /// How many services drive runs as this one.
    services: usize,
    // Dropped before the lock, which others take for a sign of life.
    _speaker: Option<Speaker>,
    _lease: Option<Lease>,
}

pub(crate) struct Inner {
    place: Place,
    pub(crate) options: Options,
    pub(crate) writer: Writer,
    readers: Mutex<Vec<Connection>>,
    reading: Semaphore,
    /// Places for runs that stay in memory though they could be let go: at most a quarter of all that are driven.
    pub(crate) staying: Arc<Semaphore>,
    pub(crate) hub: Arc<Hub>,
    /// Places for watchers who hear what is said in other processes.
    pub(crate) listening: Arc<Semaphore>,
    bells: Mutex<HashMap<(Scope, RunId), Weak<Bell>>>,
    workers: Notify,
    worker: tokio::sync::Mutex<Option<Worker>>,
    /// The worker that this process is, 0 where it is none.
    own: AtomicI64,
}

impl Inner {
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Memory => None,
        }
    }

    /// Reads something. Sees everything that was committed before.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let Some(path) = self.path().map(PathBuf::from) else { return self.writer.call(read).await };
        let inner = Arc::clone(self);
        // A task of its own: whoever asks may look away for long, as a watcher does that is slow, and must not hold the place of
        // others meanwhile, nor one in the queue for it.
        let task = tokio::spawn(async move {
            let closed = |_| Error::new(Code::StoreUnavailable, "the store was closed");
            let _permit = inner.reading.acquire().await.map_err(closed)?;
            let readers = Arc::clone(&inner);
            let task = tokio::task::spawn_blocking(move || {
                let idle = readers.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let connection = match idle {
                    Some(connection) => connection,
                    None => connection::open_reader(&path, readers.options.vfs.as_deref())?,
                };
                connection.execute_batch("BEGIN").map_err(fault)?;
                let result = read(&connection);
                // After some errors SQLite has ended the transaction by itself; what is to be told is that error.
                if !connection.is_autocommit() {
                    connection.execute_batch("COMMIT").map_err(fault)?;
                }
                readers.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                result
            });
            task.await.map_err(|error| broken_off(&error))?
        });
        task.await.map_err(|error| broken_off(&error))?
    }

    /// The bell of a run; it lives as long as somebody holds it.
    pub(crate) fn bell(&self, owner: &Scope, run: &RunId) -> Arc<Bell> {
        let key = (owner.clone(), run.clone());
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(&key).and_then(Weak::upgrade) {
            return bell;
        }
        if bells.len() > 64 && bells.len() > 2 * bells.values().filter(|bell| bell.strong_count() > 0).count()
        {
            bells.retain(|_, bell| bell.strong_count() > 0);
        }
        let bell = Arc::new(Bell::new());
        bells.insert(key, Arc::downgrade(&bell));
        bell
    }

    /// Tells whoever drives a run in this process that something came for it.
    pub(crate) fn ring(&self, owner: &Scope, run: &RunId) {
        let key = (owner.clone(), run.clone());
        let bell =
            self.bells.lock().unwrap_or_else(PoisonError::into_inner).get(&key).and_then(Weak::upgrade);
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    /// Tells the workers of this process that there may be a run to drive.
    pub(crate) fn wake_workers(&self) {
        self.workers.notify_waiters();
    }

    /// Waits until there may be a run to drive.
    pub(crate) fn work(&self) -> tokio::sync::futures::Notified<'_> {
        self.workers.notified()
    }

    /// Whether this process is that worker.
    pub(crate) fn is_worker(&self, id: i64) -> bool {
        self.own.load(Ordering::Relaxed) == id
    }

    /// Makes this process a worker, unless it is one already, until [`Self::discharge`].
    pub(crate) async fn enlist(&self) -> Result<i64> {
        let mut enlisted = self.worker.lock().await;
        if let Some(worker) = enlisted.as_mut() {
            worker.services += 1;
            return Ok(worker.id);
        }
        let started = self.options.clock.now();
        let id = self
            .writer
            .call(move |connection| {
                connection
                    .execute("INSERT INTO workers (started) VALUES (?1)", params![started.0])
                    .map_err(fault)?;
                Ok(connection.last_insert_rowid())
            })
            .await?;
        let lease = self.path().map(|path| Lease::take(path, id)).transpose()?;
        self.sweep(started).await?;
        let speaker = self.path().and_then(|path| Speaker::listen(path, id, Arc::clone(&self.hub)));
        *enlisted = Some(Worker { id, services: 1, _speaker: speaker, _lease: lease });
        self.own.store(id, Ordering::Relaxed);
        Ok(id)
    }

    /// Ends what [`Self::enlist`] began: a process that does not drive runs any more is no worker.
    pub(crate) async fn discharge(&self) {
        let mut enlisted = self.worker.lock().await;
        let Some(worker) = enlisted.as_mut() else { return };
        worker.services -= 1;
        if worker.services > 0 {
            return;
        }
        let id = worker.id;
        // A row that stays is forgotten by the next process that begins.
        let _ = self
            .writer
            .call(move |connection| {
                connection.execute("DELETE FROM workers WHERE id = ?1", [id]).map(drop).map_err(fault)
            })
            .await;
        self.own.store(0, Ordering::Relaxed);
        *enlisted = None;
    }

    /// Forgets workers of old whose process is gone and who left no run behind.
    async fn sweep(&self, now: Timestamp) -> Result<()> {
        let Some(path) = self.path().map(PathBuf::from) else { return Ok(()) };
        // A worker that has only just begun may not hold its lock yet.
        let before = now.minus(Duration::from_secs(60)).0;
        self.writer
            .call(move |connection| {
                let idle = "SELECT id FROM workers w WHERE started < ?1
                            AND NOT EXISTS (SELECT 1 FROM runs WHERE worker = w.id AND state = 'running')";
                let idle: Vec<i64> = connection
                    .prepare_cached(idle)
                    .and_then(|mut select| select.query_map([before], |row| row.get(0))?.collect())
                    .map_err(fault)?;
                for worker in idle.into_iter().filter(|worker| lease::is_gone(&path, *worker)) {
                    connection.execute("DELETE FROM workers WHERE id = ?1", [worker]).map_err(fault)?;
                }
                Ok(())
            })
            .await
    }
}

fn broken_off(error: &tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "a reading of the store broke off").caused_by(error)
}
