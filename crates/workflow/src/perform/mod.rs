//! Runs a [`Plan`]: each step as the pattern of its name.

mod chat;
mod crew;
mod events;
mod gate;
mod graph;
mod orchestrate;
mod step;
mod values;

use std::sync::Arc;

use adjutant_agent::Definition;
use adjutant_agent::workflow::{Item, Stage, Workflow, Workflows};
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::fit;
use crate::plan::Plan;
use graph::{Resting, Root};
use step::Flow;
use values::Values;

/// A plan as the code of a run.
pub struct Planned(Plan);

impl Planned {
    /// Takes a plan.
    pub fn new(plan: Plan) -> Self {
        Self(plan)
    }

    async fn perform(&self, stage: &Stage, input: Item, state: Option<Json>) -> Result<Item> {
        let (at, mut values, mut progress) = match state {
            Some(state) => {
                let resting: Resting = state.to()?;
                (resting.at, resting.values, Some(resting.progress))
            }
            None => (0, Values::begin(self.input(input)?), None),
        };
        for (index, step) in self.0.steps.iter().enumerate().skip(at) {
            let root = Root::new(stage, index, &values, progress.take());
            match step::one(stage, step, &values, Some(&root)).await? {
                Flow::Made(item) => values.made(&step.id, &item),
                Flow::Ended(item) => return Ok(item),
            }
        }
        match &self.0.output {
            Some(output) => values.evaluate(stage, output).await,
            None => Ok(values.last()),
        }
    }

    /// What goes in: data where the plan says which.
    fn input(&self, input: Item) -> Result<Item> {
        let Some(schema) = &self.0.input else { return Ok(input) };
        let refused = |why: String| {
            Error::new(Code::InputInvalid, format!("the input does not fit: {why}"))
                .with_help("give it as JSON that fits the `input` of the workflow")
        };
        let value: Value = serde_json::from_str(&input.text())
            .map_err(|error| refused(format!("it is no JSON: {error}")))?;
        fit::fits(schema, &value).map_err(refused)?;
        Ok(input.part(value))
    }
}

impl Workflow for Planned {
    fn run(&self, stage: Stage, input: Item, state: Option<Json>) -> BoxFuture<'_, Result<Item>> {
        async move { self.perform(&stage, input, state).await }.boxed()
    }
}

/// Finds the plans of workflows in their definitions, where they are pinned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plans;

impl Workflows for Plans {
    fn find(&self, definition: &Definition) -> Result<Arc<dyn Workflow>> {
        let pinned = definition.workflow.as_ref().unwrap_or(&Value::Null);
        let plan = Plan::read(pinned).map_err(|why| {
            let message = format!("the plan of the workflow `{}` cannot be read: {why}", definition.name);
            Error::new(Code::RunDefinitionMissing, message)
                .with_help("use the version of the program that the run was started with, or a later one")
        })?;
        Ok(Arc::new(Planned::new(plan)))
    }
}
