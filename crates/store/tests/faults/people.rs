//! The people outside: they start runs, answer them, say what became of calls, and remember what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{
    Engine, Entry, Kind, Letter, Mail, Outcome, Resolution, RunInfo, RunState, Wait, waits,
};
use adjutant_powerloss::Generator;

use crate::plan::Plan;
use crate::serving::run_id;

/// What people did and were promised.
pub(crate) struct People {
    random: Generator,
    plans: BTreeMap<RunId, Plan>,
    /// Runs whose start was acknowledged.
    started: BTreeSet<RunId>,
    /// Mail that was acknowledged, by run and id.
    sent: BTreeSet<(RunId, String)>,
    /// Ends that were seen.
    ended: BTreeMap<RunId, Outcome>,
    /// How long the journal of a run was seen to be.
    records: BTreeMap<RunId, u64>,
    /// What people were told when something was refused.
    pub(crate) refusals: Vec<Error>,
}

impl People {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Generator::new(seed),
            plans: BTreeMap::new(),
            started: BTreeSet::new(),
            sent: BTreeSet::new(),
            ended: BTreeMap::new(),
            records: BTreeMap::new(),
            refusals: Vec::new(),
        }
    }

    pub(crate) fn random(&mut self) -> &mut Generator {
        &mut self.random
    }

    /// Plans that were given, whether or not their start was acknowledged.
    pub(crate) fn plans(&self) -> impl Iterator<Item = Plan> {
        self.plans.values().copied()
    }

    /// Somebody does something. An error is what they were told.
    pub(crate) async fn act(&mut self, engine: &Arc<dyn Engine>, most_runs: usize) -> Result<()> {
        let result = match self.random.below(3) {
            0 if self.plans.len() < most_runs => {
                let plan = Plan { seed: self.random.number(), steps: 2 + self.random.below(9), depth: 1 };
                self.start(engine, plan).await
            }
            1 => self.answer(engine).await,
            _ => self.look(engine).await,
        };
        if let Err(error) = &result {
            self.refusals.push(error.clone());
        }
        result
    }

    pub(crate) async fn start(&mut self, engine: &Arc<dyn Engine>, plan: Plan) -> Result<()> {
        let run = run_id(self.plans.len() as u64);
        self.plans.insert(run.clone(), plan);
        engine.start(plan.admission(run.clone())).await?;
        self.started.insert(run);
        Ok(())
    }

    /// Somebody picks a run and does what it waits for.
    async fn answer(&mut self, engine: &Arc<dyn Engine>) -> Result<()> {
        let Some(run) = self.pick() else { return Ok(()) };
        self.answer_run(engine, &run).await
    }

    async fn answer_run(&mut self, engine: &Arc<dyn Engine>, run: &RunId) -> Result<()> {
        let history = engine.history(run, 0).await?;
        for wait in waits(run, &history) {
            match wait {
                Wait::Signal { name, key, .. } => {
                    let letter = Letter::Signal { payload: Plan::answer(&name), name };
                    // The name of a signal occurs once in a run.
                    self.send(engine, run, key.as_str(), letter).await?;
                }
                Wait::Unknown { key, .. } => {
                    let asked = history.iter().rev().find_map(|record| match &record.entry {
                        Entry::Issued { key: issued, operation, .. } if *issued == key => Some(operation),
                        _ => None,
                    });
                    let result = asked
                        .filter(|operation| matches!(operation.kind, Kind::Effect(_)))
                        .map_or(Json::null(), |operation| operation.input.clone());
                    let id = format!("{}-{}", history.len(), key);
                    let letter = Letter::Resolve { key, resolution: Resolution::Happened(result) };
                    self.send(engine, run, &id, letter).await?;
                }
                Wait::Child { run: child, .. } => match Box::pin(self.answer_run(engine, &child)).await {
                    // Its start is under way.
                    Err(error) if error.code() == Code::NotFound => {}
                    result => result?,
                },
                Wait::Timer { .. } => {}
            }
        }
        Ok(())
    }

    /// Sends, unless it was acknowledged before: then it must not be needed again.
    async fn send(&mut self, engine: &Arc<dyn Engine>, run: &RunId, id: &str, letter: Letter) -> Result<()> {
        let sent = (run.clone(), id.to_owned());
        if !self.sent.contains(&sent) {
            match engine.send(run, Mail::new(id, letter)).await {
                // A first copy, which was not acknowledged, may have done it.
                Err(error) if error.code() == Code::Conflict => {}
                result => drop(result?),
            }
            self.sent.insert(sent);
        }
        Ok(())
    }

    /// Somebody looks how a run stands, and remembers it.
    async fn look(&mut self, engine: &Arc<dyn Engine>) -> Result<()> {
        let Some(run) = self.pick() else { return Ok(()) };
        let info = engine.info(&run).await?;
        self.check(&run, &info);
        if let Some(outcome) = info.outcome {
            self.ended.insert(run.clone(), outcome);
        }
        self.records.insert(run, info.records);
        Ok(())
    }

    fn pick(&mut self) -> Option<RunId> {
        let index = self.random.below(self.started.len() as u64) as usize;
        self.started.iter().nth(index).cloned()
    }

    fn check(&self, run: &RunId, info: &RunInfo) {
        assert!(info.state != RunState::Halted, "`{run}` halted: {:?}", info.halted);
        let seen = self.records.get(run).copied().unwrap_or_default();
        assert!(info.records >= seen, "`{run}` lost records that were seen: {} of {seen}", info.records);
        if let Some(outcome) = self.ended.get(run) {
            assert_eq!(info.outcome.as_ref(), Some(outcome), "`{run}` was seen to end");
        }
    }

    /// Holds the engine to everything it promised.
    pub(crate) async fn check_promises(&self, engine: &Arc<dyn Engine>) -> Result<()> {
        for run in &self.started {
            let info = engine.info(run).await.map_err(|error| match error.code() {
                Code::NotFound => panic!("the start of `{run}` was acknowledged, and it is gone"),
                _ => error,
            })?;
            self.check(run, &info);
        }
        Ok(())
    }

    /// Helps every run to its end, and checks what came of it. Fails after `patience`.
    pub(crate) async fn finish(&mut self, engine: &Arc<dyn Engine>, patience: Duration) {
        let begun = tokio::time::Instant::now();
        for (run, plan) in &self.plans {
            // Started again where the start was not acknowledged: it may be there, or not.
            engine.start(plan.admission(run.clone())).await.unwrap();
            self.started.insert(run.clone());
        }
        let mut left: Vec<RunId> = self.started.iter().cloned().collect();
        while let Some(run) = left.last().cloned() {
            let info = engine.info(&run).await.unwrap();
            self.check(&run, &info);
            if info.state == RunState::Ended {
                let result: std::result::Result<u64, Error> =
                    info.outcome.unwrap().and_then(|json| json.to());
                assert_eq!(result, Ok(self.plans[&run].result()), "`{run}`");
                left.pop();
                continue;
            }
            if begun.elapsed() > patience {
                let history = engine.history(&run, 0).await.unwrap();
                panic!("`{run}` does not come to its end: {info:?} {:#?}", waits(&run, &history));
            }
            self.answer_run(engine, &run).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
