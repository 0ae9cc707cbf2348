//! Replay: answering a run's code from its journal. Pure: records and questions in, answers out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;

use crate::engine::Wait;
use crate::mail::{Letter, Resolution};
use crate::operation::{Kind, Operation};
use crate::record::{Divergence, Entry, Outcome, Record};

/// A point in a run's own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The wall-clock time of the record.
    pub at: Timestamp,
    /// How long the run has been active by then: the time in which an effect was open, without the time in which it
    /// waited for people, timers and other runs, or had no process.
    pub active: Duration,
}

/// Measures a run's own time by its records, so that a replay sees the same time as the first execution.
#[derive(Debug, Default)]
pub struct Stopwatch {
    moment: Moment,
    open: HashSet<StepKey>,
}

impl Stopwatch {
    /// Begins at a moment.
    pub fn new(moment: Moment) -> Self {
        Self { moment, open: HashSet::new() }
    }

    /// The moment of the last record.
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// Takes the next record.
    pub fn observe(&mut self, at: Timestamp, entry: &Entry) -> Moment {
        let idle = self.open.is_empty() || matches!(entry, Entry::Activated { .. });
        if !idle {
            self.moment.active += at.since(self.moment.at);
        }
        self.moment.at = self.moment.at.max(at);
        match entry {
            Entry::Issued { key, operation: Operation { kind: Kind::Effect(_), .. }, .. } => {
                self.open.insert(key.clone());
            }
            // After an unknown outcome the effect is done again.
            Entry::Attempted { key, .. } => {
                self.open.insert(key.clone());
            }
            Entry::Completed { key, .. }
            | Entry::Late { key, .. }
            | Entry::Dropped { key }
            | Entry::Unknown { key, .. } => {
                self.open.remove(key);
            }
            _ => {}
        }
        self.moment
    }
}

/// Something that was recorded and is to be delivered to the code.
#[derive(Debug)]
pub enum Delivery {
    /// An answer.
    Completed {
        /// The step.
        key: StepKey,
        /// The answer.
        outcome: Outcome,
        /// When it was recorded.
        moment: Moment,
    },
    /// The run was told to stop.
    Cancelled {
        /// Why.
        reason: String,
        /// When it was recorded.
        moment: Moment,
    },
}

/// What the journal knows of an operation that the code asks for.
#[derive(Debug, PartialEq)]
pub enum Asked {
    /// Nothing: record it and begin.
    New,
    /// It was begun and has no answer.
    Open {
        /// When it was recorded.
        issued: Timestamp,
        /// How many attempts had their intent recorded.
        attempts: u32,
        /// Why its outcome is not known, if that was recorded and not resolved.
        unknown: Option<String>,
        /// Whether a person said to do it again.
        retry: bool,
        /// Whether the code took it back: it is only to be found out what came of it, and nothing begins any more.
        dropped: bool,
    },
    /// Its answer is recorded and will be delivered, or the code will take it back as it did before.
    Settled,
    /// It is an event that this run is too old to have.
    Absent,
}

#[derive(Debug)]
struct Step {
    operation: Operation,
    issued: Timestamp,
    asked: bool,
    settled: bool,
    dropped: bool,
    attempts: u32,
    unknown: Option<String>,
    retry: bool,
}

/// The journal of one segment of a run, as answers to what its code asks.
#[derive(Debug, Default)]
pub struct Replay {
    steps: HashMap<StepKey, Step>,
    deliveries: VecDeque<Delivery>,
    /// Marks that the run is too old to have. They are answered at once, and with the time that the code knows: the
    /// same at every replay, however long the journal is by then.
    absent: VecDeque<StepKey>,
    delivered: Moment,
    withdrawn: HashSet<StepKey>,
    /// Steps that the code took back by the record, and has not taken back yet.
    kept: HashSet<StepKey>,
    /// Recorded steps that the code has not asked for yet; events do not count.
    unasked: usize,
    stopwatch: Stopwatch,
    cancelled: bool,
}

impl Replay {
    /// Takes the records of one segment; `start` is the moment at which it began.
    pub fn new(records: Vec<Record>, start: Moment) -> Self {
        let mut replay = Self { stopwatch: Stopwatch::new(start), delivered: start, ..Self::default() };
        for record in records {
            replay.take(record);
        }
        replay
    }

