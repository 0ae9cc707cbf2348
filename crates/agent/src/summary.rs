//! [`Summary`]: a run at a glance, with its steps.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::money::Money;
use adjutant_core::time::Timestamp;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, Kind, Operation, Origin, Outcome, Record};
use serde::Serialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::approval::{self, GRANT, NOTIFY, OPENING};
use crate::delegation::{GivenUp, USED};
use crate::guard::{GUARD, JUDGE, MODERATE, Opinion, Ruling, Verdict};
use crate::link::Link;
use crate::purse::Used;
use crate::question;
use crate::reply::Reply;
use crate::returned::{Called, Returned};
use crate::rules::DECIDE;
use crate::takeover::{self, Taken};

/// The kind of steps that are other runs.
const CHILD: &str = "child";

/// The kind of steps that people answer.
const SIGNAL: &str = "signal";

/// The steps that say what is allowed, and what was looked at: decisions, grants, guardrails, what a run has used. Nobody but those whose
/// answer it is may give it.
const RULINGS: [&str; 8] = [DECIDE, OPENING, GRANT, NOTIFY, GUARD, JUDGE, MODERATE, USED];

/// A run at a glance, with its steps in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The run.
    pub run: RunId,
    /// The agent's or workflow's name.
    pub name: String,
    /// When it was recorded. What a fork has taken over is older.
    pub started: Timestamp,
    /// When its last record was written.
    pub updated: Timestamp,
    /// The tokens used; an estimate where a provider does not count them.
    pub usage: Usage,
    /// What it cost; none where the price of any model call is not known.
    pub cost: Option<Money>,
    /// What came of it; none while it is not over.
    pub outcome: Option<Outcome>,
    /// Its steps. Their keys are paths, so they are a tree as well.
    pub steps: Vec<Step>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The segment that it is in.
    pub segment: u32,
    /// Its key within the segment.
    pub key: StepKey,
    /// The kind of operation: `effect`, `timer`, `signal`...
    pub kind: &'static str,
    /// What went in.
    pub input: Json,
    /// When it was asked for.
    pub started: Timestamp,
    /// When it was answered.
    pub ended: Option<Timestamp>,
    /// How it stands.
    pub state: State,
    /// The run that it is, if it is another run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The tokens used, if it asked a model or was another run.
    pub usage: Option<Usage>,
    /// What it cost, if it asked a model whose price is known, or was another run.
    pub cost: Option<Money>,
    /// What guardrails have said, if it had them look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// What a judge or a service has said, if it asked one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
    /// What arrived and was not understood, if it asked a model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Value>,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has no answer yet.
    Open,
    /// It was answered.
    Done,
    /// It failed.
    Failed(Error),
    /// Nobody waits for it any more.
    Dropped,
    /// It is not known whether it happened, for this reason.
    Unknown(String),
}

impl Summary {
    /// Reads the records of a run, from the first on. Fails with [`Code::StoreCorrupt`] when there is no beginning.
    pub fn of(records: &[Record]) -> Result<Self> {
        let Some(Record { at, entry: Entry::Admitted(admission), .. }) = records.first() else {
            return Err(Error::new(Code::StoreCorrupt, "the journal has no beginning"));
        };
        let own = match &admission.origin {
            // What it shares with the original happened at the original's time.
            Some(Origin::Fork { before, .. }) => records.iter().find(|record| record.offset >= *before),
            _ => None,
        };
        let started = own.map_or(*at, |record| record.at);
        let mut summary = Self {
            run: admission.run.clone(),
            name: admission.name.clone(),
            started,
            updated: started,
            usage: Usage::default(),
            cost: Some(Money::ZERO),
            outcome: None,
            steps: Vec::new(),
        };
        let mut places = BTreeMap::new();
        records.iter().for_each(|record| summary.take(record, &mut places));
        Ok(summary)
    }

    /// The runs that it has started and whose use is not among its own: nobody waited for them, or it was cancelled with them.
    pub(crate) fn uncounted(&self) -> impl Iterator<Item = &RunId> {
        let keys: BTreeSet<&str> = self.steps.iter().map(|step| step.key.as_str()).collect();
        let looks = self.steps.iter().filter(|step| step.key.name() == USED);
        let looked_up: BTreeSet<RunId> =
            looks.filter_map(|step| Some(step.input.to::<GivenUp>().ok()?.run)).collect();
        self.steps.iter().filter(|step| step.usage.is_none()).filter_map(move |step| {
            let run = step.run.as_ref()?;
            let scope = step.key.as_str().rsplit_once('/').map_or("", |(scope, _)| scope);
            let is_counted = match step.state {
                State::Dropped => looked_up.contains(run),
                _ => keys.contains(format!("{scope}/{USED}#0").as_str()),
            };
            (!is_counted).then_some(run)
        })
    }

