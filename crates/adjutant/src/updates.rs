//! [`Updates`]: what happens in a run, as it happens.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};

use adjutant_agent::View;
use adjutant_core::event::Event;
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::Delta;
use adjutant_durable::{Entry, Observed, Record, RunState};
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

/// What happens in a run, as it happens: first what is recorded already, then what comes. Ends with the run.
///
/// Where it [drives](crate::Run::drive) the run, dropping it stops the driving, not the run: it is recorded and goes on
/// when somebody drives it again.
pub struct Updates {
    observed: BoxStream<'static, Result<Observed>>,
    translator: Translator,
    ready: VecDeque<Update>,
    driving: Option<Driving>,
}

impl Updates {
    pub(crate) fn new(run: &RunId, observed: BoxStream<'static, Result<Observed>>) -> Self {
        Self { observed, translator: Translator::new(run), ready: VecDeque::new(), driving: None }
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
            match futures::ready!(self.observed.poll_next_unpin(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(observed)) => {
                    let updates = self.translator.translate(observed);
                    self.ready.extend(updates);
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
