//! Responses that go on without their client: who comes back hears what was told meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stream::Event;

/// The most events of one response that are remembered. One with more is broken off: whoever comes back must hear all.
const MOST: usize = 20_000;

/// The responses that this process works on in the background.
#[derive(Clone, Default)]
pub(crate) struct Background(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// By tenant and id.
    under: Mutex<HashMap<(String, String), Under>>,
    /// The answers of models among them: no other process goes on with one by itself.
    answers: TaskTracker,
    /// Cancelled when whoever works on one is to leave it to another process.
    leaving: CancellationToken,
}

/// A response under way.
#[derive(Clone)]
pub(super) struct Under {
    events: Arc<Mutex<Vec<Event>>>,
    /// How many there are, and whether that is all.
    told: watch::Receiver<(usize, bool)>,
    pub(super) cancel: CancellationToken,
}

/// Who works on one.
pub(super) struct Working {
    background: Background,
    key: (String, String),
    events: Arc<Mutex<Vec<Event>>>,
    told: watch::Sender<(usize, bool)>,
    pub(super) cancel: CancellationToken,
}

impl Background {
    /// Begins to work on one.
    pub(super) fn begin(&self, tenant: &str, id: &str) -> Working {
        let (sender, receiver) = watch::channel((0, false));
        let (events, cancel) = (Arc::default(), CancellationToken::new());
        let key = (tenant.to_owned(), id.to_owned());
        let under = Under { events: Arc::clone(&events), told: receiver, cancel: cancel.clone() };
        self.lock().insert(key.clone(), under);
        Working { background: self.clone(), key, events, told: sender, cancel }
    }

    /// One that is under way here.
    pub(super) fn find(&self, tenant: &str, id: &str) -> Option<Under> {
        self.lock().get(&(tenant.to_owned(), id.to_owned())).cloned()
    }

    /// Has an answer of a model worked on.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.answers.spawn(work);
    }

    /// Waits until no model answers any more.
    pub(crate) async fn finished(&self) {
        self.0.answers.close();
        self.0.answers.wait().await;
    }

    /// Leaves what is not finished to another process.
    pub(crate) async fn hand_over(&self) {
        self.0.leaving.cancel();
        self.finished().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Under>> {
        self.0.under.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Working {
    /// Waits until this process is to leave it to another.
    pub(super) async fn left(&self) {
        self.background.0.leaving.cancelled().await;
    }

    /// Tells events.
    pub(super) fn tell(&self, new: Vec<Event>) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.extend(new);
        self.told.send_replace((events.len(), false));
    }

    /// Whether no more can be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len() >= MOST
    }

    /// All that was told.
    pub(super) fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let count = self.events.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.told.send_replace((count, true));
        self.background.lock().remove(&self.key);
    }
}

impl Under {
    /// The events from a place on, as soon as there are any; none where that was all.
    pub(super) async fn from(&mut self, place: usize) -> Option<Vec<Event>> {
        let (_, over) = *self.told.wait_for(|(count, over)| *count > place || *over).await.ok()?;
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let new = events.get(place..).unwrap_or_default().to_vec();
        (!new.is_empty() || !over).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn who_comes_back_hears_what_was_told_meanwhile() {
        let background = Background::default();
        let working = background.begin("t", "r");
        let event = |number| Event { number, data: json!({}) };
        working.tell(vec![event(0), event(1)]);
        assert!(background.find("other", "r").is_none());
        let mut under = background.find("t", "r").unwrap();
        assert_eq!(under.from(0).await.unwrap().len(), 2);
        let waiting = tokio::spawn(async move { (under.from(2).await, under.from(3).await) });
        working.tell(vec![event(2)]);
        drop(working);
        let (third, rest) = waiting.await.unwrap();
        assert_eq!((third, rest), (Some(vec![event(2)]), None));
        assert!(background.find("t", "r").is_none());
    }
}
