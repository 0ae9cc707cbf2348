//! [`Ctx`]: what a run's code sees of the world.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use adjutant_core::event::EventKind;
use adjutant_core::id::{RunId, Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};

use crate::admission::Admission;
use crate::mail::cancelled;
use crate::operation::{Effects, Kind, Operation};
use crate::record::Outcome;
use crate::replay::Moment;
use crate::session::Request;
use crate::work::Work;

/// After so many operations were refused because the run is cancelled, the code is taken not to listen.
const REFUSALS: u32 = 10_000;

/// What a run's code sees of the world: everything that is not determined by the code itself goes through here and
/// is recorded. Cheap to clone; a clone is the same scope.
///
/// Futures of operations may be joined, raced (with a *biased* select) and dropped. Code over a `Ctx` must not spawn
/// tasks, read clocks, draw random numbers or wait for anything else.
#[derive(Clone)]
pub struct Ctx {
    shared: Arc<Shared>,
    scope: StepKey,
}

struct Shared {
    run: RunId,
    owner: Scope,
    segment: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the code asked for since the driver last looked, in order.
    asks: Vec<Ask>,
    /// The operations that wait for an answer, each with the count of operations asked before it.
    waiting: HashMap<StepKey, Slot>,
    asked: u64,
    counts: HashMap<String, u32>,
    moment: Moment,
    cancelled: Option<String>,
    refused: u32,
    rolling: Option<Json>,
}

struct Slot {
    order: u64,
    outcome: Option<Outcome>,
    waker: Waker,
}

impl State {
    /// Whether any operation waits for an answer. One that has its answer, at which the code does not look, does not.
    fn is_waiting(&self) -> bool {
        self.waiting.values().any(|slot| slot.outcome.is_none())
    }
}

pub(crate) enum Ask {
    Issue(Request),
    Withdraw(StepKey),
}

/// What came for the run since it last looked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inbox {
    /// The messages, oldest first.
    pub messages: Vec<Json>,
}

impl Ctx {
    /// The context of one segment of a run, which begins at a moment.
    pub fn new(run: RunId, owner: Scope, segment: u32, moment: Moment) -> Self {
        let state = Mutex::new(State { moment, ..State::default() });
        Self { shared: Arc::new(Shared { run, owner, segment, state }), scope: StepKey::root() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.shared.run
    }

    /// Whose run it is.
    pub fn owner(&self) -> &Scope {
        &self.shared.owner
    }

    /// The segment of the run, from 0.
    pub fn segment(&self) -> u32 {
        self.shared.segment
    }

    /// The path of this scope.
    pub fn path(&self) -> &StepKey {
        &self.scope
    }

    /// How many operations the code of this segment has asked for. It is the same on every replay.
    pub fn asked(&self) -> u64 {
        self.state().asked
    }

    /// A scope within this one. Give each concurrent branch its own, so that a step added to one renumbers no other.
    #[must_use]
    pub fn scope(&self, name: &str) -> Self {
        Self { shared: Arc::clone(&self.shared), scope: self.key(name) }
    }

    /// A scope for each of at most `most` rounds.
    pub fn rounds(&self, most: u32) -> impl Iterator<Item = Self> {
        let ctx = self.clone();
        (0..most).map(move |_| ctx.scope("round"))
    }

    /// The time of the last answer that was delivered. It is recorded, so a replay sees the same; asking costs
    /// nothing.
    pub fn now(&self) -> Timestamp {
        self.state().moment.at
    }

    /// How long the run has been active (see [`Moment::active`]).
    pub fn active(&self) -> Duration {
        self.state().moment.active
    }

    /// The point in the run's own time at which the last answer was delivered.
    pub fn moment(&self) -> Moment {
        self.state().moment
    }

    /// Why the run is to stop, if it was told to.
    pub fn cancelled(&self) -> Option<String> {
        self.state().cancelled.clone()
    }

    /// Does something outside. Fails with what the work fails with, or with [`Code::RunCancelled`].
    pub async fn effect(&self, name: &str, effects: Effects, input: Json, work: impl Work) -> Result<Json> {
        self.ask(Kind::Effect(effects), name, input, Some(Arc::new(work))).await
    }

    /// Does something outside to put things in order, also where the run was told to stop: everything else is refused then.
    /// Fails with what the work fails with.
    pub async fn clean_up(&self, name: &str, effects: Effects, input: Json, work: impl Work) -> Result<Json> {
        let operation = Operation { kind: Kind::Effect(effects), name: name.to_owned(), input };
        Asking { ctx: self, cleans_up: true, stage: Stage::New(operation, Some(Arc::new(work))) }.await
    }

    /// Waits. The deadline is fixed when the wait is recorded. While the run is in memory it is over when the wall clock
    /// shows the deadline or as much time has passed, whichever is first; a run that was put aside is woken by the wall
    /// clock alone, so a clock that is set back delays it until it shows the deadline again.
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        let after_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.ask(Kind::Timer { after_ms }, "sleep", Json::null(), None).await.map(drop)
    }

