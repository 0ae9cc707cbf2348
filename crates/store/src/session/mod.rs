//! A session on SQLite: one activation of one run.

mod halting;
mod letters;
mod operations;
mod parking;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Error, Result};
use adjutant_durable::stream::Channel;
use adjutant_durable::{
    Asked, Delivery, Driven, Entry, Kind, Letter, Mail, Moment, Next, Operation, Origin, Outcome, Replay,
    Request, RunState, Session, Work,
};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::append::{Also, Appender};
use crate::claim;
use crate::effects::Ended;
use crate::store::Inner;
use operations::Earlier;
pub(crate) use operations::Grant;
use parking::Stay;

/// How long an effect that must not be repeated may take to come to its own end after nobody wants it any more.
const GRACE: Duration = Duration::from_secs(5);

/// What an activation begins with.
pub(crate) struct Activation {
    pub(crate) store: Arc<Inner>,
    pub(crate) appender: Arc<Appender>,
    pub(crate) channel: Arc<Channel>,
    pub(crate) bell: watch::Receiver<u64>,
    pub(crate) stop: CancellationToken,
    pub(crate) segment: u32,
    pub(crate) replay: Replay,
    pub(crate) origin: Option<Origin>,
    /// Whether the run was told to pause, and not yet to go on.
    pub(crate) paused: bool,
    /// When the activation began, to measure what it costs to come to where the run was.
    pub(crate) began: Instant,
}

/// The engine's side of one activation.
pub(crate) struct SqliteSession {
    store: Arc<Inner>,
    appender: Arc<Appender>,
    channel: Arc<Channel>,
    bell: watch::Receiver<u64>,
    stop: CancellationToken,
    segment: u32,
    origin: Option<Origin>,
    replay: Replay,
    /// Operations that have no answer yet.
    open: HashMap<StepKey, Open>,
    /// Effects at work; the rest of the open ones wait for something.
    tasks: JoinSet<()>,
    working: HashSet<StepKey>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    /// Answers that are recorded, or need no record, and are not delivered yet.
    ready: VecDeque<(StepKey, Outcome, Moment)>,
    cancel: Option<(String, Moment)>,
    /// Whether the segment is over, but for effects that it dropped; a cancel is then for the next one.
    closing: bool,
    mail: Vec<claim::Waiting>,
    seen: i64,
    /// Whether a person told the run to pause.
    paused: bool,
    /// Whether the run is to be let go as soon as it can be, for that or because this worker stops.
    pausing: bool,
    /// Until when what could be done again is waited for, once this worker is told to stop.
    leaves_at: Option<Instant>,
    began: Instant,
    /// What it cost to come to where the run was.
    replayed: Option<Duration>,
    /// Until when the run stays in memory though it could be let go.
    stay: Option<Stay>,
}

/// An operation without an answer.
struct Open {
    operation: Operation,
    issued: Timestamp,
    work: Option<Arc<dyn Work>>,
    cancel: CancellationToken,
    /// The code no longer waits for it; it is only kept until it is known what came of it.
    withdrawn: CancellationToken,
    attempts: Arc<AtomicU32>,
    /// Ends the task that works on it.
    abort: Option<AbortHandle>,
    unknown: bool,
}

impl Open {
    /// Whether the ledger is to know what came of it.
    fn settles(&self) -> bool {
        matches!(&self.operation.kind, Kind::Effect(effects) if effects.reserve.is_some())
    }

    fn is_halted_by(&self, error: &Error) -> bool {
        match &self.operation.kind {
            Kind::Effect(effects) => !self.withdrawn.is_cancelled() && effects.is_halted_by(error),
            _ => false,
        }
    }
}

impl SqliteSession {
    pub(crate) fn new(activation: Activation) -> Self {
        let Activation { store, appender, channel, mut bell, stop, segment, replay, origin, paused, began } =
            activation;
        // The mail that is there at the start is looked for like any other.
        bell.mark_changed();
        Self {
            store,
            appender,
            channel,
            bell,
            stop,
            segment,
            origin,
            replay,
            open: HashMap::new(),
            tasks: JoinSet::new(),
            working: HashSet::new(),
            ended: mpsc::unbounded_channel(),
            ready: VecDeque::new(),
            cancel: None,
            closing: false,
            mail: Vec::new(),
            seen: 0,
            paused,
            pausing: paused,
            leaves_at: None,
            began,
            replayed: None,
            stay: None,
        }
    }

    fn run(&self) -> &RunId {
        &self.appender.owner().run
    }

    /// Records an entry; returns when, and the number of the append.
    pub(crate) fn record(&self, entry: &Entry, also: Vec<Also>) -> Result<(Moment, u64)> {
        self.appender.append(std::slice::from_ref(entry), also)
    }

    /// Records an answer and puts it in line for delivery.
    fn complete(&mut self, key: StepKey, outcome: Outcome, also: Vec<Also>) -> Result<()> {
        self.open.remove(&key);
        let entry = Entry::Completed { key: key.clone(), outcome: outcome.clone() };
        let (moment, _) = self.record(&entry, also)?;
        self.channel.close(&key);
        self.ready.push_back((key, outcome, moment));
        Ok(())
    }

