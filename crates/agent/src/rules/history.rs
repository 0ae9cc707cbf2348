//! What was decided in a run, read back from its journal.

use std::collections::BTreeMap;

use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error};
use adjutant_durable::{Entry, Kind, Operation, Record};
use adjutant_policy::Verdict;
use adjutant_policy::facts::{Past, Request};

use super::decision::{Considered, DECIDE, Ruling};
use super::log::made;
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
        self.decided.push(Decided { segment, key: key.clone(), at, request, verdict: ruling.verdict });
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
}
