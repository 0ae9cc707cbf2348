//! Runs are steered.

use adjutant::durable::Resolution;
use adjutant::tool;
use adjutant_core::json::Json as AnyJson;
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{RunPath, TAG};
use crate::endpoint::{Call, Done, Nothing, Operation, Optional, Routes};

pub(super) fn routes() -> Routes {
    let fails: &[Code] = &[Code::NotFound, Code::Conflict];
    let does = |path, id, summary| Operation::post(path, id, summary, Right::Run).of(TAG).fails(fails);
    Routes::default()
        .on(
            does("/api/runs/{run}/steer", "steerRun", "Say something to a run while it works")
                .said("The model hears it at its next turn; agents at work for a workflow hear it too.")
                .for_own(),
            steer,
        )
        .on(
            does("/api/runs/{run}/pause", "pauseRun", "Stop a run between two steps")
                .said("With all that it waits for, until it is resumed.")
                .for_own(),
            pause,
        )
        .on(
            does("/api/runs/{run}/resume", "resumeRun", "Let a run go on")
                .said("After a pause, or after it halted.")
                .for_own(),
            resume,
        )
        .on(
            does("/api/runs/{run}/cancel", "cancelRun", "End a run in order")
                .said("What it is doing is stopped, and nothing begins any more.")
                .for_own(),
            cancel,
        )
        .on(
            does("/api/runs/{run}/signal", "signalRun", "Send a run an event").said(
                "That its workflow waits for under a name, by now or later. What comes so is not trusted.",
            ),
            signal,
        )
        .on(
            Operation::post(
                "/api/runs/{run}/answer",
                "answerRun",
                "Answer what a call asks a person",
                Right::Run,
            )
            .for_own()
            .of(TAG)
            .said("The name to answer to stands in what the run waits for.")
            .fails(fails),
            answer,
        )
        .on(
            Operation::post(
                "/api/runs/{run}/resolve",
                "resolveRun",
                "Say what came of a step",
                Right::Approve,
            )
            .of(TAG)
            .said("Where a process died in the middle of a call and it is not known whether it happened.")
            .fails(fails),
            resolve,
        )
}

/// Something to say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Saying {
    /// What.
    #[schemars(length(min = 1))]
    text: String,
}

async fn steer(call: Call<RunPath, Nothing, Json<Saying>>) -> Result<Done> {
    call.path.run(&call.caller).await?.steer(call.body.0.text).await.map(|()| Done)
}

/// A reason.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// Why; it is recorded.
    #[serde(default)]
    reason: Option<String>,
}

/// The reason as it is recorded: with who gives it.
fn reason<P, Q>(call: &Call<P, Q, Optional<Why>>, what: &str) -> String {
    let by = &call.caller.who().name;
    match &call.body.0.reason {
        Some(reason) => format!("{reason} ({by})"),
        None => format!("{what} by {by}"),
    }
}

async fn pause(call: Call<RunPath, Nothing, Optional<Why>>) -> Result<Done> {
    let reason = reason(&call, "paused");
    call.path.run(&call.caller).await?.pause(&reason).await.map(|()| Done)
}

async fn resume(call: Call<RunPath>) -> Result<Done> {
    call.path.run(&call.caller).await?.resume().await.map(|()| Done)
}

async fn cancel(call: Call<RunPath, Nothing, Optional<Why>>) -> Result<Done> {
    let reason = reason(&call, "cancelled");
    call.path.run(&call.caller).await?.cancel(&reason).await.map(|()| Done)
}

/// An event from outside.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Signal {
    /// The name that is waited for.
    #[schemars(length(min = 1))]
    name: String,
    /// What is said.
    #[serde(default)]
    data: Value,
}

async fn signal(call: Call<RunPath, Nothing, Json<Signal>>) -> Result<Done> {
    let Json(Signal { name, data }) = call.body;
    call.path.run(&call.caller).await?.signal(&name, data).await.map(|()| Done)
}

/// An answer to a question.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Answering {
    /// The name to answer to.
    signal: String,
    /// What is said.
    action: Said,
    /// The values that are asked for, by the names of the fields, where the question is accepted. What is left out and has a default
    /// gets it.
    #[serde(default)]
    values: Option<Map<String, Value>>,
}

/// What is said to a question.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// What is asked for.
    Accept,
    /// Nothing; the call may go on without.
    Decline,
    /// Nobody wants to have to do with it; the call should be given up.
    Cancel,
}

async fn answer(call: Call<RunPath, Nothing, Json<Answering>>) -> Result<Done> {
    let Json(Answering { signal, action, values }) = call.body;
    let answer = match (action, values) {
        (Said::Accept, values) => tool::Answer::Accept(values),
        (Said::Decline, None) => tool::Answer::Decline,
        (Said::Cancel, None) => tool::Answer::Cancel,
        (Said::Decline | Said::Cancel, Some(_)) => {
            return Err(Error::new(Code::InputInvalid, "who does not accept gives no `values`"));
        }
    };
    call.path.run(&call.caller).await?.answer(&signal, answer).await.map(|()| Done)
}

/// What came of a step.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Resolving {
    /// The step, by its key or the end of it.
    step: String,
    /// Which attempt is meant, from 1: refused if another was made since.
    #[serde(default)]
    attempt: Option<u32>,
    /// What came of it.
    outcome: CameOf,
}

/// What came of a step.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CameOf {
    /// It happened, with this result.
    Happened(Value),
    /// Do it again, under the same idempotency key.
    Retry,
    /// Leave it; the run is cancelled.
    Abort,
}

async fn resolve(call: Call<RunPath, Nothing, Json<Resolving>>) -> Result<Done> {
    let run = call.path.run(&call.caller).await?;
    let Json(Resolving { step, attempt, outcome }) = call.body;
    let resolution = match outcome {
        CameOf::Happened(result) => Resolution::Happened(AnyJson::from(result)),
        CameOf::Retry => Resolution::Retry,
        CameOf::Abort => Resolution::Abort,
    };
    let step = run.step(&step).await?;
    match attempt {
        Some(attempt) => run.resolve_attempt(&step, attempt, resolution).await?,
        None => run.resolve(&step, resolution).await?,
    }
    Ok(Done)
}
