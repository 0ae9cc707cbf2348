//! Appending to a journal, behind the fence of an epoch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Amount, Entry, Letter, Mail, Moment, Record, RunState, Stopwatch};
use rusqlite::{Connection, params};
use tokio::sync::watch;

use crate::chain::{self, HASH};
use crate::codec::Encoded;
use crate::connection::fault;
use crate::owed::Unlinked;
use crate::session::Grant;
use crate::store::Owner;
use crate::writer::Writer;
use crate::{budget, claim};

/// What an append does beside the records, in the same transaction.
pub(crate) enum Also {
    /// Mail took effect.
    Take(i64),
    /// A run is started by this one.
    Start(Box<Admission>),
    /// Another run is sent something.
    Send(RunId, Mail),
    /// An amount is set aside for a step, if there is room; whether there was is told before it is on disk.
    Reserve(StepKey, Amount, Grant),
    /// A step took so much; all that was set aside for it where it cannot say.
    Settle(StepKey, Option<Amount>),
    /// The run is let go. If mail came that this worker has not seen, it is ready at once; if it is over, what was said to
    /// it and not read is recorded before its end.
    Release {
        /// How it stands now.
        state: RunState,
        /// When a timer wakes it.
        wake_at: Option<Timestamp>,
        /// The last piece of mail that this worker has seen.
        seen: i64,
        /// Why it halted.
        halted: Option<Error>,
    },
    /// A new segment begins with the record after this one.
    Segment {
        /// Active milliseconds so far.
        active_ms: u64,
    },
}

/// A piece of work for the writer.
pub(crate) struct Append {
    owner: Arc<Owner>,
    records: Vec<Encoded>,
    also: Vec<Also>,
    segment: u32,
    at: Timestamp,
    number: u64,
    progress: watch::Sender<Progress>,
}

/// How much of what was appended is on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// How many appends are.
    durable: u64,
    /// Why nothing more will be.
    error: Option<Error>,
}

/// Why an append is not written.
pub(crate) enum Unwritten {
    /// It is refused; what else is in the transaction is not concerned.
    Alone(Error),
    /// The transaction cannot be kept.
    Transaction(Error),
}

impl Unwritten {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Alone(error) | Self::Transaction(error) => error,
        }
    }
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::Transaction(error)
    }
}

impl Append {
    /// Writes it within the current transaction. `fences` remembers, for this transaction, which epochs hold. Returns what is to be
    /// linked.
    pub(crate) fn write(
        &self,
        connection: &Connection,
        fences: &mut HashMap<(i64, u64), bool>,
    ) -> Result<Option<Unlinked>, Unwritten> {
        let owner = &self.owner;
        // Written after one that was lost, it would leave a gap in the journal.
        if let Some(error) = &self.progress.borrow().error {
            return Err(Unwritten::Alone(error.clone()));
        }
        let holds = match fences.get(&(owner.row, owner.epoch)) {
            Some(holds) => *holds,
            None => connection
                .prepare_cached(
                    "UPDATE runs SET updated = ?3 WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
                )
                .and_then(|mut update| update.execute(params![owner.row, owner.epoch, self.at.0]))
                .map_err(fault)?
                .eq(&1),
        };
        let releases = self.also.iter().any(|also| matches!(also, Also::Release { .. }));
        fences.insert((owner.row, owner.epoch), holds && !releases);
        if !holds {
            return Err(Unwritten::Alone(fenced(&owner.run)));
        }
        let mut hashes = Vec::with_capacity(self.records.len() * HASH);
        let unread = if self.ends() { self.record_unread(connection, &mut hashes)? } else { 0 };
        for record in &self.records {
            let hash = record.insert(connection, &owner.scope.tenant, (owner.row, &owner.run), unread)?;
            hashes.extend(hash.as_bytes());
        }
        let mut first = self.records.first().map(|record| record.offset);
        if self.starts()
            && let Some(first) = first.take()
        {
            chain::records(connection, &owner.scope, &owner.run, (first, &hashes), self.at)?;
        }
        for also in &self.also {
            self.write_also(connection, also)?;
        }
        Ok(first.map(|first| Unlinked { owner: Arc::clone(owner), first, hashes, at: self.at }))
    }

