//! A worker: claims runs that can go on, and drives each until it ends, parks or halts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::error::Retry;
use adjutant_core::id::Scope;

use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Ctx, Entry, Host, Letter, Moment, Record, Replay, Serve, Session, drive};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::append::Appender;
use crate::claim::{self, Claimed};
use crate::connection::fault;
use crate::effects::guard;
use crate::fork;
use crate::lease::{self, Pulse, Watch};
use crate::session::{Activation, SqliteSession};
use crate::store::{Daily, Inner, Owner};

/// How often a worker looks for what other processes did: half of the time in which a signal must have crossed.
const LOOK: Duration = Duration::from_millis(50);

/// How often a worker looks for dead ones.
const ROUND: Duration = Duration::from_millis(500);

/// The longest wait before runs are claimed again after the store did not take it.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

pub(crate) struct Service {
    pub(crate) store: Arc<Inner>,
    pub(crate) scope: Scope,
    /// What all runs of the project may take on one day.
    pub(crate) daily: Daily,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) what: Serve,
    pub(crate) stop: CancellationToken,
}

impl Service {
    /// Drives runs until told to stop, then lets go of those it has.
    pub(crate) async fn run(mut self) -> Result<()> {
        // A token of its own: a service that fails stops its runs, and nobody else's.
        self.stop = self.stop.child_token();
        let store = Arc::clone(&self.store);
        let worker = store.enlist().await?;
        let result = self.serve(worker).await;
        store.discharge().await;
        result
    }

    async fn serve(self, worker: i64) -> Result<()> {
        // Before the first claim: an activation reads the mail that is there when it begins.
        let seen = self.store.read(claim::last_mail).await?;
        let service = Arc::new(self);
        let mut runs = JoinSet::new();
        let mut chores = JoinSet::new();
        chores.spawn(Arc::clone(&service).beat(worker));
        chores.spawn(Arc::clone(&service).bury(worker));
        chores.spawn(Arc::clone(&service).listen(seen));
        let result = service.claim_all(worker, &mut runs).await;
        service.stop.cancel();
        // Until the last run is let go this process beats, or its runs would be taken over, and hears its mail.
        while runs.join_next().await.is_some() {}
        chores.shutdown().await;
        result
    }

