//! [`View`]: the journal of a run as events.

use std::collections::BTreeMap;

use adjutant_core::event::{EVENT_VERSION, Event, EventKind};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::message::{Part, ToolCall};
use adjutant_core::time::Timestamp;
use adjutant_durable::stream::{Delta, Piece};
use adjutant_durable::{Entry, Kind, Letter, Operation, Outcome, Record};
use adjutant_tool::{Pending, Until};
use serde_json::Value;

use crate::answer::Answer;
use crate::guard::KEPT;
use crate::input::{Input, heard};
use crate::link::Link;
use crate::question;
use crate::returned::{Called, Returned};
use crate::takeover;
use crate::think::MODEL;
use crate::transcript::NOTE;
use crate::workflow::todo_event;

/// Makes events of the records of one run, and of what passes by without being recorded.
///
/// What a record means depends on those before it. It is shown all from the first on, or from where another view
/// [rested on](Self::rests_on).
pub struct View {
    run: RunId,
    at: Timestamp,
    /// Open steps, each with the offset of its record. What answers a timer means nothing.
    open: BTreeMap<StepKey, (u64, Step)>,
    /// The scopes of calls that were announced before their step is recorded, each with the offset of that.
    announced: BTreeMap<StepKey, u64>,
}

/// What an open step is.
enum Step {
    Model {
        /// Whether its words are for nobody yet.
        held: bool,
    },
    Call(Box<Called>),
    Approval(String),
    Question(String),
    Child(RunId),
    Other,
}

impl View {
    /// A view of a run from its first record.
    pub fn new(run: RunId) -> Self {
        Self { run, at: Timestamp::default(), open: BTreeMap::new(), announced: BTreeMap::new() }
    }

    /// The first of the records that what comes may depend on; none where it depends on none. A view that begins there makes the
    /// same of what comes.
    pub fn rests_on(&self) -> Option<u64> {
        let open = self.open.values().map(|(offset, _)| *offset);
        open.chain(self.announced.values().copied()).min()
    }

    /// The events of the next record; none for what only engines care about.
    pub fn record(&mut self, record: &Record) -> Vec<Event> {
        self.at = record.at;
        if let Entry::RolledOver { .. } = record.entry {
            // Keys begin anew.
            self.open.clear();
            self.announced.clear();
        }
        let kinds = self.kinds(record);
        let step = record.entry.key();
        kinds.into_iter().map(|kind| self.event(Some(record.offset), step, kind)).collect()
    }

    /// The event of something that passes by. It has the time of the last record.
    pub fn delta(&self, delta: &Delta) -> Option<Event> {
        let cursor = delta.cursor;
        let kind = match &delta.piece {
            Piece::Text(text) => EventKind::TextDelta { cursor, text: text.clone() },
            Piece::Reasoning(text) => EventKind::ReasoningDelta { cursor, text: text.clone() },
            Piece::Retrying(error, wait_ms) => {
                EventKind::Retrying { error: error.clone(), wait_ms: *wait_ms }
            }
            Piece::Reset => EventKind::Reset { attempt: cursor.attempt },
            Piece::Progress(text) => match self.open.get(&delta.step) {
                Some((_, Step::Call(called))) => {
                    EventKind::ToolProgress { call: called.call.clone(), text: text.clone() }
                }
                _ => EventKind::ModelProgress { text: text.clone() },
            },
        };
        Some(self.event(None, Some(&delta.step), kind))
    }

    fn event(&self, offset: Option<u64>, step: Option<&StepKey>, kind: EventKind) -> Event {
        Event {
            version: EVENT_VERSION,
            run: self.run.clone(),
            offset,
            at: self.at,
            step: step.cloned(),
            kind,
        }
    }

    fn kinds(&mut self, record: &Record) -> Vec<EventKind> {
        match &record.entry {
            Entry::Admitted(admission) => {
                let said = admission.input.to::<Input>().ok().map(|input| EventKind::Heard(input.message));
                let started = EventKind::Started { name: admission.name.clone() };
                [started].into_iter().chain(said).collect()
            }
            Entry::Issued { key, operation, .. } => {
                let (step, kind) = self.begun(record.segment, key, operation);
                if !matches!(operation.kind, Kind::Timer { .. }) {
                    self.open.insert(key.clone(), (record.offset, step));
                }
                Vec::from_iter(kind)
            }
            Entry::Completed { key, outcome } => {
                let step = self.open.remove(key);
                Vec::from_iter(step.and_then(|(_, step)| answered(step, outcome)))
            }
            Entry::Dropped { key } => match self.open.remove(key) {
                // Whoever was about to answer need not any more: the time is over, or the run.
                Some((_, Step::Approval(signal))) => {
                    let answer =
                        serde_json::json!({ "approve": false, "reason": "it is not asked any more" });
                    vec![EventKind::ApprovalAnswered { signal, answer: answer.into() }]
                }
                _ => Vec::new(),
            },
            Entry::Answered { key, operation, outcome, .. } => {
                let events = at_once(operation, outcome);
                if events.iter().any(|event| matches!(event, EventKind::ToolCalled(_))) {
                    self.announced.insert(key.scope(), record.offset);
                }
                events
            }
            Entry::Unknown { reason, .. } => vec![EventKind::OutcomeUnknown { reason: reason.clone() }],
            Entry::Received(Letter::Cancel { reason }) => {
                vec![EventKind::CancelRequested { reason: reason.clone() }]
            }
            Entry::Received(Letter::Pause { reason }) => vec![EventKind::Paused { reason: reason.clone() }],
            Entry::Received(Letter::Resume) => vec![EventKind::Resumed],
            Entry::Halted(error) => vec![EventKind::Halted { error: error.clone() }],
            Entry::Ended(outcome) => vec![EventKind::Ended { result: outcome.clone() }],
            _ => Vec::new(),
        }
    }