    /// Waits for somebody to answer to `name`. `request` is what they are shown.
    pub async fn signal(&self, name: &str, request: Json) -> Result<Json> {
        self.ask(Kind::Signal, name, request, None).await
    }

    /// Starts another run and waits for its end. The run's id and origin are set here; its budget is this run's
    /// unless the admission brings its own.
    pub async fn child(&self, name: &str, admission: &Admission) -> Result<Json> {
        self.ask(Kind::Child, name, Json::of(admission)?, None).await
    }

    /// Reads what people said to the run meanwhile, without waiting.
    pub async fn inbox(&self) -> Result<Inbox> {
        let messages = self.ask(Kind::Inbox, "inbox", Json::null(), None).await?;
        Ok(Inbox { messages: messages.to()? })
    }

    /// Draws 16 random bytes.
    pub async fn random(&self) -> Result<[u8; 16]> {
        self.ask(Kind::Random, "random", Json::null(), None).await?.to()
    }

    /// Marks a change in the sequence of steps: true for runs that came here first with this code, false for those
    /// that were here before the change and must go on as they did.
    pub async fn version(&self, id: &str) -> Result<bool> {
        self.ask(Kind::Version, id, Json::null(), None).await?.to()
    }

    /// Records an event for those who watch.
    pub fn emit(&self, event: &EventKind) -> Result<()> {
        let operation = Operation { kind: Kind::Emit, name: "emit".to_owned(), input: Json::of(event)? };
        let key = self.operation_key(&operation);
        let mut state = self.state();
        if state.cancelled.is_none() {
            state.asks.push(Ask::Issue(Request { key, operation, work: None }));
        }
        Ok(())
    }

    /// Ends this segment of the run and begins the next with `state`: the code starts again, with an empty journal in
    /// front of it. Only in the root scope, with no operation open. Never returns `Ok`.
    pub async fn roll_over(&self, state: Json) -> Result<Infallible> {
        {
            let mut shared = self.state();
            if self.scope != StepKey::root() || shared.is_waiting() {
                return Err(Error::new(
                    Code::Internal,
                    format!(
                        "a run rolls over only in its root scope with nothing open, not in `{}`",
                        self.scope
                    ),
                ));
            }
            if let Some(reason) = &shared.cancelled {
                return Err(cancelled(reason));
            }
            shared.rolling = Some(state);
        }
        std::future::pending().await
    }

    fn key(&self, name: &str) -> StepKey {
        self.count(&plain(name))
    }

    fn operation_key(&self, operation: &Operation) -> StepKey {
        match operation.kind {
            // Adding or removing a mark or an event must not renumber a step of the same name.
            Kind::Version | Kind::Emit => self.count(&format!("@{}", plain(&operation.name))),
            _ => self.key(&operation.name),
        }
    }

    fn count(&self, name: &str) -> StepKey {
        let mut state = self.state();
        let count = state.counts.entry(format!("{}/{name}", self.scope)).or_default();
        let key = self.scope.join(name, *count);
        *count += 1;
        key
    }

