//! [`Updates`]: what happens in a run, as it happens.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use adjutant_agent::View;
use adjutant_core::event::{Event, EventKind};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::Delta;
use adjutant_durable::{Engine, Entry, Observed, Record, RunState};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Something new about a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Something happened in it.
    Event(Box<Event>),
    /// It stands otherwise than before.
    State(RunState),
}

/// Turns what an engine shows of a run into updates.
struct Translator {
    view: View,
    /// The steps that are recorded and have no answer yet.
    open: HashSet<StepKey>,
    /// What passed by before its step was on disk, as work that changes nothing begins at once. It is held back, so
    /// that whatever is shown of a step comes after what happened before it.
    early: Vec<Delta>,
}

impl Translator {
    fn new(run: &RunId) -> Self {
        Self { view: View::new(run.clone()), open: HashSet::new(), early: Vec::new() }
    }

    fn translate(&mut self, observed: Observed) -> Vec<Update> {
        let events = match observed {
            Observed::State(state) => return vec![Update::State(state)],
            Observed::Record(record) => self.record(&record),
            Observed::Delta(delta) if self.open.contains(&delta.step) => {
                Vec::from_iter(self.view.delta(&delta))
            }
            Observed::Delta(delta) => {
                self.early.push(delta);
                Vec::new()
            }
        };
        events.into_iter().map(|event| Update::Event(Box::new(event))).collect()
    }

    fn record(&mut self, record: &Record) -> Vec<Event> {
        let mut events = self.view.record(record);
        match &record.entry {
            Entry::Issued { key, .. } => {
                self.open.insert(key.clone());
                let (now, later) =
                    std::mem::take(&mut self.early).into_iter().partition(|delta| delta.step == *key);
                self.early = later;
                let now: Vec<Delta> = now;
                events.extend(now.iter().filter_map(|delta| self.view.delta(delta)));
            }
            Entry::RolledOver { .. } => self.open.clear(),
            entry => {
                if let Some(key) = entry.key().filter(|_| !matches!(entry, Entry::Attempted { .. })) {
                    self.open.remove(key);
                    self.early.retain(|delta| delta.step != *key);
                }
            }
        }
        events
    }
}

/// A run that is watched because another one waits for it.
struct Child {
    run: RunId,
    observed: BoxStream<'static, Result<Observed>>,
    translator: Translator,
}

impl Child {
    /// What happens next in it, and in those that it waits for in turn; none when it is over. How it stands is its
    /// own affair.
    fn poll_event(
        &mut self,
        engine: &Arc<dyn Engine>,
        started: &mut Vec<Child>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Vec<Update>>>> {
        match futures::ready!(self.observed.poll_next_unpin(cx)) {
            None => Poll::Ready(None),
            // Whoever erases runs may take one of these first.
            Some(Err(error)) if error.code() == Code::NotFound => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            Some(Ok(observed)) => {
                let mut updates = self.translator.translate(observed);
                updates.retain(|update| matches!(update, Update::Event(_)));
                started.extend(children(&updates, engine));
                Poll::Ready(Some(Ok(updates)))
            }
        }
    }
}

/// The runs that began to be waited for.
fn children(updates: &[Update], engine: &Arc<dyn Engine>) -> Vec<Child> {
    let started = updates.iter().filter_map(|update| match update {
        Update::Event(event) => match &event.kind {
            EventKind::ChildStarted { run, .. } => Some(run),
            _ => None,
        },
        Update::State(_) => None,
    });
    let watch = |run: &RunId| Child {
        run: run.clone(),
        observed: engine.watch(run, 0),
        translator: Translator::new(run),
    };
    started.map(watch).collect()
}

/// What happens in a run, as it happens: first what is recorded already, then what comes. Ends with the run. What happens
/// in the runs that it started and waits for is among it; [`Event::run`] says where an event happened.
///
/// Where it [drives](crate::Run::drive) the run, dropping it stops the driving, not the run: it is recorded and goes on
/// when somebody drives it again.
pub struct Updates {
    observed: BoxStream<'static, Result<Observed>>,
    translator: Translator,
    ready: VecDeque<Update>,
    /// What watches the runs that this one waits for; none where nobody wants to see them.
    engine: Option<Arc<dyn Engine>>,
    children: Vec<Child>,
    /// What is shown only when what happened in a child was: its end.
    held: Option<(RunId, Vec<Update>)>,
    driving: Option<Driving>,
    rests_on: u64,
}

impl Updates {
    pub(crate) fn new(run: &RunId, observed: BoxStream<'static, Result<Observed>>) -> Self {
        Self {
            observed,
            translator: Translator::new(run),
            ready: VecDeque::new(),
            engine: None,
            children: Vec::new(),
            held: None,
            driving: None,
            rests_on: 0,
        }
    }