    /// Whether it starts another run: then its link is made at once, before that of the other.
    pub(crate) fn starts(&self) -> bool {
        self.also.iter().any(|also| matches!(also, Also::Start(_)))
    }

    /// Whether the run is over with this.
    fn ends(&self) -> bool {
        self.also.iter().any(|also| matches!(also, Also::Release { state: RunState::Ended, .. }))
    }

    /// Records what was said to the run and what its code has not read, before its end: nobody's words are lost, also not
    /// of those who spoke after the run last looked. Whoever comes later is told that it is over. Returns how many
    /// records that makes.
    fn record_unread(&self, connection: &Connection, hashes: &mut Vec<u8>) -> Result<u64> {
        let owner = &self.owner;
        let Some(first) = self.records.first().map(|record| record.offset) else { return Ok(0) };
        let mut recorded = 0;
        for mail in claim::mail(connection, owner.row, 0)? {
            if let Letter::Message { .. } = mail.letter {
                let entry = Entry::Received(mail.letter);
                let record = Record { offset: first, segment: self.segment, at: self.at, entry };
                let of = (owner.row, &owner.run);
                let hash = Encoded::of(&record)?.insert(connection, &owner.scope.tenant, of, recorded)?;
                hashes.extend(hash.as_bytes());
                self.write_also(connection, &Also::Take(mail.id))?;
                recorded += 1;
            }
        }
        Ok(recorded)
    }

    /// Refuses what the same activation appends after this: it would leave a gap in the journal.
    pub(crate) fn refuse_the_rest(&self, fences: &mut HashMap<(i64, u64), bool>) {
        fences.insert((self.owner.row, self.owner.epoch), false);
    }

    fn write_also(&self, connection: &Connection, also: &Also) -> Result<()> {
        let owner = &self.owner;
        match also {
            Also::Take(mail) => connection
                .prepare_cached("UPDATE mail SET taken = 1 WHERE id = ?1")
                .and_then(|mut update| update.execute([mail]))
                .map(drop)
                .map_err(fault),
            Also::Start(admission) => claim::admit(connection, &owner.scope, admission, self.at).map(drop),
            Also::Send(run, mail) => match claim::post(connection, &owner.scope, run, mail, self.at) {
                // It is over, or erased; nobody is there to hear it.
                Err(error) if matches!(error.code(), Code::Conflict | Code::NotFound) => Ok(()),
                result => result.map(drop),
            },
            Also::Reserve(key, amount, granted) => {
                let room = budget::reserve(connection, owner, (self.segment, key), *amount, self.at)?;
                granted.get_or_init(|| room);
                Ok(())
            }
            Also::Settle(key, spent) => {
                budget::settle(connection, owner, (self.segment, key), *spent, self.at)
            }
            Also::Release { state, wake_at, seen, halted } => {
                let halted = halted.as_ref().map(serde_json::to_string).transpose().unwrap_or_default();
                connection
                    .prepare_cached(
                        "UPDATE runs SET worker = NULL, wake_at = ?3, halted = ?4, state = CASE
                           WHEN ?2 <> 'ended' AND EXISTS
                             (SELECT 1 FROM mail WHERE run = ?1 AND taken = 0 AND id > ?5) THEN 'ready'
                           ELSE ?2 END
                         WHERE id = ?1",
                    )
                    .and_then(|mut update| {
                        update.execute(params![
                            owner.row,
                            state.as_str(),
                            wake_at.map(|at| at.0),
                            halted,
                            seen
                        ])
                    })
                    .map(drop)
                    .map_err(fault)
            }
            Also::Segment { active_ms } => {
                let start = self.records.last().map_or(0, |record| record.offset + 1);
                connection
                    .prepare_cached(
                        "UPDATE runs SET segment = ?2, segment_start = ?3, segment_active = ?4 WHERE id = ?1",
                    )
                    .and_then(|mut update| {
                        update.execute(params![owner.row, self.segment + 1, start, active_ms])
                    })
                    .map(drop)
                    .map_err(fault)
            }
        }
    }

    /// Tells how it came out.
    pub(crate) fn acknowledge(self, written: Result<()>) {
        self.progress.send_modify(|progress| match written {
            Ok(()) => progress.durable = self.number,
            Err(error) => progress.error = progress.error.take().or(Some(error)),
        });
        self.owner.bell.committed();
        if self.also.iter().any(|also| matches!(also, Also::Release { .. })) {
            self.owner.bell.stood();
        }
    }
}

