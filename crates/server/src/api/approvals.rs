//! Calls that wait for a person.

use std::time::Duration;

use adjutant::agent::approval::Decision;
use adjutant::{Holds, Verdict};
use adjutant_core::hash::Digest;
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Caller;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Approvals";

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get(
                "/api/approvals",
                "listApprovals",
                "The calls that wait for a person",
                Right::View,
            )
            .for_own()
            .of(TAG)
            .said("Those that have waited longest first."),
            list,
        )
        .on(
            Operation::get(
                "/api/approvals/{approval}",
                "showApproval",
                "A call that waits for a person",
                Right::View,
            )
            .for_own()
            .of(TAG)
            .fails(&[Code::NotFound, Code::Conflict]),
            show,
        )
        .on(
            Operation::post(
                "/api/approvals/{approval}/decide",
                "decide",
                "Answer a call that waits",
                Right::Approve,
            )
            .for_own()
            .of(TAG)
            .said("The first answer counts; who comes later is told what it was, with 409.")
            .fails(&[Code::NotFound, Code::Conflict]),
            decide,
        )
}

/// The calls that wait.
#[derive(JsonSchema, Serialize)]
struct Waiting {
    approvals: Vec<Approval>,
}

/// A call that waits for a person.
#[derive(JsonSchema, Serialize)]
struct Approval {
    /// What it is known by.
    id: String,
    /// Its run.
    run: String,
    /// The agent that wants to make it.
    agent: String,
    /// The conversation that the run is a turn of.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// The person for whom the agent works.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// What is asked: `tool`, `arguments`, `why`, where each argument came from, what the agent had read, and the `digest` of the call.
    request: Value,
    /// Since when.
    since: i64,
    /// The answer, where one was given that the run has not taken yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Value>,
}

impl From<adjutant::Approval> for Approval {
    fn from(approval: adjutant::Approval) -> Self {
        Self {
            id: approval.id,
            run: approval.run.to_string(),
            agent: approval.agent,
            session: approval.session.map(|session| session.to_string()),
            user: approval.user,
            request: serde_json::to_value(approval.request).unwrap_or_default(),
            since: approval.since.0,
            answer: approval.answer.and_then(|answer| serde_json::to_value(answer).ok()),
        }
    }
}

async fn list(call: Call) -> Result<Found<Waiting>> {
    let mut waiting = call.caller.adjutant().approvals().waiting().await?;
    waiting.retain(|approval| call.caller.who().sees(&approval.agent, approval.user.as_deref()));
    Ok(Found(Waiting { approvals: waiting.into_iter().map(Into::into).collect() }))
}

/// One call that waits.
#[derive(Deserialize, JsonSchema)]
struct ApprovalPath {
    /// What it is known by.
    approval: String,
}

async fn find(caller: &Caller, id: &str) -> Result<adjutant::Approval> {
    let missing = || Error::new(Code::NotFound, format!("no call `{id}` waits for a person"));
    // The command line takes the beginning of an id; here that would decide about whatever happens to begin so.
    let found = caller.adjutant().approvals().find(id).await?;
    let is_theirs = caller.who().sees(&found.agent, found.user.as_deref());
    if found.id == id && is_theirs { Ok(found) } else { Err(missing()) }
}

async fn show(call: Call<ApprovalPath>) -> Result<Found<Approval>> {
    Ok(Found(find(&call.caller, &call.path.approval).await?.into()))
}

/// An answer to a call that waits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deciding {
    /// What is to be done.
    decision: Decided,
    /// The digest of the call that was looked at: refused where another one waits by now.
    #[serde(default)]
    digest: Option<String>,
    /// Which later calls it allows too; none where it is not given.
    #[serde(default)]
    holds: Option<Holding>,
}

/// What is to be done with a call.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Decided {
    /// Make it.
    Approve,
    /// Make it with these arguments, and no others.
    Edit(Value),
    /// Do not make it; the agent hears why, where a reason is given.
    Deny(Option<String>),
    /// Do not make it, and let this be its result.
    Answer(Value),
}

/// Which later calls an answer allows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Holding {
    /// Whether it holds in the whole project; in this session, or run, where it does not.
    #[serde(default)]
    everywhere: bool,
    /// The arguments that must stay as they are, by name or JSON pointer.
    #[serde(default)]
    pinned: Vec<String>,
    /// For how many seconds; until it is taken back where none is given.
    #[serde(default)]
    seconds: Option<u64>,
}

/// How a call was answered.
#[derive(JsonSchema, Serialize)]
struct AnswerGiven {
    /// The call.
    id: String,
    /// The answer as it is recorded, with who gave it.
    answer: Value,
}

async fn decide(call: Call<ApprovalPath, Nothing, Json<Deciding>>) -> Result<Found<AnswerGiven>> {
    let approval = find(&call.caller, &call.path.approval).await?;
    let Json(Deciding { decision, digest, holds }) = call.body;
    let decision = match decision {
        Decided::Approve => Decision::Approve,
        Decided::Edit(arguments) => Decision::Edit(arguments),
        Decided::Deny(reason) => Decision::Deny(reason),
        Decided::Answer(result) => Decision::Answer(result),
    };
    let seen = digest.map(|digest| digest.parse::<Digest>()).transpose()?;
    let holds = holds.map(|holds| Holds {
        everywhere: holds.everywhere,
        pinned: holds.pinned,
        time: holds.seconds.map(Duration::from_secs),
    });
    let by = call.caller.who().by.clone();
    let verdict = Verdict { decision, by, seen: seen.or(approval.request.digest), holds };
    let approvals = call.caller.adjutant().approvals();
    let answer = approvals.decide(&approval.run, &approval.signal, verdict).await?;
    Ok(Found(AnswerGiven { id: approval.id, answer: serde_json::to_value(answer).unwrap_or_default() }))
}
