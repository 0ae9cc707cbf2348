//! Runs are forked.

use adjutant::durable::Edit;
use adjutant_core::json::Json as AnyJson;
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunPath, TAG};
use crate::api::view;
use crate::endpoint::{Accepted, Call, Nothing, Operation, Routes};

pub(super) fn routes() -> Routes {
    let operation = Operation::post("/api/runs/{run}/fork", "forkRun", "Fork a run", Right::Run)
        .of(TAG)
        .said("The new run does the same up to a step, and everything from there on anew.")
        .fails(&[Code::NotFound, Code::Conflict]);
    Routes::default().on(operation, fork)
}

/// From where on, and what is to be otherwise.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Forking {
    /// The first step that is done anew: its key or the end of it, or a scope such as `turn#1`, for its first.
    from: String,
    /// Answers to put in place of recorded ones, or of the one at the first step.
    #[serde(default)]
    edits: Vec<Editing>,
}

/// An answer to put in place of a recorded one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Editing {
    /// The step.
    step: String,
    /// Its new answer.
    answer: Value,
}

/// A run that was forked.
#[derive(JsonSchema, Serialize)]
struct Forked {
    /// The new run.
    run: view::Run,
    /// What the original went on to cause outside, in one line each: that has happened, whatever the new run does.
    caused: Vec<String>,
}

async fn fork(call: Call<RunPath, Nothing, Json<Forking>>) -> Result<Accepted<Forked>> {
    let run = call.path.run(&call.caller).await?;
    let Json(Forking { from, edits }) = call.body;
    let info = run.info().await?;
    call.caller.works_for(info.user.as_deref())?;
    let from = run.first_step(&from).await?;
    let mut changed = Vec::with_capacity(edits.len());
    for Editing { step, answer } in edits {
        changed.push(Edit { key: run.step(&step).await?, outcome: Ok(AnyJson::from(answer)) });
    }
    let steps = run.summary().await?.steps;
    let mut edited = steps.iter().filter(|step| changed.iter().any(|edit| edit.key == step.key));
    if let Some(step) = edited.find(|step| step.is_of_person()) {
        let message = format!("the step `{}` is a person's answer, which nobody gives for them", step.key);
        return Err(Error::new(Code::Forbidden, message)
            .with_help("fork from that step without an edit: the person is asked anew"));
    }
    let forked = run.fork(&from, changed).await?;
    let info = call.caller.adjutant().handle(&forked.run).info().await?;
    Ok(Accepted(format!("/api/runs/{}", forked.run), Forked { run: info.into(), caused: forked.caused }))
}
