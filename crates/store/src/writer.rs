//! The writer: one thread that commits everything that waits in one transaction.
//!
//! A commit with `synchronous = FULL` costs a sync to disk. While it lasts, new work gathers in the queue, and the next
//! commit takes all of it; so the cost of a sync is shared by as many runs as are busy.

use std::collections::HashMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use adjutant_core::{Code, Error, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::append::Append;
use crate::connection::fault;

/// How long the writer tries while another process holds the lock.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most jobs of one transaction: a bound on how long the first of them waits.
const BATCH: usize = 2_000;

/// What happens after the commit.
type Acknowledge = Box<dyn FnOnce(Result<()>) + Send>;

/// Some work within the transaction, if there is one; it returns what to do after the commit.
type Call = Box<dyn FnOnce(Result<&Connection>) -> Acknowledge + Send>;

enum Job {
    Append(Box<Append>),
    Call(Call),
}

/// Hands work to the writer's thread. The thread ends when the last of these is gone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(connection: Connection) -> Result<Self> {
        let (queue, jobs) = mpsc::channel();
        std::thread::Builder::new()
            .name("adjutant-writer".to_owned())
            .spawn(move || work(&connection, &jobs))
            .map_err(|error| {
                Error::new(Code::StoreUnavailable, "the writer cannot start").caused_by(&error)
            })?;
        Ok(Self { queue })
    }

    /// Appends to a journal. The outcome goes to the progress of the append.
    pub(crate) fn append(&self, append: Append) {
        if let Err(mpsc::SendError(Job::Append(append))) = self.queue.send(Job::Append(Box::new(append))) {
            append.acknowledge(&Err(gone()));
        }
    }

    /// Does something within the next transaction, and gives its result once that is on disk. If it fails, what it
    /// did is undone, without harm to what others did in the same transaction.
    pub(crate) async fn call<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call: Call = Box::new(move |connection| {
            let result = connection.and_then(|connection| within_savepoint(connection, work));
            Box::new(move |committed| {
                // Nobody may be waiting any more; the work is done all the same.
                let _ = answer.send(committed.and(result));
            })
        });
        self.queue.send(Job::Call(call)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Writer {
    /// Makes a run ready for others that an activation held; nobody waits for it.
    pub(crate) fn let_go(&self, row: i64, epoch: u64) {
        let call: Call = Box::new(move |connection| {
            let freed = connection.and_then(|connection| {
                connection
                    .execute(
                        "UPDATE runs SET state = 'ready', worker = NULL
                         WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
                        rusqlite::params![row, epoch],
                    )
                    .map_err(fault)
            });
            // If it cannot be written now, the run is taken over when this process ends.
            Box::new(move |_| drop(freed))
        });
        let _ = self.queue.send(Job::Call(call));
    }
}

fn gone() -> Error {
    Error::new(Code::StoreUnavailable, "the store was closed")
}

fn within_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.execute_batch("SAVEPOINT call").map_err(fault)?;
    let result = work(connection);
    let end = if result.is_ok() { "RELEASE call" } else { "ROLLBACK TO call; RELEASE call" };
    connection.execute_batch(end).map_err(fault)?;
    result
}

fn work(connection: &Connection, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        commit(connection, batch);
    }
    // Leaves a small file behind: what is in the log goes to the main file.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

fn commit(connection: &Connection, batch: Vec<Job>) {
    let begun = begin(connection);
    let mut acknowledge: Vec<Acknowledge> = Vec::with_capacity(batch.len());
    let mut failed = begun.err();
    let mut fences = HashMap::new();
    for job in batch {
        match job {
            Job::Append(append) if failed.is_none() => {
                let written = append.write(connection, &mut fences);
                match written {
                    Ok(()) => acknowledge.push(Box::new(move |committed| append.acknowledge(&committed))),
                    Err(error) => {
                        if error.code() != Code::RunFenced {
                            failed = Some(error.clone());
                        }
                        acknowledge
                            .push(Box::new(move |committed| append.acknowledge(&committed.and(Err(error)))));
                    }
                }
            }
            Job::Append(append) => {
                acknowledge.push(Box::new(move |committed| append.acknowledge(&committed)));
            }
            Job::Call(call) => acknowledge.push(call(failed.clone().map_or(Ok(connection), Err))),
        }
    }
    let committed = match failed {
        None => connection.execute_batch("COMMIT").map_err(fault),
        Some(error) => Err(error),
    };
    if committed.is_err() {
        // After some errors SQLite has already rolled back, and says so; either way nothing is left of the batch.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for acknowledge in acknowledge {
        acknowledge(committed.clone());
    }
}

fn begin(connection: &Connection) -> Result<()> {
    let begun = Instant::now();
    loop {
        match connection.execute_batch("BEGIN IMMEDIATE").map_err(fault) {
            Err(error) if error.code() == Code::StoreUnavailable && begun.elapsed() < PATIENCE => {}
            result => return result,
        }
    }
}
