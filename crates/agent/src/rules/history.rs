//! What was decided in a run, read back from its journal.

use std::collections::BTreeMap;

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error};
use adjutant_durable::{Entry, Kind, Operation, Record};
use adjutant_policy::facts::{Action, Past, Request};
use adjutant_policy::{Outcome, Verdict};
use serde::Serialize;
use serde_json::Value;

use super::decision::{Considered, DECIDE, Ruling};
use super::log::made;
use crate::approval::{self, Answered, OPENING};
use crate::delegation::USED;
use crate::purse::Used;
use crate::reply::Reply;
use crate::returned::{Called, Returned};

/// Something that was decided in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The segment of the step.
    pub segment: u32,
    /// The step.
    pub key: StepKey,
    /// When it was decided.
    pub at: Timestamp,
    /// What was known, whole: with the arguments, and with all calls that were made before.
    pub request: Request,
    /// What was decided.
    pub verdict: Verdict,
    /// What else had a say in it after that.
    pub later: Vec<Later>,
}

/// What else had a say in a call after it was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Later {
    /// A person was asked.
    Asked {
        /// Why.
        why: String,
    },
    /// A person agreed.
    Approved {
        /// Who.
        by: Option<String>,
        /// Whether they changed the call.
        edited: bool,
    },
    /// A person answered in the place of the tool.
    Answered,
    /// A person had allowed it beforehand.
    Granted {
        /// The grant.
        grant: String,
        /// Who gave it.
        by: String,
    },
    /// It was not made.
    Denied {
        /// Why, as the model heard it.
        why: String,
    },
}

/// What was decided in a run, in order. `before` is what was done in its session before it, and by those for whom it works.
pub fn decisions(records: &[Record], before: &[Past]) -> Vec<Decided> {
    let mut reading = Reading { past: before.to_vec(), ..Reading::default() };
    records.iter().for_each(|record| reading.take(record));
    reading.decided
}

/// The calls that a run has made, in the order in which they ended, with those of the runs that worked for it. What was under
/// way when the run ended may have happened.
pub fn past(records: &[Record]) -> Vec<Past> {
    let mut reading = Reading::default();
    records.iter().for_each(|record| reading.take(record));
    let lost = Returned::Failed(Error::new(Code::ToolBroken, "the run was over before the call was"));
    for (operation, at, _) in std::mem::take(&mut reading.open).into_values() {
        reading.called(operation, at, &lost);
    }
    reading.past
}

#[derive(Default)]
struct Reading<'a> {
    /// The steps that are under way, with the time and the number of calls that were over when they began.
    open: BTreeMap<(u32, &'a StepKey), (&'a Operation, Timestamp, usize)>,
    past: Vec<Past>,
    decided: Vec<Decided>,
}

impl<'a> Reading<'a> {
    fn take(&mut self, record: &'a Record) {
        match &record.entry {
            Entry::Issued { key, operation, .. } => {
                self.open.insert((record.segment, key), (operation, record.at, self.past.len()));
                if let Some(request) = asked(operation) {
                    self.then(record.segment, key, Later::Asked { why: request.why });
                }
            }
            Entry::Completed { key, outcome } | Entry::Late { key, outcome } => {
                let Some((operation, at, before)) = self.open.remove(&(record.segment, key)) else { return };
                match outcome {
                    Ok(recorded)
                        if operation.name == DECIDE
                            && self.decided(record.segment, key, operation, at, before, recorded) => {}
                    Ok(recorded) if operation.kind == Kind::Child => {
                        self.past.extend(recorded.to::<Reply>().into_iter().flat_map(|reply| reply.past));
                    }
                    Ok(recorded) if operation.name == USED && operation.input == Json::null() => {
                        self.past.extend(recorded.to::<Used>().into_iter().flat_map(|used| used.past));
                    }
                    Ok(recorded) => self.called(operation, at, &Returned::read(recorded)),
                    Err(error) => self.called(operation, at, &Returned::Failed(error.clone())),
                }
                self.heard(record.segment, key, operation, outcome.as_ref());
            }
            _ => {}
        }
    }