    /// What an operation that was asked for is, and the event of its beginning.
    fn begun(&mut self, segment: u32, key: &StepKey, operation: &Operation) -> (Step, Option<EventKind>) {
        let other = || EventKind::Step { operation: operation.name.clone() };
        match &operation.kind {
            Kind::Effect(_) => match (operation.input.to::<Link>(), Called::read(&operation.input)) {
                (Ok(link), _) if operation.name == MODEL => {
                    (Step::Model { held: link.held }, Some(EventKind::ModelCalled { model: link.model }))
                }
                // The call was told of, and what came of it.
                (_, Ok(_)) if operation.name == KEPT => (Step::Other, None),
                (_, Ok(called)) => {
                    let is_news = self.announced.remove(&key.scope()).is_none() && called.resumed.is_none();
                    let event = is_news.then(|| EventKind::ToolCalled(as_call(&called)));
                    (Step::Call(Box::new(called)), event)
                }
                _ if operation.name == NOTE => (Step::Other, None),
                _ => (Step::Other, Some(todo_event(operation).unwrap_or_else(other))),
            },
            Kind::Signal => {
                let (signal, request) = (operation.name.clone(), operation.input.clone());
                if signal.starts_with(takeover::PREFIX) {
                    return (Step::Other, Some(other()));
                }
                match signal.starts_with(question::PREFIX) {
                    true => {
                        (Step::Question(signal.clone()), Some(EventKind::QuestionAsked { signal, request }))
                    }
                    false => (
                        Step::Approval(signal.clone()),
                        Some(EventKind::ApprovalRequested { signal, request }),
                    ),
                }
            }
            Kind::Child => {
                let run = RunId::child(&self.run, segment, key.as_str());
                let event = EventKind::ChildStarted { run: run.clone(), name: operation.name.clone() };
                (Step::Child(run), Some(event))
            }
            _ => (Step::Other, Some(other())),
        }
    }
}

fn as_call(called: &Called) -> ToolCall {
    let arguments = match &called.arguments {
        // As the model wrote it.
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    ToolCall { id: called.call.clone(), name: called.name.clone(), arguments }
}

/// The event of an answer.
fn answered(step: Step, outcome: &Outcome) -> Option<EventKind> {
    match (step, outcome) {
        (Step::Model { held }, Ok(recorded)) => {
            let answer = Answer::read(recorded).ok()?;
            let (usage, cost) = (answer.usage(), answer.cost);
            let mut message = answer.response.message;
            if held {
                message.parts.retain(|part| matches!(part, Part::ToolCall(_)));
            }
            Some(EventKind::ModelAnswered { message, usage, cost })
        }
        (Step::Call(called), outcome) => {
            let returned = match outcome {
                Ok(recorded) => Returned::read(recorded),
                Err(error) => Returned::Failed(error.clone()),
            };
            if let Returned::Pending(pending) = &returned {
                return progress(&called, pending);
            }
            Some(EventKind::ToolAnswered(returned.result(&called.call, &called.name)))
        }
        (Step::Approval(signal), Ok(answer)) => {
            Some(EventKind::ApprovalAnswered { signal, answer: answer.clone() })
        }
        (Step::Child(run), _) => Some(EventKind::ChildEnded { run }),
        (Step::Question(signal), Ok(answer)) => {
            Some(EventKind::QuestionAnswered { signal, answer: answer.clone() })
        }
        _ => None,
    }
}

/// How far a call is that is not over, where it says so.
fn progress(called: &Called, pending: &Pending) -> Option<EventKind> {
    match &pending.until {
        Until::Later { note: Some(note), .. } => {
            Some(EventKind::ToolProgress { call: called.call.clone(), text: note.clone() })
        }
        _ => None,
    }
}

/// The events of an operation that was asked for and answered at once.
fn at_once(operation: &Operation, outcome: &Outcome) -> Vec<EventKind> {
    match operation.kind {
        Kind::Inbox => {
            let messages = outcome.as_ref().ok().and_then(|json| json.to::<Vec<Json>>().ok());
            let messages = messages.unwrap_or_default();
            messages.iter().filter_map(heard).map(EventKind::Heard).collect()
        }
        Kind::Emit => Vec::from_iter(operation.input.to::<EventKind>().ok()),
        _ => vec![EventKind::Step { operation: operation.name.clone() }],
    }
}
