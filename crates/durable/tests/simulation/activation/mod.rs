//! One activation of the run: a session over the pure [`Replay`], in virtual time.

mod events;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::{Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::Sink;
use adjutant_durable::{
    Asked, Attempt, Ctx, Delivery, Driven, Effects, Entry, Finished, Kind, Letter, Moment, Next, Operation,
    Outcome, Replay, Request, Session, Stopwatch, Work,
};
use tokio_util::sync::CancellationToken;

use crate::world::World;

pub(crate) struct Activation<'w> {
    world: &'w mut World,
    segment: u32,
    replay: Replay,
    stopwatch: Stopwatch,
    /// The moment of the last answer that the code got.
    last: Moment,
    start: Moment,
    /// What is recorded and is to be delivered in its turn.
    ready: VecDeque<Next>,
    /// What has no answer yet, in the order in which it was asked for.
    open: Vec<Open>,
    asked: HashSet<StepKey>,
    /// What was delivered or taken back, and must not be delivered any more.
    over: HashSet<StepKey>,
    cancelled: bool,
    /// Whether the code cannot hear of a cancel now: it has other answers to hear first, or it is over.
    deaf: bool,
}

struct Open {
    key: StepKey,
    operation: Operation,
    work: Option<Arc<dyn Work>>,
    issued: Timestamp,
    attempts: u32,
    dropped: bool,
    aborted: bool,
    state: State,
}

enum State {
    /// Somebody outside answers.
    Waits,
    Timer {
        until: i64,
    },
    /// The effect strikes at once (then it is `finished`) or when its time is over.
    Runs {
        until: i64,
        finished: Option<Finished>,
    },
    /// It is tried again then.
    Rests {
        until: i64,
    },
    Unknown,
}

/// Something that can happen now.
enum Event {
    Mail(usize),
    Step(usize),
}

impl<'w> Activation<'w> {
    /// Begins where the journal of the last segment ends.
    pub(crate) async fn begin(world: &'w mut World) -> Self {
        let rolled =
            world.journal.iter().rposition(|line| matches!(line.record.entry, Entry::RolledOver { .. }));
        let begin = rolled.map_or(0, |index| index + 1);
        let before = &world.journal[rolled.unwrap_or(0)].record;
        let (segment, active) = match &before.entry {
            Entry::RolledOver { active_ms, .. } => (before.segment + 1, *active_ms),
            _ => (0, 0),
        };
        let start = Moment { at: before.at, active: Duration::from_millis(active) };
        let epochs = world.journal.iter().filter(|line| matches!(line.record.entry, Entry::Activated { .. }));
        let epoch = epochs.count() as u64 + 1;
        world.write(segment, vec![(Entry::Activated { epoch }, None)]);
        let records = world.journal[begin..].iter().map(|line| line.record.clone()).collect();
        let mut replay = Replay::new(records, start);
        let stopwatch = replay.take_stopwatch();
        let cancelled = replay.is_cancelled();
        let mut activation = Self {
            world,
            segment,
            replay,
            stopwatch,
            last: start,
            start,
            ready: VecDeque::new(),
            open: Vec::new(),
            asked: HashSet::new(),
            over: HashSet::new(),
            cancelled,
            deaf: false,
        };
        activation.peril().await;
        activation
    }

    /// The context of the segment, and what the segment begins with.
    pub(crate) fn context(&self) -> (Ctx, Option<Json>) {
        let state = self.world.journal.iter().rev().find_map(|line| match &line.record.entry {
            Entry::RolledOver { state, .. } => Some(state.clone()),
            _ => None,
        });
        (Ctx::new(self.world.run.clone(), Scope::default(), self.segment, self.start), state)
    }

    /// A moment at which the process can die.
    async fn peril(&mut self) {
        if self.world.dies() {
            std::future::pending::<()>().await;
        }
    }

    /// Writes one transaction; it is on disk when somebody flushes, or a little later.
    async fn append(&mut self, entries: Vec<(Entry, Option<usize>)>) -> Moment {
        self.peril().await;
        let at = Timestamp(self.world.clock);
        entries.iter().for_each(|(entry, _)| {
            self.stopwatch.observe(at, entry);
        });
        self.world.write(self.segment, entries);
        if self.world.random.chance(300) {
            self.world.durable = self.world.journal.len();
        }
        self.peril().await;
        self.stopwatch.moment()
    }

    async fn append_one(&mut self, entry: Entry) -> Moment {
        self.append(vec![(entry, None)]).await
    }

    async fn flush(&mut self) {
        self.peril().await;
        self.world.durable = self.world.journal.len();
        self.peril().await;
    }

