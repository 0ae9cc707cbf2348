//! Runs are taken over by people.

use adjutant::agent::takeover::Deed;
use adjutant_core::role::Right;
use adjutant_core::{Code, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{RunPath, TAG};
use crate::endpoint::{Call, Done, Nothing, Operation, Optional, Routes};

pub(super) fn routes() -> Routes {
    let fails: &[Code] = &[Code::NotFound, Code::Conflict];
    Routes::default()
        .on(
            Operation::post("/api/runs/{run}/take", "takeRun", "Take a run over", Right::Run)
                .of(TAG)
                .said("Between two of its turns it stops, and waits for what is done in the agent's place.")
                .fails(fails),
            take,
        )
        .on(
            Operation::post(
                "/api/runs/{run}/act",
                "actInRun",
                "Do something in the place of the agent",
                Right::Run,
            )
            .of(TAG)
            .said(
                "In a run that was taken over. What is done passes the same policies as what the agent does.",
            )
            .fails(fails),
            act,
        )
}

/// Why.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Taking {
    /// Why; it is recorded.
    #[serde(default)]
    reason: Option<String>,
}

async fn take(call: Call<RunPath, Nothing, Optional<Taking>>) -> Result<Done> {
    let run = call.path.run(&call.caller).await?;
    run.take(&call.caller.who().by, call.body.0.reason.as_deref()).await.map(|()| Done)
}

/// What is done in the place of an agent.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Acting {
    /// Something is said to the agent.
    Say {
        /// What.
        text: String,
    },
    /// Something is said as the agent.
    Speak {
        /// What.
        text: String,
    },
    /// What stands at a place of the conversation is written anew.
    Rewrite {
        /// The place, from 0.
        place: usize,
        /// What stands there from now on.
        text: String,
    },
    /// A tool is called as the agent would.
    Call {
        /// The tool.
        tool: String,
        /// Its arguments.
        arguments: Value,
    },
    /// The run is handed back.
    HandBack {
        /// What the agent is told.
        #[serde(default)]
        text: Option<String>,
    },
}

async fn act(call: Call<RunPath, Nothing, Json<Acting>>) -> Result<Done> {
    let deed = match call.body.0 {
        Acting::Say { text } => Deed::Say(text),
        Acting::Speak { text } => Deed::Speak(text),
        Acting::Rewrite { place, text } => Deed::Rewrite { place, text },
        Acting::Call { tool, arguments } => Deed::Call { tool, arguments },
        Acting::HandBack { text } => Deed::HandBack(text),
    };
    let run = call.path.run(&call.caller).await?;
    run.act(&call.caller.who().by, deed).await.map(|()| Done)
}