    async fn claim_all(self: &Arc<Self>, worker: i64, runs: &mut JoinSet<Result<()>>) -> Result<()> {
        let mut backoff = Duration::ZERO;
        while !self.stop.is_cancelled() {
            // Registered before looking, so that what comes meanwhile is not missed.
            let mut work = std::pin::pin!(self.store.work());
            work.as_mut().enable();
            while let Some(ended) = runs.try_join_next() {
                // Code that panicked is none of the store's: its run is ready again.
                ended.unwrap_or(Ok(()))?;
            }
            let timer = match self.claim_some(worker, runs).await {
                Ok(timer) => {
                    backoff = Duration::ZERO;
                    timer
                }
                Err(error) if self.is_awaited() => return Err(error),
                Err(_) => {
                    // A full disk or a lock that is held: what is not claimed now is claimed later. There is work,
                    // so a call to it is not waited for.
                    backoff = (backoff * 2).clamp(LOOK, LONGEST_BACKOFF);
                    tokio::select! {
                        () = tokio::time::sleep(backoff) => {}
                        () = self.stop.cancelled() => {}
                    }
                    continue;
                }
            };
            // The wall clock may be set; a timer must not wait for a time that has passed already.
            let timer = timer.map_or(ROUND, |timer| timer.min(ROUND));
            tokio::select! {
                () = work => {}
                () = tokio::time::sleep(timer) => {}
                () = self.stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Claims what can be driven now. Returns when the next timer fires.
    async fn claim_some(
        self: &Arc<Self>,
        worker: i64,
        runs: &mut JoinSet<Result<()>>,
    ) -> Result<Option<Duration>> {
        let most = self.store.options.most_runs.saturating_sub(runs.len());
        let now = self.store.options.clock.now();
        let (scope, what) = (self.scope.clone(), self.what.clone());
        let (rows, timer) = self
            .store
            .read(move |connection| {
                let rows = claim::candidates(connection, &scope, &what, now, most)?;
                Ok((rows, claim::next_timer(connection, &scope, &what)?))
            })
            .await?;
        if !rows.is_empty() {
            let scope = self.scope.clone();
            let claimed = self
                .store
                .writer
                .call(move |connection| {
                    // A claim is a sign of life, or a worker that was silent would lose what it claims at once.
                    claim::beat(connection, worker, now)?;
                    let claims =
                        rows.into_iter().map(|row| claim::claim(connection, &scope, row, worker, now));
                    claims.filter_map(Result::transpose).collect::<Result<Vec<_>>>()
                })
                .await?;
            for claimed in claimed {
                runs.spawn(Arc::clone(self).activate(claimed));
            }
        }
        Ok(timer.map(|at| at.since(now).max(Duration::from_millis(10))))
    }

    /// Whether somebody waits for one run, and is told when the store fails. A worker has nobody to tell, and tries
    /// again.
    fn is_awaited(&self) -> bool {
        matches!(self.what, Serve::Run(_))
    }

    /// Drives a claimed run, and lets go of it whatever happens. Fails where the store did and somebody waits to be told.
    async fn activate(self: Arc<Self>, claimed: Claimed) -> Result<()> {
        let mut guard =
            Guard { store: Arc::clone(&self.store), row: claimed.row, epoch: claimed.epoch, armed: true };
        let driven = match self.drive(claimed).await {
            // The run belongs to somebody else now.
            Err(error) if error.code() == Code::RunFenced => Ok(()),
            Err(error) if error.code().retry() == Retry::Never => {
                // It would be the same each time: somebody must look at it.
                let (row, epoch) = (guard.row, guard.epoch);
                let halt = move |connection: &_| claim::halt(connection, row, epoch, &error);
                self.store.writer.call(halt).await
            }
            driven => driven,
        };
        match driven {
            Ok(()) => guard.armed = false,
            Err(error) if self.is_awaited() => return Err(error),
            Err(_) => {
                // The store failed: what is recorded is safe, and the run is tried again after a while.
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = self.stop.cancelled() => {}
                }
            }
        }
        Ok(())
    }

    async fn drive(&self, claimed: Claimed) -> Result<()> {
        let began = Instant::now();
        let Claimed { row, run, epoch, segment, segment_start, segment_active } = claimed;
        let scope = self.scope.clone();
        let (admission, records, state, end, budgeted) = self
            .store
            .read(move |connection| {
                let admission = fork::admission(connection, &scope, row)?;
                let records = fork::records(connection, &scope, row, segment_start)?;
                let state = match segment_start.checked_sub(1).filter(|_| segment > 0) {
                    Some(before) => fork::rolled_over(connection, &scope, row, before)?,
                    None => None,
                };
                let budgeted = connection
                    .prepare_cached("SELECT account IS NOT NULL FROM runs WHERE id = ?1")
                    .and_then(|mut select| select.query_row([row], |row| row.get(0)))
                    .map_err(fault)?;
                Ok((admission, records, state, fork::end(connection, row)?, budgeted))
            })
            .await?;
        let bell = self.store.bell(&self.scope, &run);
        let mail = bell.mail();
        let scope = self.scope.clone();
        let owner =
            Arc::new(Owner { row, run: run.clone(), scope, epoch, budgeted, daily: self.daily.get(), bell });
        let (offset, last) = end;
        let clock = self.store.options.clock.as_ref();
        let writer = self.store.writer.clone();
        let paused = is_paused(&records);
        let (state, at) = state.unzip();
        // The first segment begins when the run was recorded.
        let at = at.or_else(|| records.first().map(|record| record.at));
        let start = Moment { at: at.unwrap_or_default(), active: Duration::from_millis(segment_active) };
        let mut replay = Replay::new(records, start);
        let ctx = Ctx::new(run.clone(), self.scope.clone(), segment, start);
        let stopwatch = replay.take_stopwatch();
        let appender = Arc::new(Appender::new(owner, writer, clock, offset, segment, last, stopwatch));
        let mut session = SqliteSession::new(Activation {
            store: Arc::clone(&self.store),
            appender,
            channel: self.store.hub.channel(&self.scope, &run),
            bell: mail,
            stop: self.stop.child_token(),
            segment,
            replay,
            origin: admission.origin.clone(),
            paused,
            began,
        });
        session.record(&Entry::Activated { epoch }, Vec::new())?;
        // Finding the code is somebody's code, too.
        let program = guard(async { self.host.program(&admission).await }).await.unwrap_or_else(|panic| {
            Err(Error::new(Code::RunPanicked, "the code of the run cannot be found").caused_by(&panic))
        });
        match program {
            Ok(program) => drive(&mut session, &program, ctx, state).await.map(drop),
            Err(error) if error.code().kind() == adjutant_core::error::Kind::Store => Err(error),
            Err(error) => session.halt(error).await,
        }
    }

    /// Tells other processes that this one lives.
    async fn beat(self: Arc<Self>, worker: i64) {
        loop {
            let now = self.store.options.clock.now();
            // A beat that the store does not take is missed; the next one counts.
            let _ = self.store.writer.call(move |connection| claim::beat(connection, worker, now)).await;
            tokio::time::sleep(lease::beat(self.store.options.silence)).await;
        }
    }

    /// Makes the runs of dead workers ready for others.
    async fn bury(self: Arc<Self>, worker: i64) {
        let mut watch = Watch::new(self.store.options.silence);
        loop {
            // What cannot be looked at now is looked at in the next round.
            let _ = self.bury_once(worker, &mut watch).await;
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn bury_once(&self, worker: i64, watch: &mut Watch) -> Result<()> {
        let others: Vec<(i64, i64)> = self
            .store
            .read(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT DISTINCT r.worker, coalesce(w.beat, 0) FROM runs r LEFT JOIN workers w ON w.id = r.worker
                         WHERE r.state = 'running' AND r.worker <> ?1",
                    )
                    .and_then(|mut select| {
                        select.query_map([worker], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
                    })
                    .map_err(fault)
            })
            .await?;
        for (other, beat) in others {
            let pulse = watch.pulse(self.store.path(), other, beat);
            if pulse != Pulse::Alive {
                let gone = pulse == Pulse::Gone;
                self.store
                    .writer
                    .call(move |connection| claim::take_over(connection, other, beat, gone))
                    .await?;
                self.store.wake_workers();
            }
        }
        Ok(())
    }

    /// Notices what other processes did: mail for runs that this one drives, and runs that became ready.
    async fn listen(self: Arc<Self>, mut seen: i64) {
        loop {
            let scope = self.scope.clone();
            let fresh = self
                .store
                .read(move |connection| {
                    Ok((claim::mail_since(connection, &scope, seen)?, claim::any_ready(connection, &scope)?))
                })
                .await;
            if let Ok(((runs, last), ready)) = fresh {
                seen = last;
                runs.iter().for_each(|run| self.store.ring(&self.scope, run));
                if ready {
                    self.store.wake_workers();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether the last word about pausing was to pause.
fn is_paused(records: &[Record]) -> bool {
    let last = records.iter().rev().find_map(|record| match &record.entry {
        Entry::Received(Letter::Pause { .. }) => Some(true),
        Entry::Received(Letter::Resume | Letter::Cancel { .. }) => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}

/// Makes a run ready for others when its activation ends in a way that did not let go of it.
struct Guard {
    store: Arc<Inner>,
    row: i64,
    epoch: u64,
    armed: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed {
            self.store.writer.let_go(self.row, self.epoch);
            self.store.wake_workers();
        }
    }
}
