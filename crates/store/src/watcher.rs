//! [`Watcher`]: one who watches a run, at their own pace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::id::{RunId, Scope, StepKey};
use adjutant_durable::stream::{Delta, Reader};
use adjutant_durable::{Entry, Observed, Record, RunState};
use tokio::sync::watch;

use crate::relay::Listening;
use crate::store::{Bell, Inner};
use crate::{claim, fork, query};

/// How often a watcher looks for what another process wrote.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// How many steps that are over are kept in mind, so that nothing is shown of them that comes late from another process.
const OVER: usize = 64;

/// One who watches a run, at their own pace: what they have not asked for is not read.
pub(crate) struct Watcher {
    store: Arc<Inner>,
    scope: Scope,
    run: RunId,
    next: u64,
    /// What passes by in this process.
    deltas: Reader,
    /// What passes by in the process that drives the run, where that is another one.
    elsewhere: Option<Listening>,
    /// The steps that ended last.
    ended: VecDeque<StepKey>,
    commits: watch::Receiver<u64>,
    _bell: Arc<Bell>,
    state: Option<RunState>,
    buffer: VecDeque<Observed>,
    over: bool,
}

impl Watcher {
    /// Watches a run from an offset on.
    pub(crate) fn new(store: Arc<Inner>, scope: Scope, run: RunId, from: u64) -> Self {
        let bell = store.bell(&scope, &run);
        Self {
            deltas: store.hub.channel(&scope, &run).subscribe(),
            store,
            scope,
            run,
            next: from,
            elsewhere: None,
            ended: VecDeque::new(),
            commits: bell.commits(),
            _bell: bell,
            state: None,
            buffer: VecDeque::new(),
            over: false,
        }
    }

    /// What happens next.
    pub(crate) async fn step(mut self) -> Option<(Result<Observed>, Self)> {
        loop {
            if let Some(observed) = self.buffer.pop_front() {
                return Some((Ok(observed), self));
            }
            if self.over {
                return None;
            }
            // Deltas first: what a step said comes before how it ended.
            self.buffer.extend(self.deltas.read().into_iter().map(Observed::Delta));
            let heard = self.elsewhere.as_mut().map(Listening::read).unwrap_or_default();
            heard.into_iter().for_each(|delta| self.hear(delta));
            self.commits.mark_unchanged();
            if let Err(error) = self.look().await {
                self.over = true;
                return Some((Err(error), self));
            }
            if self.buffer.is_empty() {
                tokio::select! {
                    () = self.deltas.changed() => {}
                    delta = next(&mut self.elsewhere) => self.hear(delta),
                    _ = self.commits.changed() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    fn hear(&mut self, delta: Delta) {
        if !self.ended.contains(&delta.step) {
            self.buffer.push_back(Observed::Delta(delta));
        }
    }

    async fn look(&mut self) -> Result<()> {
        let (scope, run, from) = (self.scope.clone(), self.run.clone(), self.next);
        let (records, (state, driver)) = self
            .store
            .read(move |connection| {
                let row = claim::row_of(connection, &scope, &run)?;
                Ok((fork::records(connection, &scope, row, from)?, query::driven(connection, row)?))
            })
            .await?;
        self.over = state == RunState::Ended;
        if let Some(last) = records.last() {
            self.next = last.offset + 1;
        }
        if let Some(worker) = driver {
            self.listen(worker);
        }
        records.iter().for_each(|record| self.note(record));
        self.buffer.extend(records.into_iter().map(|record| Observed::Record(Box::new(record))));
        if self.state != Some(state) {
            self.state = Some(state);
            self.buffer.push_back(Observed::State(state));
        }
        Ok(())
    }

    /// Listens to the worker that drives the run, once, where it is not this process.
    fn listen(&mut self, worker: i64) {
        let Some(store) = self.store.path() else { return };
        if self.store.is_worker(worker) {
            self.elsewhere = None;
        } else if self.elsewhere.as_ref().is_none_or(|there| there.worker != worker)
            && let Ok(place) = Arc::clone(&self.store.listening).try_acquire_owned()
        {
            self.elsewhere = Some(Listening::to(store, worker, &self.scope, &self.run, place));
        }
    }

    /// Keeps in mind which steps are over.
    fn note(&mut self, record: &Record) {
        match &record.entry {
            // Keys begin anew.
            Entry::RolledOver { .. } => self.ended.clear(),
            Entry::Completed { key, .. } | Entry::Dropped { key } | Entry::Late { key, .. } => {
                if self.ended.len() == OVER {
                    self.ended.pop_front();
                }
                self.ended.push_back(key.clone());
            }
            _ => {}
        }
    }
}

async fn next(elsewhere: &mut Option<Listening>) -> Delta {
    match elsewhere {
        Some(there) => there.next().await,
        None => std::future::pending().await,
    }
}
