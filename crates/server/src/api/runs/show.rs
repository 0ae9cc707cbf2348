//! Runs are looked at.

use adjutant::durable::Wait;
use adjutant_core::Result;
use adjutant_core::role::Right;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{RunPath, TAG};
use crate::api::view;
use crate::endpoint::{Call, Found, Operation, Routes};

pub(super) fn routes() -> Routes {
    use adjutant_core::Code::NotFound;
    Routes::default()
        .on(
            Operation::get("/api/runs/{run}", "showRun", "How a run stands", Right::View).for_own().of(TAG).fails(&[NotFound]),
            show,
        )
        .on(
            Operation::get("/api/runs/{run}/steps", "listSteps", "The steps of a run", Right::View)
                .of(TAG)
                .said("In order, with what went in, and tokens and money where there are any. Their keys are paths, so they are a tree.")
                .fails(&[NotFound]),
            steps,
        )
        .on(
            Operation::get("/api/runs/{run}/waits", "listWaits", "What a run waits for", Right::View).for_own()
                .of(TAG)
                .said("Also what the runs wait for that it waits for.")
                .fails(&[NotFound]),
            waits,
        )
        .on(
            Operation::get("/api/runs/{run}/messages", "listMessages", "What was said in a run", Right::View)
                .of(TAG)
                .said("With what was said in its session before, as its model would be sent it.")
                .fails(&[NotFound]),
            messages,
        )
}

async fn show(call: Call<RunPath>) -> Result<Found<view::Run>> {
    Ok(Found(call.path.run(&call.caller).await?.info().await?.into()))
}

/// The steps of a run.
#[derive(JsonSchema, Serialize)]
struct Steps {
    /// Each with `segment`, `key`, `kind`, `input`, `started`, `ended` and `state`, and `usage`, `cost` or `run` where it has them.
    steps: Vec<Value>,
    /// The tokens of all model calls.
    usage: view::Usage,
    /// What they cost in US dollars, as a decimal number; none where a price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<String>,
}

async fn steps(call: Call<RunPath>) -> Result<Found<Steps>> {
    let summary = call.path.run(&call.caller).await?.summary().await?;
    let steps = summary.steps.iter().map(|step| serde_json::to_value(step).unwrap_or_default()).collect();
    let cost = summary.cost.map(|cost| cost.amount().to_string());
    Ok(Found(Steps { steps, usage: summary.usage.into(), cost }))
}

/// What runs wait for.
#[derive(JsonSchema, Serialize)]
struct Waits {
    /// The run itself first, then those that it waits for.
    runs: Vec<RestOfRun>,
}

/// What one run waits for.
#[derive(JsonSchema, Serialize)]
struct RestOfRun {
    /// The run.
    run: String,
    /// Its agent or workflow.
    agent: String,
    /// How it stands.
    state: &'static str,
    /// Each `{"signal": ..}` (somebody is asked), `{"timer": ..}`, `{"child": ..}` or `{"unknown": ..}` (somebody must say what came
    /// of a step).
    waits: Vec<Value>,
}

async fn waits(call: Call<RunPath>) -> Result<Found<Waits>> {
    let told = |wait: &Wait| serde_json::to_value(wait).unwrap_or_default();
    let rests = call.path.run(&call.caller).await?.rests().await?;
    let runs = rests.into_iter().map(|rest| RestOfRun {
        run: rest.run.to_string(),
        agent: rest.name,
        state: rest.state.as_str(),
        waits: rest.waits.iter().map(told).collect(),
    });
    Ok(Found(Waits { runs: runs.collect() }))
}

/// What was said.
#[derive(JsonSchema, Serialize)]
struct Messages {
    /// Each with `role`, `parts`, the `step` that made it, and its `label`.
    messages: Vec<Value>,
}

async fn messages(call: Call<RunPath>) -> Result<Found<Messages>> {
    let messages = call.path.run(&call.caller).await?.messages().await?;
    let messages = messages.iter().map(|message| serde_json::to_value(message).unwrap_or_default()).collect();
    Ok(Found(Messages { messages }))
}