    /// From which record on the run must be [watched](crate::Run::watch_from) by somebody who has seen all up to the last update,
    /// so that what comes after means the same to them.
    pub fn rests_on(&self) -> u64 {
        self.rests_on
    }

    /// Shows what happens in the runs that this one waits for, too.
    pub(crate) fn with_children(mut self, engine: &Arc<dyn Engine>) -> Self {
        self.engine = Some(Arc::clone(engine));
        self
    }

    /// Takes what happened in the runs that this one waits for. Those that are over are watched no longer.
    fn look_at_children(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(engine) = self.engine.clone() else { return Ok(()) };
        let mut started = Vec::new();
        let mut failed = None;
        self.children.retain_mut(|child| {
            loop {
                match child.poll_event(&engine, &mut started, cx) {
                    Poll::Pending => return true,
                    Poll::Ready(None) => return false,
                    Poll::Ready(Some(Ok(updates))) => self.ready.extend(updates),
                    Poll::Ready(Some(Err(error))) => {
                        failed = Some(error);
                        return false;
                    }
                }
            }
        });
        let is_more = !started.is_empty();
        self.children.extend(started);
        match failed {
            Some(error) => Err(error),
            // They have not been looked at yet, so nobody would wake us for them.
            None if is_more => self.look_at_children(cx),
            None => Ok(()),
        }
    }

    /// Shows what happened in the run itself; the end of a child after all that happened in that.
    fn show(&mut self, updates: Vec<Update>) {
        if let Some(engine) = &self.engine {
            let started = children(&updates, engine);
            self.children.extend(started);
        }
        let ended = updates.iter().find_map(|update| match update {
            Update::Event(event) => match &event.kind {
                EventKind::ChildEnded { run } => Some(run.clone()),
                _ => None,
            },
            Update::State(_) => None,
        });
        match ended {
            Some(run) => self.held = Some((run, updates)),
            None => self.ready.extend(updates),
        }
    }

    pub(crate) fn driven_by(mut self, driving: Driving) -> Self {
        self.driving = Some(driving);
        self
    }

    /// Stops driving, and waits until the run is free for others. Without it that takes until the lease runs out where
    /// the process ends at once.
    pub async fn stop(mut self) -> Result<()> {
        match self.driving.take() {
            Some(driving) => driving.stop().await,
            None => Ok(()),
        }
    }
}

impl Stream for Updates {
    type Item = Result<Update>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(update)));
            }
            if let Some(Err(error)) = self.driving.as_mut().and_then(|driving| driving.failed(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            if let Err(error) = self.look_at_children(cx) {
                return Poll::Ready(Some(Err(error)));
            }
            if !self.ready.is_empty() {
                continue;
            }
            if let Some((run, updates)) = self.held.take() {
                if self.children.iter().any(|child| child.run == run) {
                    self.held = Some((run, updates));
                    return Poll::Pending;
                }
                self.ready.extend(updates);
                continue;
            }
            match futures::ready!(self.observed.poll_next_unpin(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(observed)) => {
                    // As it was before, since whoever has seen some of what a record means needs the rest of it.
                    self.rests_on = match (&observed, self.translator.view.rests_on()) {
                        (Observed::Record(record), open) => open.unwrap_or(record.offset).min(record.offset),
                        (_, open) => open.unwrap_or(self.rests_on),
                    };
                    let updates = self.translator.translate(observed);
                    self.show(updates);
                }
            }
        }
    }
}

/// The task that drives a run.
pub(crate) struct Driving {
    task: Option<JoinHandle<Result<()>>>,
    stop: CancellationToken,
}

impl Driving {
    pub(crate) fn new(task: JoinHandle<Result<()>>, stop: CancellationToken) -> Self {
        Self { task: Some(task), stop }
    }

    /// How the task ended, once, if it has ended.
    fn failed(&mut self, cx: &mut Context<'_>) -> Option<Result<()>> {
        let Poll::Ready(joined) = self.task.as_mut()?.poll_unpin(cx) else { return None };
        self.task = None;
        Some(joined.unwrap_or_else(|error| Err(gone(&error))))
    }

    async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        match self.task.take() {
            Some(task) => task.await.unwrap_or_else(|error| Err(gone(&error))),
            None => Ok(()),
        }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn gone(error: &tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "the task that drives the run is gone").caused_by(error)
}
