//! [`Run`]: one run, and what can be done with it.

use std::collections::BTreeMap;
use std::fmt;

use adjutant_agent::approval::{Answer as AnswerToApproval, Decision};
use adjutant_agent::start::Start;
use adjutant_agent::start::Voice;
use adjutant_agent::{Definition, Input, Reply, Summary, question, start, title};
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_core::time::Clock;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{
    Edit, Engine, Entry, Fork, Forked, Observed, Origin, Record, Resolution, RunInfo, RunState, Wait,
};
use adjutant_store::{SystemClock, random};
use adjutant_tool::Answer;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use crate::adjutant::Adjutant;
use crate::updates::{Update, Updates};

/// How often to look whether a run below goes on, for which a run waits.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// How a run stands, among those that a run waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// The run.
    pub run: RunId,
    /// Its agent or workflow.
    pub name: String,
    /// How it stands.
    pub state: RunState,
    /// What it waits for.
    pub waits: Vec<Wait>,
}

/// A turn that another has taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakenBack {
    /// The turn.
    pub run: RunId,
    /// What it may have done outside, in one line each: that has happened, whatever is seen of it.
    pub caused: Vec<String>,
}

/// One run, and what can be done with it. Cheap to clone.
#[derive(Clone)]
pub struct Run {
    adjutant: Adjutant,
    id: RunId,
    was_there: bool,
}

/// What a run is started with, by which it is known to be the same.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) input: Input,
    pub(crate) session: Option<SessionId>,
    pub(crate) user: Option<String>,
}

impl Asked {
    pub(crate) fn of(start: &Start) -> Self {
        Self {
            name: start.definition.name.clone(),
            input: start.input.clone(),
            session: start.session.clone(),
            user: start.user.clone(),
        }
    }
}

impl Run {
    pub(crate) fn new(adjutant: Adjutant, id: RunId) -> Self {
        Self { adjutant, id, was_there: false }
    }

    pub(crate) fn adjutant(&self) -> &Adjutant {
        &self.adjutant
    }

    /// Its id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The same, which was there when it was to be started.
    pub(crate) fn found(self) -> Self {
        Self { was_there: true, ..self }
    }

    /// Whether it was there when it was to be started: its task was [named](crate::Task::id), and given before.
    pub fn was_there(&self) -> bool {
        self.was_there
    }

    /// How it stands.
    pub async fn info(&self) -> Result<RunInfo> {
        self.adjutant.engine().info(&self.id).await
    }

    /// Its title: what a model called it, otherwise the beginning of what it was asked. None where that has no words.
    pub async fn title(&self) -> Result<Option<String>> {
        Ok(title::of_run(&self.info().await?))
    }

    /// Everything it did, in order.
    pub async fn records(&self) -> Result<Vec<Record>> {
        self.adjutant.engine().history(&self.id, 0).await
    }

    /// Its steps, with times, tokens and money.
    pub async fn summary(&self) -> Result<Summary> {
        Summary::of(&self.records().await?)
    }

