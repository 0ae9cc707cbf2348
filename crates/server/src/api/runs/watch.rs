//! Runs are watched.

use adjutant_core::role::Right;
use adjutant_core::{Code, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{RunPath, TAG};
use crate::endpoint::{Call, Operation, Routes};
use crate::stream::{Events, Position, Socket};

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get("/api/runs/{run}/events", "watchRun", "Watch a run", Right::View).for_own()
                .of(TAG)
                .said(
                    "Server-sent events: first what has happened, then what happens, until the run is over. The data of each is one \
                     event as JSON. Who was cut off connects again with `Last-Event-ID`, as browsers do by themselves, and misses \
                     nothing. Pieces of text (`text_delta`) pass by while they are made; each has a cursor (attempt, sequence), and \
                     `reset` says that the pieces of an attempt are void. The whole text comes with `model_answered`. A comment shows \
                     now and then that the connection is alive.",
                )
                .fails(&[Code::NotFound]),
            events,
        )
        .on(
            Operation::get("/api/runs/{run}/socket", "watchRunBySocket", "Watch a run by WebSocket", Right::View).for_own()
                .of(TAG)
                .said("The same as the events, each a message `{\"id\": .., \"event\": .., \"data\": ..}`.")
                .fails(&[Code::NotFound]),
            socket,
        )
}

/// From where on, and how much.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Watched {
    /// The offset of the first record that is shown; the first of all where it is not given.
    #[serde(default)]
    from: Option<u64>,
    /// The id of the last event that was seen, as the header `Last-Event-ID` says it.
    #[serde(default)]
    after: Option<String>,
    /// Whether what happens in runs that it waits for is shown too. That has no ids: after an interruption what
    /// happened in those that it still waits for comes again.
    #[serde(default)]
    children: Option<bool>,
}

fn position<B>(call: &Call<RunPath, Watched, B>) -> Result<Position> {
    let after = call.header("last-event-id")?.or(call.query.after.as_deref());
    match (after, call.query.from) {
        (Some(after), _) => after.parse(),
        (None, Some(from)) => Ok(Position::before(from)),
        (None, None) => Ok(Position::default()),
    }
}

async fn events(call: Call<RunPath, Watched>) -> Result<Events> {
    let run = call.path.run(&call.caller).await?;
    Events::of(&call.service, &call.caller, &run, position(&call)?, call.query.children.unwrap_or_default())
}

async fn socket(call: Call<RunPath, Watched>) -> Result<Socket> {
    let run = call.path.run(&call.caller).await?;
    let (position, children) = (position(&call)?, call.query.children.unwrap_or_default());
    let (service, caller) = (call.service.clone(), call.caller.clone());
    Socket::of(call.upgrade().await?, &service, &caller, &run, position, children)
}