    fn take(&mut self, Record { at, entry, .. }: Record) {
        let moment = self.stopwatch.observe(at, &entry);
        match entry {
            Entry::Issued { key, operation, .. } => self.add(key, operation, at, false),
            Entry::Answered { key, operation, outcome, .. } => {
                let delivered = operation.kind != Kind::Emit;
                self.add(key.clone(), operation, at, true);
                if delivered {
                    self.deliveries.push_back(Delivery::Completed { key, outcome, moment });
                }
            }
            Entry::Attempted { key, attempt, .. } => self.change(&key, |step| {
                step.attempts = attempt;
                step.retry = false;
            }),
            Entry::Completed { key, outcome } => {
                self.change(&key, |step| step.settled = true);
                self.deliveries.push_back(Delivery::Completed { key, outcome, moment });
            }
            Entry::Late { key, .. } => self.change(&key, |step| step.settled = true),
            Entry::Dropped { key } => {
                self.change(&key, |step| step.dropped = true);
                self.kept.insert(key);
            }
            Entry::Unknown { key, reason } => self.change(&key, |step| step.unknown = Some(reason)),
            Entry::Received(Letter::Resolve { key, resolution: Resolution::Retry }) => {
                self.change(&key, |step| {
                    step.unknown = None;
                    step.retry = true;
                });
            }
            Entry::Received(Letter::Cancel { reason }) if !self.cancelled => {
                self.cancelled = true;
                self.deliveries.push_back(Delivery::Cancelled { reason, moment });
            }
            _ => {}
        }
    }

    fn add(&mut self, key: StepKey, operation: Operation, issued: Timestamp, settled: bool) {
        if operation.kind != Kind::Emit {
            self.unasked += 1;
        }
        let step = Step {
            operation,
            issued,
            asked: false,
            settled,
            dropped: false,
            attempts: 0,
            unknown: None,
            retry: false,
        };
        self.steps.insert(key, step);
    }

    fn change(&mut self, key: &StepKey, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.steps.get_mut(key) {
            change(step);
        }
    }

    /// The moment of the last record.
    pub fn moment(&self) -> Moment {
        self.stopwatch.moment()
    }

    /// Gives the time-keeping over to whoever records what comes next.
    pub fn take_stopwatch(&mut self) -> Stopwatch {
        std::mem::take(&mut self.stopwatch)
    }

    /// Whether the run was told to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Whether the code has asked for less than what is recorded.
    pub fn is_replaying(&self) -> bool {
        self.unasked > 0
    }

    /// Whether there are recorded answers that the code has not had.
    pub fn is_delivering(&self) -> bool {
        !self.deliveries.is_empty()
    }

    /// The code asks for an operation.
    pub fn ask(&mut self, key: &StepKey, operation: &Operation) -> Result<Asked, Divergence> {
        let replaying = self.is_replaying();
        let Some(step) = self.steps.get_mut(key) else {
            return match operation.kind {
                _ if !replaying => Ok(Asked::New),
                Kind::Emit => Ok(Asked::Absent),
                Kind::Version => {
                    self.absent.push_back(key.clone());
                    Ok(Asked::Settled)
                }
                _ => Err(Divergence::Added { key: key.clone(), asked: operation.summary() }),
            };
        };
        if step.operation.kind == Kind::Emit && operation.kind == Kind::Emit {
            step.asked = true;
            return Ok(Asked::Settled);
        }
        if step.operation.hash() != operation.hash() {
            let recorded = step.operation.summary();
            return Err(Divergence::Changed { key: key.clone(), recorded, asked: operation.summary() });
        }
        if !step.asked {
            step.asked = true;
            self.unasked -= 1;
        }
        let repeatable = match &operation.kind {
            Kind::Effect(effects) => effects.effect.is_repeatable(),
            _ => true,
        };
        // A dropped effect that must not be repeated stays open until it is known what came of it.
        if step.settled || (step.dropped && (repeatable || step.attempts == 0)) {
            return Ok(Asked::Settled);
        }
        Ok(Asked::Open {
            issued: step.issued,
            attempts: step.attempts,
            unknown: step.unknown.clone(),
            retry: step.retry,
            dropped: step.dropped,
        })
    }

    /// The code takes an operation back. Returns whether that is already recorded.
    pub fn withdraw(&mut self, key: &StepKey) -> bool {
        self.withdrawn.insert(key.clone());
        self.kept.remove(key);
        self.absent.retain(|absent| absent != key);
        self.steps.get(key).is_some_and(|step| step.dropped)
    }

    /// The next recorded answer; none when the code has caught up with the journal.
    pub fn deliver(&mut self) -> Result<Option<Delivery>, Divergence> {
        if let Some(key) = self.absent.pop_front() {
            return Ok(Some(Delivery::Completed { key, outcome: Json::of(&false), moment: self.delivered }));
        }
        while let Some(delivery) = self.deliveries.pop_front() {
            let (key, moment) = match &delivery {
                Delivery::Completed { key, moment, .. } => (Some(key), *moment),
                Delivery::Cancelled { moment, .. } => (None, *moment),
            };
            match key {
                Some(key) if self.withdrawn.contains(key) => continue,
                Some(key) if !self.steps.get(key).is_some_and(|step| step.asked) => {
                    return Err(Divergence::Missing { key: key.clone(), recorded: self.summary(key) });
                }
                _ => {}
            }
            self.delivered = moment;
            return Ok(Some(delivery));
        }
        self.caught_up().map(|()| None)
    }

