//! Waiting: for timers, for what is at work, and out of memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Error, Result};
use adjutant_durable::{Entry, Kind, Letter, Mail, Origin, RunState};
use tokio::sync::OwnedSemaphorePermit;

use super::SqliteSession;
use crate::append::Also;

/// Timers that fire within this time are waited for in memory.
const SHORT: Duration = Duration::from_secs(1);

/// The shortest time for which a run stays in memory that waits for runs that it started.
const SHORTEST_STAY: Duration = Duration::from_millis(20);

/// How often the wall clock is looked at while a timer is waited for in memory: no sleep notices that it was set, or that
/// the machine slept.
const LOOK: Duration = Duration::from_millis(500);

/// A while in which a run stays in memory.
pub(super) struct Stay {
    until: Instant,
    /// One of few.
    _place: OwnedSemaphorePermit,
}

impl SqliteSession {
    /// The time that timers go by: that of the wall clock or of the steady one, whichever is ahead. So a timer is not
    /// late when the machine slept, nor when the clock was set back.
    fn now(&self) -> Timestamp {
        self.appender.now().max(self.store.options.clock.now())
    }

    /// Answers the timers that have fired, in the order of their deadlines.
    pub(super) fn work_timers(&mut self) -> Result<()> {
        let now = self.now();
        let mut due: Vec<_> = self.timers().filter(|(deadline, _)| *deadline <= now).collect();
        due.sort();
        for (deadline, key) in due {
            // An answer is never recorded before its deadline.
            self.appender.reach(deadline);
            self.complete(key, Ok(Json::null()), Vec::new())?;
        }
        Ok(())
    }

    fn timers(&self) -> impl Iterator<Item = (Timestamp, StepKey)> {
        self.open.iter().filter_map(|(key, open)| match open.operation.kind {
            Kind::Timer { after_ms } => {
                Some((open.issued.plus(Duration::from_millis(after_ms)), key.clone()))
            }
            _ => None,
        })
    }

    /// Waits until something may have happened. Fails as soon as what was recorded cannot be written.
    pub(super) async fn wait(&mut self) -> Result<()> {
        let timer = self.timers().map(|(deadline, _)| deadline).min().filter(|_| !self.pausing);
        let timer = timer.map(|deadline| deadline.since(self.now()).min(LOOK));
        let stay = self.stay.as_ref().map(|stay| stay.until.saturating_duration_since(Instant::now()));
        let leaves_in = self.leaves_at.map(|at| at.saturating_duration_since(Instant::now()));
        let leaves_in = leaves_in.filter(|wait| !wait.is_zero());
        let timer = timer.into_iter().chain(stay).chain(leaves_in).min();
        let fire = async {
            match timer {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        // What must not be repeated comes to its own end first: then at least somebody can see what it did.
        let leaves = self.working.iter().all(|key| self.is_repeatable(key));
        tokio::select! {
            error = self.appender.failed(), if leaves => return Err(error),
            ended = self.ended.1.recv() => if let Some(ended) = ended { self.end(ended)? },
            _ = self.bell.changed() => self.bell.mark_changed(),
            () = fire => {}
            () = self.stop.cancelled(), if self.leaves_at.is_none() => {
                self.pausing = true;
                self.leaves_at = Some(Instant::now() + self.store.options.patience);
            }
        }
        Ok(())
    }

    /// Whether the run can leave memory: nothing is at work, and nothing will fire soon.
    pub(super) fn can_park(&self) -> bool {
        let soon = self.now().plus(SHORT);
        // A worker that is told to stop waits only so long for what can be done again.
        let leaves = self.leaves_at.is_some_and(|at| at <= Instant::now());
        let idle = self.working.iter().all(|key| leaves && self.is_repeatable(key));
        idle && (self.pausing || !self.timers().any(|(deadline, _)| deadline <= soon))
    }

    /// Whether the run stays in memory though it could be let go. One that waits for runs that it started stays for as
    /// long as it would cost to come back, twice: so children that end one soon after the other do not have it begin anew
    /// for each, and the wait costs little more than coming back. Only so many stay at a time.
    pub(super) fn stays(&mut self) -> bool {
        let waits_for_runs = self.open.values().any(|open| open.operation.kind == Kind::Child);
        if self.pausing || !waits_for_runs {
            return false;
        }
        if self.stay.is_none()
            && let Ok(place) = Arc::clone(&self.store.staying).try_acquire_owned()
        {
            let cost = self.replayed.unwrap_or_default();
            self.stay = Some(Stay { until: Instant::now() + (2 * cost).max(SHORTEST_STAY), _place: place });
        }
        self.stay.as_ref().is_some_and(|stay| Instant::now() < stay.until)
    }

    pub(super) fn is_repeatable(&self, key: &StepKey) -> bool {
        self.open.get(key).is_none_or(|open| match &open.operation.kind {
            Kind::Effect(effects) => effects.effect.is_repeatable(),
            _ => true,
        })
    }

    /// Lets the run go.
    pub(super) async fn park(&mut self) -> Result<()> {
        let state = match self.stop.is_cancelled() {
            _ if self.paused => RunState::Paused,
            true if !self.all_wait() => RunState::Ready,
            _ => RunState::Waiting,
        };
        let wake_at = self.timers().map(|(deadline, _)| deadline).min();
        self.release(&[], state, wake_at, None).await
    }

    /// Whether everything that is open waits for something outside of this process.
    fn all_wait(&self) -> bool {
        self.ready.is_empty()
            && self.open.values().all(|open| open.unknown || open.operation.kind.is_parkable())
    }

    pub(super) async fn release(
        &mut self,
        entries: &[Entry],
        state: RunState,
        wake_at: Option<Timestamp>,
        halted: Option<Error>,
    ) -> Result<()> {
        let mut also = vec![Also::Release { state, wake_at, seen: self.seen, halted }];
        if let (RunState::Ended, Some(Entry::Ended(outcome)), Some(Origin::Child { parent, segment, key })) =
            (state, entries.first(), &self.origin)
        {
            let letter = Letter::ChildEnded { key: key.clone(), segment: *segment, outcome: outcome.clone() };
            also.push(Also::Send(parent.clone(), Mail::new(format!("child:{}", self.run()), letter)));
        }
        let (_, number) = self.appender.append(entries, also)?;
        self.appender.durable(number).await?;
        if let Some(Origin::Child { parent, .. }) = &self.origin {
            self.store.ring(&self.appender.owner().scope, parent);
        }
        self.store.wake_workers();
        Ok(())
    }

    /// Waits for effects that were dropped and whose end must be known. Returns whether the run was let go instead,
    /// because somebody must say what came of one, or because it is paused.
    pub(super) async fn parks_at_the_end(&mut self) -> Result<bool> {
        while self.is_held() {
            self.read_mail().await?;
            self.work_mail()?;
            if self.is_held() && self.working.is_empty() {
                self.park().await?;
                return Ok(true);
            }
            if self.is_held() {
                self.wait().await?;
            }
        }
        Ok(false)
    }

    /// Whether the run, or its segment, cannot end now. A paused run does not roll over: the next segment would not
    /// know of the pause, which is recorded in this one.
    fn is_held(&self) -> bool {
        self.lingering() || (self.closing && self.paused)
    }

    /// Effects that were withdrawn and whose end must be known before the run ends.
    fn lingering(&self) -> bool {
        self.open
            .iter()
            .any(|(key, open)| open.withdrawn.is_cancelled() && (open.unknown || self.working.contains(key)))
    }
}