    /// Records an operation that answers at once, with its answer.
    fn answer(
        &mut self,
        key: StepKey,
        operation: Operation,
        outcome: Outcome,
        also: Vec<Also>,
    ) -> Result<()> {
        let delivered = operation.kind != Kind::Emit;
        let hash = operation.hash();
        let entry = Entry::Answered { key: key.clone(), hash, operation, outcome: outcome.clone() };
        let (moment, _) = self.record(&entry, also)?;
        if delivered {
            self.ready.push_back((key, outcome, moment));
        }
        Ok(())
    }

    /// Something that is recorded, or was.
    fn take_ready(&mut self) -> Result<Option<Next>> {
        if let Some(delivery) = self.replay.deliver()? {
            return Ok(Some(match delivery {
                Delivery::Completed { key, outcome, moment } => {
                    self.open.remove(&key);
                    Next::Done { key, outcome, moment }
                }
                Delivery::Cancelled { reason, moment } => Next::Cancelled { reason, moment },
            }));
        }
        if let Some((reason, moment)) = self.cancel.take() {
            return Ok(Some(Next::Cancelled { reason, moment }));
        }
        Ok(self.ready.pop_front().map(|(key, outcome, moment)| Next::Done { key, outcome, moment }))
    }
}

impl Session for SqliteSession {
    async fn issue(&mut self, request: Request) -> Result<()> {
        match self.replay.ask(&request.key, &request.operation)? {
            Asked::New => self.issue_new(request).await,
            Asked::Settled | Asked::Absent => Ok(()),
            Asked::Open { issued, attempts, unknown, retry, dropped } => {
                let child = request.operation.kind == Kind::Child;
                // A child that was to be started may not have been, if this run is a fork.
                if child {
                    let (also, _) = self.beside(&request.key, &request.operation)?;
                    self.appender.append(&[], also)?;
                }
                let unknown = unknown.is_some();
                let earlier = Earlier { attempts, retry, unknown, dropped, ..Earlier::default() };
                self.begin(&request.key, request.operation, request.work, issued, &earlier);
                Ok(())
            }
        }
    }

    async fn withdraw(&mut self, key: StepKey) -> Result<()> {
        let recorded = self.replay.withdraw(&key);
        self.ready.retain(|(ready, ..)| *ready != key);
        let mut also = Vec::new();
        self.give_up(&key);
        if let Some(open) = self.open.get(&key) {
            let must_know = match &open.operation.kind {
                Kind::Effect(effects) => !effects.effect.is_repeatable(),
                Kind::Child => {
                    let child = RunId::child(self.run(), self.segment, key.as_str());
                    let letter =
                        Letter::Cancel { reason: "the run that started it no longer waits for it".into() };
                    also.push(Also::Send(child, Mail::new("withdrawn", letter)));
                    false
                }
                _ => false,
            };
            if !must_know {
                if open.settles() {
                    also.push(Also::Settle(key.clone(), None));
                }
                self.open.remove(&key);
                self.working.remove(&key);
                self.channel.close(&key);
            }
        }
        if !recorded {
            self.record(&Entry::Dropped { key }, also)?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Next> {
        loop {
            self.appender.check()?;
            while self.tasks.try_join_next().is_some() {}
            if (self.replay.is_replaying() || !self.pausing)
                && let Some(next) = self.take_ready()?
            {
                self.stay = None;
                return Ok(next);
            }
            self.replayed.get_or_insert_with(|| self.began.elapsed());
            let paused = self.pausing;
            self.read_mail().await?;
            self.work_mail()?;
            if paused && !self.pausing {
                // What was recorded while the run was paused is delivered now.
                continue;
            }
            while let Ok(ended) = self.ended.1.try_recv() {
                self.end(ended)?;
            }
            if !self.pausing {
                self.work_timers()?;
                if self.cancel.is_some() || !self.ready.is_empty() {
                    continue;
                }
            }
            if self.can_park() && !self.stays() {
                self.park().await?;
                return Ok(Next::Park);
            }
            self.wait().await?;
        }
    }

    async fn finish(&mut self, outcome: Outcome) -> Result<Driven> {
        self.replay.caught_up()?;
        if self.parks_at_the_end().await? {
            return Ok(Driven::Parked);
        }
        self.release(&[Entry::Ended(outcome)], RunState::Ended, None, None).await?;
        Ok(Driven::Ended)
    }

    async fn roll_over(&mut self, state: Json) -> Result<Option<Moment>> {
        self.replay.caught_up()?;
        self.closing = true;
        if self.parks_at_the_end().await? {
            return Ok(None);
        }
        let active = self.appender.moment().active;
        let active_ms = u64::try_from(active.as_millis()).unwrap_or(u64::MAX);
        let (moment, _) =
            self.record(&Entry::RolledOver { state, active_ms }, vec![Also::Segment { active_ms }])?;
        self.segment += 1;
        self.replay = Replay::new(Vec::new(), moment);
        self.open.clear();
        self.closing = false;
        Ok(Some(moment))
    }

    async fn halt(&mut self, error: Error) -> Result<()> {
        self.halt_or_give_up(error).await
    }
}