    /// Takes in what was decided; whether it was that: a tool may have the same name.
    fn decided(
        &mut self,
        segment: u32,
        key: &StepKey,
        operation: &Operation,
        at: Timestamp,
        before: usize,
        recorded: &Json,
    ) -> bool {
        let (Ok(considered), Ok(ruling)) = (operation.input.to::<Considered>(), recorded.to::<Ruling>())
        else {
            return false;
        };
        let mut request = ruling.request;
        request.arguments = considered.arguments;
        request.session.calls = self.past.iter().take(before).cloned().collect();
        let (key, verdict, later) = (key.clone(), ruling.verdict, Vec::new());
        // What a person has agreed to is decided again, and may be denied then.
        let is_same = |one: &&mut Decided| {
            one.segment == segment && one.key.scope() == key.scope() && one.request.action == request.action
        };
        if verdict.outcome == Outcome::Deny
            && let Some(before) = self.decided.iter_mut().rev().find(is_same)
        {
            let why = verdict.tell.clone().unwrap_or_else(|| verdict.reason.clone());
            before.later.push(Later::Denied { why });
        }
        self.decided.push(Decided { segment, key, at, request, verdict, later });
        true
    }

    /// Takes in what came of a call of a tool, if it was one.
    fn called(&mut self, operation: &Operation, at: Timestamp, returned: &Returned) {
        if matches!(operation.kind, Kind::Effect(_))
            && let Ok(called) = Called::read(&operation.input)
            && operation.name == called.name
        {
            self.past.extend(made(&called, at, returned));
        }
    }

    /// Takes in what a step says about a call that was decided before it.
    fn heard(&mut self, segment: u32, key: &StepKey, operation: &Operation, outcome: Result<&Json, &Error>) {
        let later = match outcome {
            Err(error) if error.code() == Code::ToolDenied => Later::Denied { why: error.to_string() },
            Ok(recorded) if operation.name == OPENING => match approval::granted(recorded) {
                Some(grant) => Later::Granted { grant: grant.id, by: grant.by },
                None => return,
            },
            Ok(answer) if operation.kind == Kind::Signal => {
                let Some(request) = asked(operation) else { return };
                let by = || answer.value().get("by").and_then(Value::as_str).map(str::to_owned);
                match approval::judge(answer, &request, &operation.name) {
                    Answered::Approved(_) => Later::Approved { by: by(), edited: false },
                    Answered::Edited(_) => Later::Approved { by: by(), edited: true },
                    Answered::Instead(_) => Later::Answered,
                    // The step that stands for the call says it.
                    Answered::Denied(_) => return,
                }
            }
            Ok(recorded) if Called::read(&operation.input).is_ok() => match Returned::read(recorded) {
                Returned::Failed(error) | Returned::Telling(error, _) if error.code() == Code::ToolDenied => {
                    Later::Denied { why: error.to_string() }
                }
                _ => return,
            },
            _ => return,
        };
        self.then(segment, key, later);
    }

    /// Notes something of the call that was decided in the scope of a step.
    fn then(&mut self, segment: u32, key: &StepKey, later: Later) {
        let scope = key.scope();
        let mut decided = self.decided.iter_mut().rev();
        let Some(decided) = decided.find(|decided| {
            decided.segment == segment
                && decided.key.scope() == scope
                && !matches!(decided.request.action, Action::Resource { .. })
        }) else {
            return;
        };
        // That what was denied is not made is nothing else.
        if decided.verdict.outcome != Outcome::Deny {
            decided.later.push(later);
        }
    }
}

/// The request for approval that an operation waits for an answer to.
fn asked(operation: &Operation) -> Option<approval::Request> {
    let is_one = operation.kind == Kind::Signal && operation.name.starts_with(approval::PREFIX);
    is_one.then(|| operation.input.to().ok()).flatten()
}
