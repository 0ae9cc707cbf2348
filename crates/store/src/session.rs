//! A session on SQLite: one activation of one run.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::Channel;
use adjutant_durable::{
    Admission, Asked, Delivery, Done, Driven, Entry, Kind, Letter, Mail, Moment, Next, Operation, Origin,
    Outcome, Replay, Request, Resolution, RunState, Session, Work,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::append::{Also, Appender};
use crate::claim;
use crate::effects::{Ended, Task};
use crate::random;
use crate::store::Inner;

/// How long an effect that must not be repeated may take to come to its own end after nobody wants it any more.
const GRACE: Duration = Duration::from_secs(5);

/// Timers that fire within this time are waited for in memory.
const SHORT: Duration = Duration::from_secs(1);

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
    mail: Vec<claim::Waiting>,
    seen: i64,
    pausing: bool,
}

/// An operation without an answer.
struct Open {
    operation: Operation,
    issued: Timestamp,
    work: Option<Arc<dyn Work>>,
    cancel: CancellationToken,
    /// The code no longer waits for it; it is only kept until it is known what came of it.
    withdrawn: CancellationToken,
    attempts: u32,
    reserved: bool,
    unknown: bool,
}

impl SqliteSession {
    pub(crate) fn new(activation: Activation) -> Self {
        let Activation { store, appender, channel, mut bell, stop, segment, replay, origin, paused } =
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
            mail: Vec::new(),
            seen: 0,
            pausing: paused,
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

    async fn issue_new(&mut self, request: Request) -> Result<()> {
        let Request { key, operation, work } = request;
        match &operation.kind {
            Kind::Emit => self.answer(key, operation, Ok(Json::null()), Vec::new()),
            Kind::Version => self.answer(key, operation, Json::of(&true), Vec::new()),
            Kind::Random => {
                let bytes = random::bytes::<16>()?;
                self.answer(key, operation, Json::of(&bytes), Vec::new())
            }
            Kind::Inbox => {
                self.read_mail().await?;
                let (messages, also) = self.take_messages();
                self.answer(key, operation, Json::of(&messages), also)
            }
            Kind::Effect(_) | Kind::Timer { .. } | Kind::Signal | Kind::Child => {
                let (also, granted) = self.beside(&key, &operation)?;
                let entry =
                    Entry::Issued { key: key.clone(), hash: operation.hash(), operation: operation.clone() };
                let (moment, append) = self.record(&entry, also)?;
                self.begin(
                    key,
                    operation,
                    work,
                    moment.at,
                    &Earlier { append, granted, ..Earlier::default() },
                );
                Ok(())
            }
        }
    }

    /// What is to happen in the transaction that records an operation.
    fn beside(&self, key: &StepKey, operation: &Operation) -> Result<(Vec<Also>, Option<Grant>)> {
        match &operation.kind {
            Kind::Child => Ok((vec![Also::Start(Box::new(self.child(key, operation)?))], None)),
            Kind::Effect(effects) => Ok(match effects.reserve.filter(|_| self.appender.owner().budgeted) {
                Some(amount) => {
                    let granted = Arc::new(OnceLock::new());
                    (vec![Also::Reserve(key.clone(), amount, Arc::clone(&granted))], Some(granted))
                }
                None => (Vec::new(), None),
            }),
            _ => Ok((Vec::new(), None)),
        }
    }

    fn child(&self, key: &StepKey, operation: &Operation) -> Result<Admission> {
        let mut admission: Admission = operation.input.to()?;
        admission.run = RunId::child(self.run(), self.segment, key.as_str());
        admission.origin =
            Some(Origin::Child { parent: self.run().clone(), segment: self.segment, key: key.clone() });
        Ok(admission)
    }

    /// Takes an operation as open, and sets to work what needs work.
    fn begin(
        &mut self,
        key: StepKey,
        operation: Operation,
        work: Option<Arc<dyn Work>>,
        issued: Timestamp,
        earlier: &Earlier,
    ) {
        let reserved = earlier.granted.is_some();
        let open = Open {
            operation,
            issued,
            work,
            cancel: CancellationToken::new(),
            withdrawn: CancellationToken::new(),
            attempts: earlier.attempts,
            reserved,
            unknown: earlier.unknown,
        };
        if !open.unknown {
            self.set_to_work(&key, &open, earlier);
        }
        self.open.insert(key, open);
    }

    fn set_to_work(&mut self, key: &StepKey, open: &Open, earlier: &Earlier) {
        let (Kind::Effect(effects), Some(work)) = (&open.operation.kind, &open.work) else { return };
        let task = Task {
            key: key.clone(),
            effects: effects.clone(),
            work: Arc::clone(work),
            appender: Arc::clone(&self.appender),
            channel: Arc::clone(&self.channel),
            cancel: open.cancel.clone(),
            withdrawn: open.withdrawn.clone(),
            segment: self.segment,
            attempts: open.attempts,
            retry: earlier.retry,
            issued: earlier.append,
            granted: earlier.granted.clone(),
        };
        let ended = self.ended.0.clone();
        self.working.insert(key.clone());
        self.tasks.spawn(async move {
            // The session is gone if nobody listens; the next one will ask again.
            let _ = ended.send(task.run().await);
        });
    }

    /// An effect came to its end.
    fn end(&mut self, ended: Ended) -> Result<()> {
        self.working.remove(&ended.key);
        if let Some(error) = ended.broken {
            return Err(error);
        }
        let Some(open) = self.open.get_mut(&ended.key) else { return Ok(()) };
        let also = ended.also(open.reserved);
        let Ended { key, done, .. } = ended;
        let outcome = match done {
            Done::Ok(json) => Ok(json),
            Done::Err(error) => Err(error),
            Done::Unknown(reason) => {
                open.unknown = true;
                return self.record(&Entry::Unknown { key, reason }, also).map(drop);
            }
        };
        if open.withdrawn.is_cancelled() {
            self.open.remove(&key);
            self.channel.close(&key);
            return self.record(&Entry::Late { key, outcome }, also).map(drop);
        }
        self.complete(key, outcome, also)
    }

    /// Looks for new mail, if somebody rang.
    async fn read_mail(&mut self) -> Result<()> {
        if !self.bell.has_changed().unwrap_or(false) {
            return Ok(());
        }
        self.bell.mark_unchanged();
        let (row, seen) = (self.appender.owner().row, self.seen);
        let fresh = self.store.read(move |connection| claim::mail(connection, row, seen)).await?;
        self.seen = fresh.last().map_or(seen, |mail| mail.id);
        self.mail.extend(fresh);
        Ok(())
    }

    fn take_messages(&mut self) -> (Vec<Json>, Vec<Also>) {
        let (mut messages, mut also) = (Vec::new(), Vec::new());
        self.mail.retain(|mail| match &mail.letter {
            Letter::Message { payload } => {
                messages.push(payload.clone());
                also.push(Also::Take(mail.id));
                false
            }
            _ => true,
        });
        (messages, also)
    }

    /// Lets the mail take effect that can.
    fn work_mail(&mut self) -> Result<()> {
        let mut kept = Vec::new();
        for mail in std::mem::take(&mut self.mail) {
            if let Some(mail) = self.deliver_mail(mail)? {
                kept.push(mail);
            }
        }
        self.mail = kept;
        Ok(())
    }

    /// Lets one piece of mail take effect, or gives it back.
    fn deliver_mail(&mut self, mail: claim::Waiting) -> Result<Option<claim::Waiting>> {
        let taken = vec![Also::Take(mail.id)];
        match mail.letter {
            Letter::Signal { ref name, ref payload } => {
                let Some(key) = self.signal_waiting(name) else { return Ok(Some(mail)) };
                self.complete(key, Ok(payload.clone()), taken)?;
            }
            Letter::ChildEnded { key, segment, outcome } => {
                let waits = segment == self.segment
                    && self.open.get(&key).is_some_and(|open| !open.withdrawn.is_cancelled());
                if waits {
                    self.complete(key, outcome, taken)?;
                } else {
                    self.appender.append(&[], taken)?;
                }
            }
            Letter::Cancel { ref reason } => {
                let reason = reason.clone();
                let (moment, _) = self.record(&Entry::Received(mail.letter), taken)?;
                if !self.replay.is_cancelled() && self.cancel.is_none() {
                    self.cancel = Some((reason, moment));
                }
                self.pausing = false;
            }
            Letter::Pause { .. } => {
                self.record(&Entry::Received(mail.letter), taken)?;
                self.pausing = true;
            }
            Letter::Resume => {
                self.record(&Entry::Received(mail.letter), taken)?;
                self.pausing = false;
            }
            Letter::Resolve { ref key, ref resolution } => {
                let (key, resolution) = (key.clone(), resolution.clone());
                self.record(&Entry::Received(mail.letter), taken)?;
                self.resolve(&key, resolution)?;
            }
            Letter::Message { .. } => return Ok(Some(mail)),
        }
        Ok(None)
    }

    /// The oldest operation that waits for a signal of this name.
    fn signal_waiting(&self, name: &str) -> Option<StepKey> {
        self.open
            .iter()
            .filter(|(_, open)| open.operation.kind == Kind::Signal && open.operation.name == name)
            .min_by_key(|(key, open)| (open.issued, (*key).clone()))
            .map(|(key, _)| key.clone())
    }

    /// A person says what came of an effect. About another step, or too late, it means nothing.
    fn resolve(&mut self, key: &StepKey, resolution: Resolution) -> Result<()> {
        let Some(mut open) = self.open.remove(key).filter(|open| open.unknown) else { return Ok(()) };
        match resolution {
            Resolution::Happened(result) if open.withdrawn.is_cancelled() => {
                self.record(&Entry::Late { key: key.clone(), outcome: Ok(result) }, Vec::new())?;
            }
            Resolution::Happened(result) => self.complete(key.clone(), Ok(result), Vec::new())?,
            Resolution::Retry => {
                open.unknown = false;
                let earlier = Earlier { retry: true, ..Earlier::default() };
                self.set_to_work(key, &open, &earlier);
                self.open.insert(key.clone(), open);
            }
            Resolution::Abort => {
                let error = Error::new(Code::ToolOutcomeUnknown, "it is not known whether the call happened");
                self.record(&Entry::Late { key: key.clone(), outcome: Err(error) }, Vec::new())?;
                let reason =
                    format!("the outcome of step `{key}` is not known, and the run was aborted for it");
                let (moment, _) =
                    self.record(&Entry::Received(Letter::Cancel { reason: reason.clone() }), Vec::new())?;
                if !self.replay.is_cancelled() && self.cancel.is_none() {
                    self.cancel = Some((reason, moment));
                }
            }
        }
        Ok(())
    }

    /// Answers the timers that have fired, in the order of their deadlines.
    fn work_timers(&mut self) -> Result<()> {
        let now = self.appender.now();
        let mut due: Vec<_> = self.timers().filter(|(deadline, _)| *deadline <= now).collect();
        due.sort();
        for (_, key) in due {
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

    /// Waits until something may have happened.
    async fn wait(&mut self) -> Result<()> {
        let timer = self.timers().map(|(deadline, _)| deadline).min();
        let timer = timer.map(|deadline| deadline.since(self.appender.now()));
        let fire = async {
            match timer {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = self.ended.1.recv() => if let Some(ended) = ended { self.end(ended)? },
            _ = self.bell.changed() => self.bell.mark_changed(),
            () = fire => {}
            () = self.stop.cancelled(), if !self.pausing => self.pausing = true,
        }
        Ok(())
    }

    /// Whether the run can leave memory: nothing is at work, and nothing will fire soon.
    fn can_park(&self) -> bool {
        let soon = self.appender.now().plus(SHORT);
        // A worker that is told to stop does not wait for what can be done again.
        let idle = self.working.iter().all(|key| self.stop.is_cancelled() && self.is_repeatable(key));
        idle && (self.pausing || !self.timers().any(|(deadline, _)| deadline <= soon))
    }

    fn is_repeatable(&self, key: &StepKey) -> bool {
        self.open.get(key).is_none_or(|open| match &open.operation.kind {
            Kind::Effect(effects) => effects.effect.is_repeatable(),
            _ => true,
        })
    }

    /// Lets the run go.
    async fn park(&mut self) -> Result<()> {
        let state = match (self.stop.is_cancelled(), self.pausing) {
            (true, _) if !self.all_wait() => RunState::Ready,
            (false, true) => RunState::Paused,
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

    async fn release(
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
            self.store.ring(parent);
        }
        self.store.wake_workers();
        Ok(())
    }

    /// Effects that were withdrawn and whose end must be known before the run ends.
    fn lingering(&self) -> bool {
        self.open
            .iter()
            .any(|(key, open)| open.withdrawn.is_cancelled() && (open.unknown || self.working.contains(key)))
    }
}

/// Whether there was room in the budget, told by the writer.
pub(crate) type Grant = Arc<OnceLock<bool>>;

/// What happened to an operation before this activation.
#[derive(Default)]
struct Earlier {
    append: u64,
    attempts: u32,
    retry: bool,
    unknown: bool,
    granted: Option<Grant>,
}

impl Session for SqliteSession {
    async fn issue(&mut self, request: Request) -> Result<()> {
        match self.replay.ask(&request.key, &request.operation)? {
            Asked::New => self.issue_new(request).await,
            Asked::Settled => Ok(()),
            Asked::Absent => {
                if request.operation.kind == Kind::Version {
                    let moment = self.appender.moment();
                    // Not recorded: the run is as old now as it will be at any later replay.
                    self.ready.push_front((request.key, Json::of(&false), moment));
                }
                Ok(())
            }
            Asked::Open { issued, attempts, unknown, retry } => {
                let unknown = unknown.is_some();
                // What was set aside for an attempt that was lost is charged, and set aside anew.
                let (also, granted) =
                    if unknown { Default::default() } else { self.beside(&request.key, &request.operation)? };
                let append = if also.is_empty() { 0 } else { self.appender.append(&[], also)?.1 };
                let earlier = Earlier { append, attempts, retry, unknown, granted };
                self.begin(request.key, request.operation, request.work, issued, &earlier);
                Ok(())
            }
        }
    }

    async fn withdraw(&mut self, key: StepKey) -> Result<()> {
        let recorded = self.replay.withdraw(&key);
        self.ready.retain(|(ready, ..)| *ready != key);
        let mut also = Vec::new();
        if let Some(open) = self.open.get_mut(&key) {
            let must_know = match &open.operation.kind {
                Kind::Effect(effects) => !effects.effect.is_repeatable(),
                Kind::Child => {
                    let child = RunId::child(&self.appender.owner().run, self.segment, key.as_str());
                    let letter =
                        Letter::Cancel { reason: "the run that started it no longer waits for it".into() };
                    also.push(Also::Send(child, Mail::new("withdrawn", letter)));
                    false
                }
                _ => false,
            };
            if must_know {
                open.withdrawn.cancel();
                let cancel = open.cancel.clone();
                self.tasks.spawn(async move {
                    tokio::time::sleep(GRACE).await;
                    cancel.cancel();
                });
            } else {
                open.cancel.cancel();
                if open.reserved {
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
                return Ok(next);
            }
            self.read_mail().await?;
            self.work_mail()?;
            while let Ok(ended) = self.ended.1.try_recv() {
                self.end(ended)?;
            }
            if !self.pausing {
                self.work_timers()?;
                if self.cancel.is_some() || !self.ready.is_empty() {
                    continue;
                }
            }
            if self.can_park() {
                self.park().await?;
                return Ok(Next::Park);
            }
            self.wait().await?;
        }
    }

    async fn finish(&mut self, outcome: Outcome) -> Result<Driven> {
        self.replay.caught_up()?;
        while self.lingering() {
            self.read_mail().await?;
            self.work_mail()?;
            if self.working.is_empty() && self.lingering() {
                self.park().await?;
                return Ok(Driven::Parked);
            }
            if self.lingering() {
                self.wait().await?;
            }
        }
        self.release(&[Entry::Ended(outcome)], RunState::Ended, None, None).await?;
        Ok(Driven::Ended)
    }

    async fn roll_over(&mut self, state: Json) -> Result<Moment> {
        self.replay.caught_up()?;
        while self.lingering() {
            self.read_mail().await?;
            self.work_mail()?;
            if self.lingering() {
                self.wait().await?;
            }
        }
        let active = self.appender.moment().active;
        let active_ms = u64::try_from(active.as_millis()).unwrap_or(u64::MAX);
        let (moment, _) =
            self.record(&Entry::RolledOver { state, active_ms }, vec![Also::Segment { active_ms }])?;
        self.segment += 1;
        self.replay = Replay::new(Vec::new(), moment);
        self.open.clear();
        Ok(moment)
    }

    async fn halt(&mut self, error: Error) -> Result<()> {
        self.tasks.abort_all();
        self.read_mail().await?;
        let mut cancelled = None;
        for claim::Waiting { id, letter } in std::mem::take(&mut self.mail) {
            match &letter {
                Letter::Cancel { reason } => cancelled = Some(reason.clone()),
                Letter::Resume | Letter::Pause { .. } => {}
                _ => continue,
            }
            self.record(&Entry::Received(letter), vec![Also::Take(id)])?;
        }
        // A run that cannot go on can still be given up.
        match cancelled {
            Some(reason) => {
                let outcome =
                    Err(Error::new(Code::RunCancelled, format!("cancelled: {reason}")).caused_by(&error));
                self.release(&[Entry::Ended(outcome)], RunState::Ended, None, None).await
            }
            None => self.release(&[Entry::Halted(error.clone())], RunState::Halted, None, Some(error)).await,
        }
    }
}