    fn summary(&self, key: &StepKey) -> String {
        self.steps.get(key).map_or_else(|| "an answer".to_owned(), |step| step.operation.summary())
    }

    /// Checks that nothing recorded was left out; to be asked when the code ends.
    pub fn caught_up(&self) -> Result<(), Divergence> {
        if !self.is_replaying() {
            return match self.kept.iter().min() {
                Some(key) => Err(Divergence::Kept { key: key.clone(), recorded: self.summary(key) }),
                None => Ok(()),
            };
        }
        let mut missing: Vec<_> =
            self.steps.iter().filter(|(_, step)| !step.asked && step.operation.kind != Kind::Emit).collect();
        missing.sort_by_key(|(key, _)| *key);
        match missing.first() {
            Some((key, step)) => {
                Err(Divergence::Missing { key: (*key).clone(), recorded: step.operation.summary() })
            }
            None => Ok(()),
        }
    }
}

/// The effects that were begun and must not be repeated, of which no end is recorded, in the order in which they were
/// begun.
pub fn unsettled(records: &[Record]) -> Vec<StepKey> {
    let mut unrepeatable = HashSet::new();
    let mut begun: Vec<StepKey> = Vec::new();
    for Record { entry, .. } in records {
        match entry {
            Entry::Issued { key, operation: Operation { kind: Kind::Effect(effects), .. }, .. }
                if !effects.effect.is_repeatable() =>
            {
                unrepeatable.insert(key);
            }
            Entry::Attempted { key, .. } if unrepeatable.contains(key) && !begun.contains(key) => {
                begun.push(key.clone());
            }
            Entry::Completed { key, .. } | Entry::Late { key, .. } => begun.retain(|begun| begun != key),
            Entry::RolledOver { .. } | Entry::Ended(_) => {
                unrepeatable.clear();
                begun.clear();
            }
            _ => {}
        }
    }
    begun
}

/// What a run waits for that somebody outside may have to do something about, read from its records.
pub fn waits(run: &RunId, records: &[Record]) -> Vec<Wait> {
    let mut open: Vec<Waiting<'_>> = Vec::new();
    let mut segment = 0;
    for Record { entry, at, offset, .. } in records {
        match entry {
            Entry::Issued { key, operation, .. } => {
                open.push(Waiting { key, operation, since: *at, attempt: 0, unknown: None });
            }
            Entry::Completed { key, .. } | Entry::Late { key, .. } => open.retain(|step| step.key != key),
            // A dropped effect may still have to be resolved.
            Entry::Dropped { key } => {
                open.retain(|step| step.key != key || matches!(step.operation.kind, Kind::Effect(_)));
            }
            Entry::Unknown { key, reason } => {
                let asked = open.iter_mut().filter(|step| step.key == key);
                asked.for_each(|step| step.unknown = Some((reason, *offset)));
            }
            Entry::Attempted { key, attempt, .. } => {
                let tried = open.iter_mut().filter(|step| step.key == key);
                tried.for_each(|step| (step.attempt, step.unknown) = (*attempt, None));
            }
            Entry::Received(Letter::Resolve { key, resolution: Resolution::Retry }) => {
                open.iter_mut().filter(|step| step.key == key).for_each(|step| step.unknown = None);
            }
            Entry::RolledOver { .. } => {
                segment += 1;
                open.clear();
            }
            Entry::Ended(_) => open.clear(),
            _ => {}
        }
    }
    open.into_iter().filter_map(|step| step.wait(run, segment)).collect()
}

/// An operation without an answer, as its records show it.
struct Waiting<'a> {
    key: &'a StepKey,
    operation: &'a Operation,
    since: Timestamp,
    attempt: u32,
    /// Why its outcome is not known, and which record says so.
    unknown: Option<(&'a str, u64)>,
}

impl Waiting<'_> {
    fn wait(self, run: &RunId, segment: u32) -> Option<Wait> {
        let (key, operation) = (self.key.clone(), self.operation);
        match &operation.kind {
            Kind::Effect(_) => self.unknown.map(|(reason, record)| Wait::Unknown {
                key,
                attempt: self.attempt,
                record,
                operation: operation.summary(),
                reason: reason.to_owned(),
            }),
            Kind::Timer { after_ms } => {
                Some(Wait::Timer { key, until: self.since.plus(Duration::from_millis(*after_ms)) })
            }
            Kind::Signal => {
                Some(Wait::Signal { key, name: operation.name.clone(), request: operation.input.clone() })
            }
            Kind::Child => Some(Wait::Child { run: RunId::child(run, segment, key.as_str()), key }),
            _ => None,
        }
    }
}