    fn take(&mut self, record: &Record, places: &mut BTreeMap<(u32, StepKey), usize>) {
        self.updated = self.updated.max(record.at);
        match &record.entry {
            Entry::Issued { key, operation, .. } => {
                places.insert((record.segment, key.clone()), self.steps.len());
                self.steps.push(step(&self.run, record, key, operation));
                return;
            }
            // An event is no step of its own.
            Entry::Answered { operation, .. } if operation.kind == Kind::Emit => return,
            Entry::Answered { key, operation, outcome, .. } => {
                let mut step = step(&self.run, record, key, operation);
                (step.ended, step.state) = (Some(record.at), settled(outcome));
                self.steps.push(step);
                return;
            }
            Entry::Ended(outcome) => self.outcome = Some(outcome.clone()),
            _ => {}
        }
        let place = record.entry.key().and_then(|key| places.get(&(record.segment, key.clone())));
        let Some(step) = place.and_then(|place| self.steps.get_mut(*place)) else { return };
        match &record.entry {
            Entry::Completed { outcome, .. } | Entry::Late { outcome, .. } => {
                (step.ended, step.state) = (Some(record.at), settled(outcome));
                // A step that a fork does anew begins with the fork, whenever the original asked for it.
                if record.at >= self.started {
                    step.started = step.started.max(self.started);
                }
                step.opinion = outcome
                    .as_ref()
                    .ok()
                    .and_then(|recorded| Opinion::of(step.key.name(), &step.input, recorded));
                if let Some(Ok(ruling)) = outcome.as_ref().ok().map(Json::to::<Ruling>) {
                    step.verdicts = ruling.verdicts;
                }
                if let Some(Ok(used)) =
                    (step.key.name() == USED).then(|| outcome.as_ref().ok().map(Json::to::<Used>)).flatten()
                {
                    (step.usage, step.cost) = (Some(used.usage), used.cost);
                    self.usage += used.usage;
                    self.cost = self.cost.zip(used.cost).map(|(sum, cost)| sum + cost);
                } else if let Some(reply) =
                    (step.kind == CHILD).then(|| outcome.as_ref().ok()?.to::<Reply>().ok()).flatten()
                {
                    (step.usage, step.cost) = (Some(reply.usage), reply.cost);
                    self.usage += reply.usage;
                    self.cost = self.cost.zip(reply.cost).map(|(sum, cost)| sum + cost);
                } else if let Some(answer) = outcome.as_ref().ok().and_then(|json| json.to::<Answer>().ok()) {
                    (step.usage, step.cost) = (Some(answer.usage()), answer.whole_cost());
                    self.usage += answer.usage();
                    self.cost = self.cost.zip(answer.whole_cost()).map(|(sum, cost)| sum + cost);
                    step.unknown = answer.response.unknown;
                }
            }
            Entry::Dropped { .. } => step.state = State::Dropped,
            Entry::Unknown { reason, .. } => step.state = State::Unknown(reason.clone()),
            Entry::Attempted { .. } => step.state = State::Open,
            _ => {}
        }
    }
}

impl Step {
    /// Whether a person answers it: an approval, a question, a takeover.
    pub fn is_of_person(&self) -> bool {
        self.kind == SIGNAL
    }

    /// Checks that it can have this answer: what a person writes in place of a recorded one. Fails with
    /// [`Code::InputInvalid`], saying where and why it does not fit.
    pub fn accepts(&self, answer: &Json) -> Result<()> {
        let refused = |why: &str, help: &str| {
            let message = format!("the step `{}` cannot have this answer: {why}", self.key);
            Error::new(Code::InputInvalid, message).with_help(help)
        };
        let is_call = || self.input.to::<Called>().is_ok();
        let is_ruling = self.kind == "effect" && RULINGS.contains(&self.key.name()) && !is_call();
        if is_ruling || !["effect", CHILD, SIGNAL].contains(&self.kind) {
            return Err(refused(
                "it says what a run is allowed or how it is held together, which is found out anew",
                "give another answer of a model, a tool, a person or another run",
            ));
        }
        if let Ok(request) = self.input.to::<question::Request>() {
            let fits =
                answer.to::<adjutant_tool::Answer>().and_then(|answer| request.question.fitting(answer));
            let help = "write `{\"action\": \"accept\", \"content\": {..}}`, or `{\"action\": \"decline\"}`";
            return fits.map(|_| ()).map_err(|error| refused(error.message(), error.help().unwrap_or(help)));
        }
        if self.kind == SIGNAL && self.input.to::<Taken>().is_ok() {
            let read = answer.to::<takeover::Done>();
            let help = "write `{\"by\": \"..\", \"at\": 0, \"deed\": {\"say\": \"..\"}}`";
            return read.map(|_| ()).map_err(|error| refused(error.message(), help));
        }
        if self.kind == SIGNAL {
            let read = answer.to::<approval::Answer>();
            return read.map(|_| ()).map_err(|error| {
                refused(
                    error.message(),
                    "write `{\"approve\": true}`, or `{\"approve\": false, \"reason\": \"..\"}`",
                )
            });
        }
        // The result of a tool may be anything; what a model step answers, the loop must be able to read.
        if self.kind == "effect" && self.input.to::<Link>().is_ok() {
            let read = Answer::read(answer);
            return read
                .map(|_| ())
                .map_err(|error| refused(error.message(), error.help().unwrap_or_default()));
        }
        Ok(())
    }
}

fn step(run: &RunId, record: &Record, key: &StepKey, operation: &Operation) -> Step {
    let child = || RunId::child(run, record.segment, key.as_str());
    Step {
        segment: record.segment,
        key: key.clone(),
        kind: operation.kind.as_str(),
        input: operation.input.clone(),
        started: record.at,
        ended: None,
        state: State::Open,
        run: (operation.kind == Kind::Child).then(child),
        usage: None,
        cost: None,
        verdicts: Vec::new(),
        opinion: None,
        unknown: Vec::new(),
    }
}

fn settled(outcome: &Outcome) -> State {
    match outcome {
        Ok(recorded) => match recorded.to::<Returned>() {
            Ok(Returned::Failed(error) | Returned::Telling(error, _) | Returned::Idle(error)) => {
                State::Failed(error)
            }
            _ => State::Done,
        },
        Err(error) => State::Failed(error.clone()),
    }
}