    /// The turns of its conversation that it has taken back ([`WhenBusy::RollBack`](crate::WhenBusy::RollBack)), with what they and all
    /// that they started may have done outside. It is complete once they are over, which they are before this one begins.
    pub async fn taken_back(&self) -> Result<Vec<TakenBack>> {
        let mut taken = Vec::new();
        for run in self.info().await?.takes_back {
            let turn = self.adjutant.handle(&run);
            let records = match turn.records().await {
                Ok(records) => records,
                // It was erased.
                Err(error) if error.code() == Code::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut caused = adjutant_durable::caused(&records, 0);
            for child in turn.children().await?.into_keys() {
                caused.extend(adjutant_durable::caused(&self.adjutant.handle(&child).records().await?, 0));
            }
            taken.push(TakenBack { run, caused });
        }
        Ok(taken)
    }

    /// The runs that it has waited for, and those that these have waited for, each with its steps. Those that are gone are
    /// left out.
    pub async fn children(&self) -> Result<BTreeMap<RunId, Summary>> {
        let mut children = BTreeMap::new();
        let started = |summary: &Summary| -> Vec<RunId> {
            summary.steps.iter().filter_map(|step| step.run.clone()).collect()
        };
        let mut next = started(&self.summary().await?);
        while let Some(run) = next.pop() {
            match self.adjutant.handle(&run).summary().await {
                Ok(summary) => {
                    next.extend(started(&summary));
                    children.insert(run, summary);
                }
                Err(error) if error.code() == Code::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(children)
    }

    /// How it stands and what it waits for, and the same of every run below it that it waits for: itself first.
    pub async fn rests(&self) -> Result<Vec<Rest>> {
        let mut rests: Vec<Rest> = Vec::new();
        let mut next = vec![self.id.clone()];
        while let Some(run) = next.pop() {
            let run = self.adjutant.handle(&run);
            let (info, waits) = (run.info().await?, run.waits().await?);
            next.extend(waits.iter().filter_map(|wait| match wait {
                Wait::Child { run, .. } => Some(run.clone()),
                _ => None,
            }));
            rests.push(Rest { run: info.run, name: info.name, state: info.state, waits });
        }
        Ok(rests)
    }

    /// The run that was not started by another one, and because of which this one is there; often this one itself.
    pub async fn root(&self) -> Result<Self> {
        let mut run = self.clone();
        while let Some(Origin::Child { parent, .. }) = run.info().await?.origin {
            run = self.adjutant.handle(&parent);
        }
        Ok(run)
    }

    /// What it waits for.
    pub async fn waits(&self) -> Result<Vec<Wait>> {
        Ok(adjutant_durable::waits(&self.id, &self.records().await?))
    }

    /// Drives it to its end and gives its answer. It waits as long as the run waits, for a person too.
    ///
    /// Fails with what the run failed with, with [`Code::Conflict`] when the run is paused, and with what halted it; the same for the
    /// runs that it waits for.
    /// Dropping the future stops the driving, not the run.
    pub async fn reply(&self) -> Result<Reply> {
        let mut updates = self.states().driven_by(self.adjutant.drive(&self.id));
        let mut state = RunState::Ready;
        loop {
            let update = tokio::select! {
                biased;
                update = updates.next() => update,
                () = tokio::time::sleep(LOOK), if state == RunState::Waiting => {
                    if let Some(error) = self.held_up().await? {
                        return Err(error);
                    }
                    continue;
                }
            };
            let Some(update) = update.transpose()? else { break };
            if let Update::State(now) = &update {
                state = *now;
            }
            match update {
                Update::State(RunState::Paused) => return Err(self.paused()),
                Update::State(RunState::Halted) => return Err(self.halted().await?),
                Update::State(_) | Update::Event(_) => {}
            }
        }
        updates.stop().await?;
        self.outcome().await
    }

    /// Why a run below it that it waits for does not go on by itself, though it waits for nobody; none where all do.
    async fn held_up(&self) -> Result<Option<Error>> {
        for rest in self.rests().await?.into_iter().skip(1) {
            let run = self.adjutant.handle(&rest.run);
            match rest.state {
                RunState::Halted => return run.halted().await.map(Some),
                RunState::Paused => return Ok(Some(run.paused())),
                _ => {}
            }
        }
        Ok(None)
    }

    fn paused(&self) -> Error {
        Error::new(Code::Conflict, format!("the run `{}` is paused", self.id))
            .with_help(format!("`adjutant runs resume {}` lets it go on", self.id))
    }

    /// What came of it. Fails with what the run failed with, and with [`Code::Conflict`] while it is not over.
    pub async fn outcome(&self) -> Result<Reply> {
        let info = self.info().await?;
        match info.outcome {
            Some(outcome) => outcome?.to(),
            None => Err(Error::new(
                Code::Conflict,
                format!("the run `{}` is not over: it is {}", self.id, info.state.as_str()),
            )),
        }
    }

    /// Checks that it was started with this: the same agent asked the same, for the same person in the same conversation.
    pub(crate) async fn is_of(&self, id: &str, asked: &Asked) -> Result<()> {
        let records = self.records().await?;
        let is_same = records.first().is_some_and(|record| match &record.entry {
            Entry::Admitted(there) => {
                there.input.to::<Input>().is_ok_and(|there| there == asked.input)
                    && (&there.name, &there.user, &there.session)
                        == (&asked.name, &asked.user, &asked.session)
            }
            _ => false,
        });
        if is_same {
            return Ok(());
        }
        Err(Error::new(Code::Conflict, format!("the id `{id}` was given to another task"))
            .with_help(format!("it is the run `{}`; use another id for another task", self.id)))
    }

    async fn halted(&self) -> Result<Error> {
        let halted = self.info().await?.halted;
        Ok(halted.unwrap_or_else(|| Error::new(Code::Conflict, format!("the run `{}` was halted", self.id))))
    }

    /// Watches it without driving it, from its first record on.
    pub fn watch(&self) -> Updates {
        self.watch_from(0)
    }

    /// Watches it on, from the record that [`Updates::rests_on`] named. The runs that it still waits for are shown from their first
    /// records on.
    pub fn watch_from(&self, record: u64) -> Updates {
        self.watch_alone_from(record).with_children(self.adjutant.engine())
    }

    /// Watches it without driving it and without the runs that it waits for, from its first record on.
    pub fn watch_alone(&self) -> Updates {
        self.watch_alone_from(0)
    }

    /// Watches it on without the runs that it waits for, from the record that [`Updates::rests_on`] named.
    pub fn watch_alone_from(&self, record: u64) -> Updates {
        Updates::new(&self.id, self.adjutant.engine().watch(&self.id, record))
    }

    /// How it stands, without what happens in it.
    fn states(&self) -> Updates {
        let states = self.adjutant.engine().states(&self.id);
        Updates::new(&self.id, states.map_ok(Observed::State).boxed())
    }

    /// Watches it, and drives it for as long as the updates are held.
    pub fn drive(&self) -> Updates {
        self.watch().driven_by(self.adjutant.drive(&self.id))
    }

    /// Lets a call that waits for a person happen. Fails with [`Code::Conflict`] when nothing waits under that name.
    pub async fn approve(&self, signal: &str) -> Result<()> {
        self.decide(signal, Decision::Approve).await
    }

    /// Refuses a call that waits for a person; the model is told the reason. Fails with [`Code::Conflict`] when
    /// nothing waits under that name.
    pub async fn deny(&self, signal: &str, reason: &str) -> Result<()> {
        self.decide(signal, Decision::Deny(Some(reason.to_owned()))).await
    }

    async fn decide(&self, signal: &str, decision: Decision) -> Result<()> {
        if self.asked(signal).await?.to::<question::Request>().is_ok() {
            return Err(Error::new(
                Code::Conflict,
                format!("`{signal}` waits for an answer, not for an approval"),
            )
            .with_help(format!("`adjutant runs answer {}` gives it", self.id)));
        }
        let answer = AnswerToApproval { at: Some(SystemClock.now()), ..decision.into_answer() };
        start::approve(self.engine(), &self.id, signal, &answer).await
    }

    /// Answers what a call asks a person before it goes on. What is left out and has a default gets it.
    ///
    /// Fails with [`Code::InputInvalid`] when the answer does not fit, and with [`Code::Conflict`] when nothing is asked
    /// under that name.
    pub async fn answer(&self, signal: &str, answer: Answer) -> Result<()> {
        let request = self.asked(signal).await?.to::<question::Request>().map_err(|_| {
            Error::new(Code::Conflict, format!("what waits under `{signal}` is no question"))
                .with_help("it is a call to be allowed or refused: `adjutant runs approve`")
        })?;
        start::answer(self.voice(), &self.id, signal, &request.question.fitting(answer)?).await
    }

    /// Sends it an event from outside, which its workflow waits for under that name, by now or later. What comes so is not trusted.
    ///
    /// Fails with [`Code::InputInvalid`] where the name is one under which a person is asked, and with [`Code::Conflict`] when the
    /// run is over.
    pub async fn signal(&self, name: &str, data: impl Into<serde_json::Value>) -> Result<()> {
        self.open_or("take an event").await?;
        start::signal(self.voice(), &self.id, &letter()?, name, Json::from(data.into())).await
    }

    /// What is asked under that name. Fails with [`Code::Conflict`] when nothing is.
    async fn asked(&self, signal: &str) -> Result<Json> {
        let waits = self.waits().await?.into_iter();
        let mut asked = waits.filter_map(|wait| match wait {
            Wait::Signal { name, request, .. } if name == signal => Some(request),
            _ => None,
        });
        asked.next().ok_or_else(|| {
            Error::new(Code::Conflict, format!("the run `{}` does not wait for `{signal}`", self.id))
                .with_help("somebody may have answered already")
        })
    }

    /// Says something to it while it works; the model hears it at its next turn. A workflow has no model: what is said to it
    /// goes to the agents that are at work for it.
    ///
    /// Fails with [`Code::Conflict`] where it is over, and where no agent is at work for a workflow.
    pub async fn steer(&self, text: impl Into<String>) -> Result<()> {
        self.open_or("take a message").await?;
        let (letter, message) = (letter()?, Message::user(text));
        if !self.is_workflow().await? {
            return start::steer(self.voice(), &self.id, &letter, &message).await;
        }
        let mut heard = false;
        for rest in self.rests().await?.into_iter().skip(1) {
            let below = self.adjutant.handle(&rest.run);
            if below.is_workflow().await? {
                continue;
            }
            match start::steer(self.voice(), &rest.run, &letter, &message).await {
                Ok(()) => heard = true,
                // It has come to its end meanwhile.
                Err(error) if error.code() == Code::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        if heard {
            return Ok(());
        }
        let message = format!("no agent is at work for the workflow `{}` that could hear it", self.id);
        Err(Error::new(Code::Conflict, message)
            .with_help("say it again once one is, or answer what it waits for"))
    }

    /// Whether it is directed by code or a plan instead of a model. An agent with a strategy is one that asks itself.
    async fn is_workflow(&self) -> Result<bool> {
        let digest = self.info().await?.definition;
        let definition: Definition = self.engine().definition(digest).await?.to()?;
        Ok(definition.workflow.is_some())
    }

    /// Ends it in order: what it is doing is stopped, and nothing begins any more. It takes somebody who drives it.
    pub async fn cancel(&self, reason: &str) -> Result<()> {
        self.open_or("be cancelled").await?;
        start::cancel(self.voice(), &self.id, reason).await
    }

    /// Stops it between two steps, until somebody resumes it.
    pub async fn pause(&self, reason: &str) -> Result<()> {
        self.open_or("be paused").await?;
        start::pause(self.voice(), &self.id, &letter()?, reason).await
    }

    /// Lets it go on after a pause, or after it halted. It takes somebody who drives it.
    pub async fn resume(&self) -> Result<()> {
        self.open_or("go on").await?;
        start::resume(self.voice(), &self.id, &letter()?).await
    }

    /// Says what came of the last attempt of an effect, whose outcome was not known. Fails with [`Code::Conflict`] when
    /// that is not in question, or was said already.
    pub async fn resolve(&self, step: &StepKey, resolution: Resolution) -> Result<()> {
        self.resolve_unknown(step, None, resolution).await
    }

    /// Says what came of one attempt of an effect, from 1: what somebody says who saw it a while ago. Fails as
    /// [`Self::resolve`] does, and where another attempt was made since.
    pub async fn resolve_attempt(&self, step: &StepKey, attempt: u32, resolution: Resolution) -> Result<()> {
        self.resolve_unknown(step, Some(attempt), resolution).await
    }

    async fn resolve_unknown(&self, step: &StepKey, of: Option<u32>, resolution: Resolution) -> Result<()> {
        let waits = self.waits().await?;
        let unknown = waits.iter().filter_map(|wait| match wait {
            Wait::Unknown { key, attempt, record, .. } => Some((key, *attempt, *record)),
            _ => None,
        });
        let unknown: Vec<_> = unknown.collect();
        let meant =
            |(key, attempt, _): &&(&StepKey, u32, u64)| *key == step && of.is_none_or(|of| of == *attempt);
        match unknown.iter().find(meant) {
            Some((_, _, record)) => {
                start::resolve(self.voice(), &self.id, *record, step.clone(), resolution).await
            }
            None => Err(not_in_question(step, of, &unknown)),
        }
    }

    /// Starts a run that does the same up to a step and everything from there on anew, with other answers in place of
    /// recorded ones where some are given.
    ///
    /// Fails with [`Code::InputInvalid`] when an answer is none that its step can have.
    pub async fn fork(&self, from: &StepKey, edits: Vec<Edit>) -> Result<Forked> {
        let steps = self.summary().await?.steps;
        for edit in &edits {
            let step = steps.iter().find(|step| step.key == edit.key);
            if let (Some(step), Ok(answer)) = (step, &edit.outcome) {
                step.accepts(answer)?;
            }
        }
        let fork = Fork {
            of: self.id.clone(),
            run: random::run_id()?,
            from: from.clone(),
            segment: None,
            edits,
            by: self.adjutant.who().map(str::to_owned),
        };
        self.adjutant.engine().fork(fork).await
    }

    async fn open_or(&self, what: &str) -> Result<()> {
        if self.info().await?.state == RunState::Ended {
            return Err(Error::new(
                Code::Conflict,
                format!("the run `{}` is over and cannot {what}", self.id),
            ));
        }
        Ok(())
    }

    fn voice(&self) -> Voice<'_> {
        Voice::of(self.engine(), self.adjutant.who())
    }

    fn engine(&self) -> &dyn Engine {
        self.adjutant.engine().as_ref()
    }
}

/// What makes one letter different from every other.
fn letter() -> Result<String> {
    Ok(random::run_id()?.to_string())
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.id).finish()
    }
}

/// What somebody is told who says what came of a step that nobody asks about.
fn not_in_question(step: &StepKey, attempt: Option<u32>, unknown: &[(&StepKey, u32, u64)]) -> Error {
    let names: Vec<_> =
        unknown.iter().map(|(key, attempt, _)| format!("`{key}` (attempt {attempt})")).collect();
    let help = match names.as_slice() {
        [] => "no step of this run has an unknown outcome".to_owned(),
        names => format!("the outcome of {} is not known", names.join(", ")),
    };
    let attempt = attempt.map(|attempt| format!("attempt {attempt} of ")).unwrap_or_default();
    Error::new(Code::Conflict, format!("the outcome of {attempt}the step `{step}` is not in question"))
        .with_help(help)
}
