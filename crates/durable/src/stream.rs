//! The side channel: tokens and progress, which pass by without being recorded.
//!
//! Every delta has a cursor (attempt, sequence) within its step. A channel keeps the deltas of the steps that are
//! still open, so a watcher that comes late, or comes back, gets the text so far and then what follows. What a step
//! said in the end is in the journal, so its deltas are forgotten when it ends; a watcher that fell behind reads it
//! there. A slow watcher holds nothing up and keeps nothing in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use adjutant_core::Error;
use adjutant_core::event::Cursor;
use adjutant_core::id::{RunId, Scope, StepKey};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// One piece of what a step says while it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The step.
    pub step: StepKey,
    /// Its place within the step.
    pub cursor: Cursor,
    /// What it is.
    pub piece: Piece,
}

/// What a delta is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Text of an answer.
    Text(String),
    /// Text of the reasoning before it.
    Reasoning(String),
    /// How far a tool is.
    Progress(String),
    /// The attempt failed with this, and another is made after so many milliseconds.
    Retrying(Error, u64),
    /// A new attempt begins; what the earlier one said is void.
    Reset,
}

/// The deltas of one run.
pub struct Channel {
    log: Mutex<Log>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Log {
    /// The deltas that are still kept, in the order in which they came.
    deltas: BTreeMap<u64, Delta>,
    /// Which of them belong to each step.
    steps: HashMap<StepKey, Vec<u64>>,
    /// The place of the next one.
    end: u64,
}

impl Default for Channel {
    fn default() -> Self {
        Self { log: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Channel {
    fn push(&self, delta: Delta) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let place = log.end;
        log.end += 1;
        log.steps.entry(delta.step.clone()).or_default().push(place);
        log.deltas.insert(place, delta);
        let end = log.end;
        drop(log);
        self.changed.send_replace(end);
    }

    /// Forgets the deltas of a step that has ended. It costs what the step has said, however much the others have.
    pub fn close(&self, step: &StepKey) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for place in log.steps.remove(step).unwrap_or_default() {
            log.deltas.remove(&place);
        }
    }

    /// A reader that begins with what is kept.
    pub fn subscribe(self: &Arc<Self>) -> Reader {
        Reader { channel: Arc::clone(self), next: 0, changed: self.changed.subscribe() }
    }
}

/// Reads a channel at its own pace.
pub struct Reader {
    channel: Arc<Channel>,
    next: u64,
    changed: watch::Receiver<u64>,
}

impl Reader {
    /// The deltas since the last call that are still kept.
    pub fn read(&mut self) -> Vec<Delta> {
        self.changed.mark_unchanged();
        let log = self.channel.log.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = log.deltas.range(self.next..).map(|(_, delta)| delta.clone()).collect();
        self.next = log.end;
        fresh
    }

    /// Waits until there may be more.
    pub async fn changed(&mut self) {
        // The sender lives in the channel that this reader holds.
        let _ = self.changed.changed().await;
    }
}

/// The channels of the runs that one process drives or watches.
#[derive(Default)]
pub struct Hub {
    channels: Mutex<HashMap<(Scope, RunId), std::sync::Weak<Channel>>>,
}

impl Hub {
    /// The channel of a run; it lives as long as somebody holds it.
    pub fn channel(&self, owner: &Scope, run: &RunId) -> Arc<Channel> {
        let key = (owner.clone(), run.clone());
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(&key).and_then(std::sync::Weak::upgrade) {
            return channel;
        }
        channels.retain(|_, channel| channel.strong_count() > 0);
        let channel = Arc::new(Channel::default());
        channels.insert(key, Arc::downgrade(&channel));
        channel
    }
}

/// Where an attempt puts what it says while it works.
#[derive(Clone)]
pub struct Sink {
    channel: Arc<Channel>,
    step: StepKey,
    attempt: u32,
    state: Arc<Mutex<(u64, Instant)>>,
}

impl Sink {
    /// The sink of one attempt. A further attempt begins by telling watchers to forget the one before.
    pub fn new(channel: Arc<Channel>, step: StepKey, attempt: u32) -> Self {
        let sink = Self { channel, step, attempt, state: Arc::new(Mutex::new((0, Instant::now()))) };
        if attempt > 1 {
            sink.push(Piece::Reset);
        }
        sink
    }

    /// A sink that nobody reads.
    pub fn detached() -> Self {
        Self::new(Arc::default(), StepKey::root(), 1)
    }

    /// Says something. It is also the sign of life that an idle limit waits for.
    pub fn push(&self, piece: Piece) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = Cursor { attempt: self.attempt, sequence: state.0 };
        *state = (state.0 + 1, Instant::now());
        drop(state);
        self.channel.push(Delta { step: self.step.clone(), cursor, piece });
    }

    /// How long nothing was said.
    pub fn idle(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(deltas: &[Delta]) -> Vec<&Piece> {
        deltas.iter().map(|delta| &delta.piece).collect()
    }

    #[test]
    fn a_late_reader_gets_the_text_so_far() {
        let channel = Arc::new(Channel::default());
        let sink = Sink::new(Arc::clone(&channel), StepKey::parse("/model#0"), 1);
        sink.push(Piece::Text("a".into()));
        let mut reader = channel.subscribe();
        sink.push(Piece::Text("b".into()));
        assert_eq!(texts(&reader.read()), [&Piece::Text("a".into()), &Piece::Text("b".into())]);
        assert_eq!(reader.read(), []);
    }

    #[test]
    fn a_closed_step_is_forgotten_and_the_others_stay() {
        let channel = Arc::new(Channel::default());
        let one = Sink::new(Arc::clone(&channel), StepKey::parse("/model#0"), 1);
        let two = Sink::new(Arc::clone(&channel), StepKey::parse("/model#1"), 2);
        one.push(Piece::Text("a".into()));
        two.push(Piece::Text("b".into()));
        let mut slow = channel.subscribe();
        channel.close(&StepKey::parse("/model#0"));
        assert_eq!(texts(&slow.read()), [&Piece::Reset, &Piece::Text("b".into())]);
        channel.close(&StepKey::parse("/model#1"));
        two.push(Piece::Text("c".into()));
        assert_eq!(texts(&slow.read()), [&Piece::Text("c".into())]);
    }

    #[test]
    fn nothing_is_kept_of_closed_steps() {
        let channel = Arc::new(Channel::default());
        let open = Sink::new(Arc::clone(&channel), StepKey::parse("/model#0"), 1);
        open.push(Piece::Text("first".into()));
        for step in 1..1_000 {
            let step = StepKey::parse(&format!("/model#{step}"));
            let sink = Sink::new(Arc::clone(&channel), step.clone(), 1);
            sink.push(Piece::Text("a".into()));
            sink.push(Piece::Text(String::new()));
            channel.close(&step);
        }
        // An open step in front of them holds none of them.
        let log = channel.log.lock().unwrap();
        assert_eq!((log.deltas.len(), log.steps.len(), log.end), (1, 1, 1_999));
    }
}