    async fn answer_at_once(&mut self, key: StepKey, operation: Operation) -> Result<()> {
        let mut mail = Vec::new();
        let answer = match operation.kind {
            Kind::Random => {
                let salt = if self.world.faults.volatile { self.world.random.draw() } else { 0 };
                Json::of(&[crate::random::fold(salt, key.as_str()) as u8; 16])?
            }
            Kind::Inbox => {
                let (taken, messages): (Vec<_>, Vec<_>) = self.messages().into_iter().unzip();
                mail = taken;
                Json::of(&messages)?
            }
            Kind::Version => Json::of(&true)?,
            _ => Json::null(),
        };
        let silent = operation.kind == Kind::Emit;
        let hash = operation.hash();
        let entry = Entry::Answered { key: key.clone(), hash, operation, outcome: Ok(answer.clone()) };
        let taken =
            mail.iter().map(|mail| (Entry::Received(self.world.mail[*mail].letter.clone()), Some(*mail)));
        let entries = taken.chain([(entry, None)]).collect();
        let moment = self.append(entries).await;
        if !silent {
            self.ready.push_back(Next::Done { key, outcome: Ok(answer), moment });
        }
        Ok(())
    }

    fn messages(&self) -> Vec<(usize, Json)> {
        let box_of_mail = self.world.mail.iter().enumerate();
        box_of_mail
            .filter(|(index, post)| post.at <= self.world.clock && !self.world.is_taken(*index))
            .filter_map(|(index, post)| match &post.letter {
                Letter::Message { payload } => Some((index, payload.clone())),
                _ => None,
            })
            .collect()
    }

    /// Takes up an operation that is recorded and has no answer.
    async fn take_up(&mut self, mut open: Open, unknown: bool, retry: bool) -> Result<()> {
        match &open.operation.kind {
            Kind::Timer { after_ms } => {
                let until = open.issued.plus(Duration::from_millis(*after_ms)).0;
                open.state = State::Timer { until };
            }
            Kind::Effect(effects) if unknown && !effects.effect.is_repeatable() => {
                open.state = State::Unknown;
            }
            Kind::Effect(effects) => {
                let (effect, interrupted) = (effects.effect, open.attempts > 0 && !retry);
                self.open.push(open);
                let index = self.open.len() - 1;
                return match effect {
                    Effect::AtMostOnce if interrupted => self.forget(index, "the process died").await,
                    Effect::Reconcile if interrupted => self.look_up(index).await,
                    _ => self.launch(index).await,
                };
            }
            Kind::Child => {
                self.flush().await;
                self.world.start_child(self.segment, &open.key);
            }
            _ => {}
        }
        self.open.push(open);
        Ok(())
    }

    fn attempt(&self, open: &Open) -> Attempt {
        Attempt {
            run: self.world.run.clone(),
            scope: Scope::default(),
            key: open.key.clone(),
            number: open.attempts,
            idempotency_key: Attempt::idempotency_key(&self.world.run, self.segment, &open.key),
            deadline: None,
            cancel: CancellationToken::new(),
            sink: Sink::detached(),
        }
    }

    /// Time goes on to when something can happen. Returns whether there is such a time.
    fn pass(&mut self) -> bool {
        let steps = self.open.iter().filter_map(|open| match open.state {
            State::Timer { until } | State::Runs { until, .. } | State::Rests { until } => Some(until),
            State::Waits | State::Unknown => None,
        });
        let mail = self.world.mail.iter().map(|post| post.at).filter(|at| *at > self.world.clock);
        let next = steps.chain(mail).min();
        if let Some(at) = next {
            self.world.clock = self.world.clock.max(at);
        }
        next.is_some()
    }

    fn can_park(&self) -> bool {
        self.open.iter().all(|open| open.operation.kind.is_parkable() || matches!(open.state, State::Unknown))
    }

