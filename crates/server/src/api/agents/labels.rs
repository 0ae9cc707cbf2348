//! Which of the published versions new runs get.

use adjutant_core::role::Right;
use adjutant_core::{Code, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::Deserialize;

use super::show::Part;
use super::versions::OneChange;
use super::{AgentPath, TAG, seen};
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

pub(super) fn routes() -> Routes {
    let fails: &[Code] = &[Code::NotFound, Code::Conflict];
    Routes::default()
        .on(
            Operation::put("/api/agents/{agent}/labels/{label}", "setLabel", "Give a label to a version", Right::Change)
                .of(TAG)
                .said(
                    "The version that has it loses it. As soon as one is `stable`, new runs use it. A label is 1 to 64 of a-z, 0-9, - \
                     and _, with a letter first.",
                )
                .fails(fails),
            set,
        )
        .on(
            Operation::delete("/api/agents/{agent}/labels/{label}", "removeLabel", "Take a label away", Right::Change)
                .of(TAG)
                .said("Without `stable` and without a split, new runs use the project's files again.")
                .fails(fails),
            remove,
        )
        .on(
            Operation::post("/api/agents/{agent}/rollback", "rollBack", "Move `stable` back", Right::Change)
                .of(TAG)
                .said("To the version that it was before. Once more goes back further.")
                .fails(fails),
            roll_back,
        )
        .on(
            Operation::put("/api/agents/{agent}/split", "splitRuns", "Share new runs among labels", Right::Change)
                .of(TAG)
                .said("A conversation stays with one of them. With no shares all new runs use `stable`.")
                .fails(fails),
            split,
        )
}

/// One label.
#[derive(Deserialize, JsonSchema)]
struct LabelPath {
    /// The agent or workflow.
    agent: String,
    /// The label.
    label: String,
}

/// The version that a label is to mean.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Labelling {
    /// Another label of it, or the beginning of its hash.
    version: String,
}

async fn set(call: Call<LabelPath, Nothing, Json<Labelling>>) -> Result<Found<OneChange>> {
    let (name, by) = (seen(&call.caller, &call.path.agent)?, &call.caller.who().by);
    let versions = call.caller.adjutant().versions();
    Ok(Found(versions.label(name, &call.body.version, &call.path.label, by).await?.into()))
}

async fn remove(call: Call<LabelPath>) -> Result<Found<OneChange>> {
    let (name, by) = (seen(&call.caller, &call.path.agent)?, &call.caller.who().by);
    Ok(Found(call.caller.adjutant().versions().unlabel(name, &call.path.label, by).await?.into()))
}

async fn roll_back(call: Call<AgentPath>) -> Result<Found<OneChange>> {
    let (name, by) = (call.path.seen(&call.caller)?, &call.caller.who().by);
    Ok(Found(call.caller.adjutant().versions().roll_back(name, by).await?.into()))
}

/// How new runs are to be shared.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Splitting {
    /// The labels with their shares, which are a hundred together; none to share them no more.
    #[schemars(length(max = 20))]
    shares: Vec<Part>,
}

async fn split(call: Call<AgentPath, Nothing, Json<Splitting>>) -> Result<Found<OneChange>> {
    let (name, by) = (call.path.seen(&call.caller)?, &call.caller.who().by);
    let shares = call.body.0.shares.into_iter().map(Into::into).collect();
    Ok(Found(call.caller.adjutant().versions().split(name, shares, by).await?.into()))
}