    fn ask(&self, kind: Kind, name: &str, input: Json, work: Option<Arc<dyn Work>>) -> Asking<'_> {
        let operation = Operation { kind, name: name.to_owned(), input };
        Asking { ctx: self, cleans_up: false, stage: Stage::New(operation, work) }
    }
}

/// A name without the characters that keys are made of.
fn plain(name: &str) -> String {
    name.replace(['/', '#', '@'], "-")
}

/// The future of one operation.
struct Asking<'a> {
    ctx: &'a Ctx,
    /// Whether it is asked for also when the run was told to stop.
    cleans_up: bool,
    stage: Stage,
}

enum Stage {
    New(Operation, Option<Arc<dyn Work>>),
    Waiting(StepKey),
    Over,
}

impl Future for Asking<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::New(operation, work) => self.begin(operation, work, cx.waker()),
            Stage::Waiting(key) => {
                let mut state = self.ctx.state();
                let Some(slot) = state.waiting.get_mut(&key) else { return Poll::Pending };
                if let Some(outcome) = slot.outcome.take() {
                    state.waiting.remove(&key);
                    return Poll::Ready(outcome);
                }
                slot.waker.clone_from(cx.waker());
                drop(state);
                self.stage = Stage::Waiting(key);
                Poll::Pending
            }
            Stage::Over => Poll::Pending,
        }
    }
}

impl Asking<'_> {
    fn begin(&mut self, operation: Operation, work: Option<Arc<dyn Work>>, waker: &Waker) -> Poll<Outcome> {
        let key = self.ctx.operation_key(&operation);
        let mut state = self.ctx.state();
        if let Some(reason) = state.cancelled.clone().filter(|_| !self.cleans_up) {
            state.refused += 1;
            let listens = state.refused < REFUSALS;
            return if listens { Poll::Ready(Err(cancelled(&reason))) } else { Poll::Pending };
        }
        state.asked += 1;
        let order = state.asked;
        state.waiting.insert(key.clone(), Slot { order, outcome: None, waker: waker.clone() });
        state.asks.push(Ask::Issue(Request { key: key.clone(), operation, work }));
        drop(state);
        self.stage = Stage::Waiting(key);
        Poll::Pending
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Stage::Waiting(key) = &self.stage {
            let mut state = self.ctx.state();
            // An answer that was delivered but not looked at is not a withdrawal.
            if state.waiting.remove(key).is_some_and(|slot| slot.outcome.is_none()) {
                state.asks.push(Ask::Withdraw(key.clone()));
            }
        }
    }
}

/// The driver's side.
impl Ctx {
    pub(crate) fn take_asks(&self) -> Vec<Ask> {
        std::mem::take(&mut self.state().asks)
    }

    pub(crate) fn take_rolling(&self) -> Option<Json> {
        self.state().rolling.take()
    }

    /// Whether any operation waits for an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.state().is_waiting()
    }

    pub(crate) fn deliver(&self, key: &StepKey, outcome: Outcome, moment: Moment) {
        let mut state = self.state();
        state.moment = moment;
        if let Some(slot) = state.waiting.get_mut(key) {
            slot.outcome = Some(outcome);
            let waker = slot.waker.clone();
            drop(state);
            waker.wake();
        }
    }

    /// Fails every open operation, and says which, in the order in which they were asked for.
    pub(crate) fn cancel(&self, reason: &str, moment: Moment) -> Vec<StepKey> {
        let mut state = self.state();
        state.moment = moment;
        state.cancelled = Some(reason.to_owned());
        let mut open: Vec<_> = state
            .waiting
            .iter_mut()
            .filter(|(_, slot)| slot.outcome.is_none())
            .map(|(key, slot)| {
                slot.outcome = Some(Err(cancelled(reason)));
                (slot.order, key.clone(), slot.waker.clone())
            })
            .collect();
        drop(state);
        open.sort_by_key(|(order, ..)| *order);
        open.into_iter()
            .map(|(_, key, waker)| {
                waker.wake();
                key
            })
            .collect()
    }
}