    /// Waits until no effect is open; those that still are were taken back.
    /// Says whether that is so, or somebody has to say first what came of one.
    async fn drain(&mut self, may_park: bool) -> Result<bool> {
        self.replay.caught_up()?;
        self.deaf = true;
        assert!(self.open.iter().all(|open| open.dropped), "everything open is taken back before the end");
        while !self.open.is_empty() {
            if self.step().await?.is_some() {
                return Err(broken("something was delivered to code that is over"));
            }
            if !self.due().is_empty() || self.open.is_empty() {
                continue;
            }
            let unknown = self.open.iter().all(|open| matches!(open.state, State::Unknown));
            if may_park && unknown && self.world.random.chance(500) {
                return Ok(false);
            }
            if !self.pass() {
                let unknown: Vec<_> = self.open.iter().map(|open| open.key.clone()).collect();
                unknown.iter().for_each(|key| self.world.resolve(key));
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, next: Next) -> Next {
        let moment = match &next {
            Next::Done { key, moment, .. } => {
                assert!(self.asked.contains(key), "`{key}` was delivered and not asked for");
                assert!(self.over.insert(key.clone()), "`{key}` was delivered after it was over");
                *moment
            }
            Next::Cancelled { moment, .. } => *moment,
            Next::Park => return next,
        };
        assert!(self.last.at <= moment.at && self.last.active <= moment.active, "a run's time goes on");
        self.last = moment;
        next
    }

    /// Records more answers than one before the first of them is delivered, as an engine may.
    async fn step_ahead(&mut self) -> Result<()> {
        self.deaf = true;
        while self.world.random.chance(300) {
            let next = self.step().await?;
            self.ready.extend(next);
        }
        self.deaf = false;
        Ok(())
    }

    async fn find_next(&mut self) -> Result<Next> {
        match self.replay.deliver()? {
            Some(Delivery::Completed { key, outcome, moment }) => {
                return Ok(Next::Done { key, outcome, moment });
            }
            Some(Delivery::Cancelled { reason, moment }) => return Ok(Next::Cancelled { reason, moment }),
            None => {}
        }
        if let Some(next) = self.ready.pop_front() {
            return Ok(next);
        }
        assert!(self.open.iter().any(|open| !open.dropped), "the code waits for something that is open");
        loop {
            self.peril().await;
            if let Some(next) = self.step().await? {
                self.step_ahead().await?;
                return Ok(next);
            }
            if !self.due().is_empty() {
                continue;
            }
            let park = self.can_park() && self.world.random.chance(400);
            if park || !self.pass() {
                if !self.can_park() {
                    return Err(broken("an effect is open and will never end"));
                }
                self.flush().await;
                return Ok(Next::Park);
            }
        }
    }
}

impl Session for Activation<'_> {
    async fn issue(&mut self, Request { key, operation, work }: Request) -> Result<()> {
        assert!(self.asked.insert(key.clone()), "`{key}` was asked for twice");
        let (issued, attempts, unknown, retry, dropped) = match self.replay.ask(&key, &operation)? {
            Asked::Settled | Asked::Absent => return Ok(()),
            Asked::Open { issued, attempts, unknown, retry, dropped } => {
                (issued, attempts, unknown.is_some(), retry, dropped)
            }
            Asked::New => {
                if matches!(operation.kind, Kind::Random | Kind::Inbox | Kind::Version | Kind::Emit) {
                    return self.answer_at_once(key, operation).await;
                }
                let (hash, operation) = (operation.hash(), operation.clone());
                let at = self.append_one(Entry::Issued { key: key.clone(), hash, operation }).await.at;
                (at, 0, false, false, false)
            }
        };
        let open =
            Open { key, operation, work, issued, attempts, dropped, aborted: false, state: State::Waits };
        self.take_up(open, unknown, retry).await
    }

    async fn withdraw(&mut self, key: StepKey) -> Result<()> {
        assert!(self.over.insert(key.clone()), "`{key}` was taken back after it was over");
        if !self.replay.withdraw(&key) {
            self.append_one(Entry::Dropped { key: key.clone() }).await;
        }
        self.ready.retain(|next| !matches!(next, Next::Done { key: ready, .. } if *ready == key));
        let Some(index) = self.open.iter().position(|open| open.key == key) else { return Ok(()) };
        match self.open[index].state {
            State::Waits | State::Timer { .. } | State::Rests { .. } => drop(self.open.remove(index)),
            State::Runs { .. } => self.open[index].dropped = true,
            State::Unknown => {
                self.open[index].dropped = true;
                if self.open[index].aborted {
                    let unknown = Error::new(Code::ToolOutcomeUnknown, "left as it is");
                    self.complete(index, Err(unknown), None).await?;
                }
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Next> {
        self.peril().await;
        let next = self.find_next().await?;
        Ok(self.deliver(next))
    }

    async fn finish(&mut self, outcome: Outcome) -> Result<Driven> {
        if !self.drain(true).await? {
            self.flush().await;
            return Ok(Driven::Parked);
        }
        self.append_one(Entry::Ended(outcome.clone())).await;
        self.flush().await;
        self.world.ended = Some(outcome);
        Ok(Driven::Ended)
    }

    async fn roll_over(&mut self, state: Json) -> Result<Option<Moment>> {
        self.drain(false).await?;
        // With nothing open a run is not active, so its active time is that of its last record.
        let active = self.stopwatch.moment().active;
        let active_ms = u64::try_from(active.as_millis()).unwrap_or(u64::MAX);
        let at = self.append_one(Entry::RolledOver { state, active_ms }).await.at;
        self.flush().await;
        let start = Moment { at, active };
        self.segment += 1;
        self.replay = Replay::new(Vec::new(), start);
        self.stopwatch = self.replay.take_stopwatch();
        self.start = start;
        self.last = start;
        self.deaf = false;
        self.asked.clear();
        self.over.clear();
        Ok(Some(start))
    }

    async fn halt(&mut self, error: Error) -> Result<()> {
        self.append_one(Entry::Halted(error.clone())).await;
        self.flush().await;
        self.world.halted = Some(error);
        Ok(())
    }
}

fn effects(operation: &Operation) -> Effects {
    match &operation.kind {
        Kind::Effect(effects) => effects.clone(),
        _ => Effects::pure(),
    }
}

fn broken(message: &str) -> Error {
    Error::new(Code::Internal, message)
}
