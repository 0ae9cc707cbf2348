//! The writer: one thread that commits everything that waits in one transaction.
//!
//! A commit with `synchronous = FULL` costs a sync to disk. While it lasts, new work gathers in the queue, and the next
//! commit takes all of it; so the cost of a sync is shared by as many runs as are busy.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use adjutant_core::error::Retry;
use adjutant_core::{Code, Error, Result};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::append::{Append, Unwritten};
use crate::connection::{fault, is_busy};
use crate::owed::Owed;

/// How long the writer tries while another process holds the lock.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a run that could not be let go of is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The most jobs of one transaction: a bound on how long the first of them waits.
const BATCH: usize = 2_000;

/// What happens after the commit.
type Acknowledge = Box<dyn FnOnce(Result<()>) + Send>;

/// Some work within the transaction, if there is one; it returns what to do after the commit, and the error that broke
/// the transaction, if one did.
type Call = Box<dyn FnOnce(Result<&Connection>) -> (Acknowledge, Option<Error>) + Send>;

enum Job {
    Append(Box<Append>),
    Call(Call),
    LetGo(Held),
    Checkpoint(oneshot::Sender<Result<()>>),
}

/// A run that an activation held, and holds no more.
struct Held {
    row: i64,
    epoch: u64,
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
            append.acknowledge(Err(gone()));
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
            let result = connection.clone().and_then(|connection| within_savepoint(connection, work));
            let broken = match (&connection, &result) {
                (Ok(connection), Err(error)) if connection.is_autocommit() => Some(error.clone()),
                _ => None,
            };
            let acknowledge = move |committed: Result<()>| {
                // Nobody may be waiting any more; the work is done all the same.
                let _ = answer.send(committed.and(result));
            };
            (Box::new(acknowledge), broken)
        });
        self.queue.send(Job::Call(call)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Writer {
    /// Empties the log into the file, so that nothing is left in it of what was deleted. Waits for those who read; what
    /// they still need stays in the log until the next time.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job::Checkpoint(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Makes a run ready for others that an activation held; nobody waits for it. It is tried until it is done.
    pub(crate) fn let_go(&self, row: i64, epoch: u64) {
        // If the writer is gone, so is this process for others, and they take its runs over.
        let _ = self.queue.send(Job::LetGo(Held { row, epoch }));
    }
}

fn gone() -> Error {
    Error::new(Code::StoreUnavailable, "the store was closed")
}

fn within_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.execute_batch("SAVEPOINT call").map_err(fault)?;
    let result = work(connection);
    if result.is_err() && connection.is_autocommit() {
        // SQLite has rolled everything back by itself, as it does after some errors; there is no savepoint any more.
        return result;
    }
    let end = if result.is_ok() { "RELEASE call" } else { "ROLLBACK TO call; RELEASE call" };
    connection.execute_batch(end).map_err(fault)?;
    result
}

fn work(connection: &Connection, jobs: &mpsc::Receiver<Job>) {
    let mut held = Vec::new();
    loop {
        let first = if held.is_empty() {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(AGAIN)
        };
        if matches!(first, Err(RecvTimeoutError::Disconnected)) {
            break;
        }
        let mut batch: Vec<Job> = first.into_iter().collect();
        while batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        commit(connection, batch, &mut held);
    }
    // Leaves a small file behind: what is in the log goes to the main file.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

/// Commits a batch, and with it lets go of the runs that are held.
fn commit(connection: &Connection, batch: Vec<Job>, held: &mut Vec<Held>) {
    let mut acknowledge: Vec<Acknowledge> = Vec::with_capacity(batch.len());
    let mut failed = begin(connection).err();
    let mut fences = HashMap::new();
    let mut owed = Owed::default();
    let mut checkpoints = Vec::new();
    for job in batch {
        match job {
            Job::Append(append) => {
                let written = match &failed {
                    Some(error) => Err(Unwritten::Alone(error.clone())),
                    None => write(connection, &append, &mut fences, &mut owed),
                };
                if let Err(Unwritten::Transaction(error)) = &written {
                    failed = Some(error.clone());
                }
                let written = written.map_err(Unwritten::into_error);
                acknowledge.push(Box::new(move |committed| append.acknowledge(committed.and(written))));
            }
            Job::Call(call) => {
                // It may add to the chain, or end what is in it.
                failed = failed.or_else(|| owed.settle(connection).err());
                let (then, broken) = call(failed.clone().map_or(Ok(connection), Err));
                acknowledge.push(then);
                failed = failed.or(broken);
            }
            Job::LetGo(run) => held.push(run),
            Job::Checkpoint(answer) => checkpoints.push(answer),
        }
    }
    let committed = match failed {
        None => owed
            .settle(connection)
            .and_then(|()| let_go(connection, held))
            .and_then(|()| connection.execute_batch("COMMIT").map_err(fault)),
        Some(error) => Err(error),
    };
    match &committed {
        Ok(()) => held.clear(),
        // After some errors SQLite has already rolled back, and says so; either way nothing is left of the batch.
        Err(_) => {
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    for acknowledge in acknowledge {
        acknowledge(committed.clone());
    }
    if !checkpoints.is_empty() {
        let done = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(fault);
        for answer in checkpoints {
            let _ = answer.send(done.clone());
        }
    }
}

/// Writes an append. One whose data cannot be written is undone by itself; others must not suffer for it.
fn write(
    connection: &Connection,
    append: &Append,
    fences: &mut HashMap<(i64, u64), bool>,
    owed: &mut Owed,
) -> Result<(), Unwritten> {
    let run = |statement| {
        let done = connection.prepare_cached(statement).and_then(|mut statement| statement.execute([]));
        done.map(drop).map_err(fault)
    };
    if append.starts() {
        owed.settle(connection)?;
    }
    run("SAVEPOINT append")?;
    match append.write(connection, fences) {
        Err(Unwritten::Transaction(error))
            if error.code().retry() == Retry::Never && !connection.is_autocommit() =>
        {
            run("ROLLBACK TO append")?;
            run("RELEASE append")?;
            append.refuse_the_rest(fences);
            Err(Unwritten::Alone(error))
        }
        Err(Unwritten::Transaction(error)) => Err(Unwritten::Transaction(error)),
        written => {
            run("RELEASE append")?;
            if let Some(unlinked) = written? {
                owed.take(unlinked);
            }
            Ok(())
        }
    }
}

fn let_go(connection: &Connection, held: &[Held]) -> Result<()> {
    let free =
        "UPDATE runs SET state = 'ready', worker = NULL WHERE id = ?1 AND epoch = ?2 AND state = 'running'";
    held.iter().try_for_each(|Held { row, epoch }| {
        connection
            .prepare_cached(free)
            .and_then(|mut update| update.execute(params![row, epoch]))
            .map(drop)
            .map_err(fault)
    })
}

fn begin(connection: &Connection) -> Result<()> {
    let begun = Instant::now();
    loop {
        match connection.execute_batch("BEGIN IMMEDIATE") {
            // SQLite itself waits for a while before it says so.
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {}
            result => return result.map_err(fault),
        }
    }
}