fn fenced(run: &RunId) -> Error {
    Error::new(Code::RunFenced, format!("another process has taken over the run `{run}`"))
}

/// Appends to the journal of one run, as one of its activations.
pub(crate) struct Appender {
    owner: Arc<Owner>,
    writer: Writer,
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
}

struct State {
    offset: u64,
    appends: u64,
    segment: u32,
    /// The wall-clock time at which this activation began, and the same by the clock that never jumps.
    began: (Timestamp, Instant),
    /// Sees every record in the order of the journal, so that a replay measures the same time.
    stopwatch: Stopwatch,
}

impl State {
    /// Within an activation time passes by the clock that never jumps, and never goes back.
    fn now(&self) -> Timestamp {
        self.began.0.plus(self.began.1.elapsed()).max(self.stopwatch.moment().at)
    }
}

impl Appender {
    /// Begins after what is recorded: `offset` is the first free one, `last` the time of the last record,
    /// `stopwatch` has seen them all.
    pub(crate) fn new(
        owner: Arc<Owner>,
        writer: Writer,
        clock: &dyn Clock,
        offset: u64,
        segment: u32,
        last: Timestamp,
        stopwatch: Stopwatch,
    ) -> Self {
        let began = (clock.now().max(last), Instant::now());
        let state = Mutex::new(State { offset, appends: 0, segment, began, stopwatch });
        Self { owner, writer, state, progress: watch::channel(Progress::default()).0 }
    }

    /// Whose journal it is.
    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// Appends entries, and does something beside them, in one transaction. Returns at once, with the moment of the
    /// last record and the number of this append, which [`Self::durable`] waits for.
    pub(crate) fn append(&self, entries: &[Entry], also: Vec<Also>) -> Result<(Moment, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.now();
        let segment = state.segment;
        let mut records = Vec::with_capacity(entries.len());
        for (entry, offset) in entries.iter().zip(state.offset..) {
            records.push(Encoded::of(&Record { offset, segment, at, entry: entry.clone() })?);
        }
        state.offset += entries.len() as u64;
        for entry in entries {
            state.stopwatch.observe(at, entry);
        }
        let moment = state.stopwatch.moment();
        if also.iter().any(|also| matches!(also, Also::Segment { .. })) {
            state.segment += 1;
        }
        state.appends += 1;
        let number = state.appends;
        // Sent under the lock, so that the order in the queue is the order of the offsets.
        self.writer.append(Append {
            owner: Arc::clone(&self.owner),
            records,
            also,
            segment,
            at,
            number,
            progress: self.progress.clone(),
        });
        Ok((moment, number))
    }

    /// Waits until an append and all before it are on disk. Fails if that will never be.
    pub(crate) async fn durable(&self, number: u64) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let progress = progress
            .wait_for(|progress| progress.error.is_some() || progress.durable >= number)
            .await
            .map_err(|_| Error::new(Code::StoreUnavailable, "the store was closed"))?;
        progress.error.clone().map_or(Ok(()), Err)
    }

    /// Waits until something that was appended could not be written, and says why.
    pub(crate) async fn failed(&self) -> Error {
        let mut progress = self.progress.subscribe();
        let failed = progress.wait_for(|progress| progress.error.is_some()).await;
        match failed.ok().and_then(|progress| progress.error.clone()) {
            Some(error) => error,
            // It has the sender itself, so that nobody else can close it.
            None => std::future::pending().await,
        }
    }

    /// Fails if something that was appended could not be written.
    pub(crate) fn check(&self) -> Result<()> {
        self.progress.borrow().error.clone().map_or(Ok(()), Err)
    }

    /// The wall-clock time now, never before the last record.
    pub(crate) fn now(&self) -> Timestamp {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).now()
    }

    /// Takes the time on to a deadline that the wall clock has passed and the steady clock has not: the machine slept, or
    /// its clock was set.
    pub(crate) fn reach(&self, deadline: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.now() < deadline {
            state.began = (deadline, Instant::now());
        }
    }

    /// The moment of the last record.
    pub(crate) fn moment(&self) -> Moment {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopwatch.moment()
    }
}
