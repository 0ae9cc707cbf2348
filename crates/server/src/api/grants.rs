//! What people have allowed beforehand.

use std::collections::BTreeMap;

use adjutant::SystemClock;
use adjutant::durable::Within;
use adjutant_core::role::Right;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::{Call, Found, Nothing, Operation, Optional, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Approvals";

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get("/api/grants", "listGrants", "What people have allowed beforehand", Right::View)
                .for_own()
                .of(TAG)
                .said("The newest first."),
            list,
        )
        .on(
            Operation::post(
                "/api/grants/{grant}/revoke",
                "revokeGrant",
                "Take back what was allowed",
                Right::Approve,
            )
            .for_own()
            .of(TAG)
            .said("The next call asks again.")
            .fails(&[Code::NotFound, Code::Conflict]),
            revoke,
        )
}

/// Which grants.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those too that are over or were taken back.
    all: Option<bool>,
}

/// What people have allowed beforehand.
#[derive(JsonSchema, Serialize)]
struct Grants {
    grants: Vec<Grant>,
}

/// Calls that need not be asked about.
#[derive(JsonSchema, Serialize)]
struct Grant {
    /// What it is known by.
    id: String,
    /// Whether it holds now.
    holds: bool,
    /// Where it holds: `project`, or the id of one `session` or `run`.
    within: GrantWithin,
    /// The person for whom the agent works; it holds for nobody else's runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The agent whose calls it allows.
    agent: String,
    /// The tool.
    tool: String,
    /// The values that arguments must have, by their JSON pointers.
    pinned: BTreeMap<String, Value>,
    /// Who gave it.
    by: String,
    /// When.
    at: i64,
    /// When it ends; when it is taken back where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// The run whose call was answered.
    run: String,
    /// Who took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Revoked>,
}

/// Where a grant holds.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum GrantWithin {
    /// In the turns of one conversation.
    Session(String),
    /// In one run, with all that it starts.
    Run(String),
    /// In every run.
    Project,
}

/// Who took something back.
#[derive(JsonSchema, Serialize)]
pub(super) struct Revoked {
    /// Who.
    by: String,
    /// When.
    at: i64,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<adjutant::durable::Revoked> for Revoked {
    fn from(revoked: adjutant::durable::Revoked) -> Self {
        Self { by: revoked.by, at: revoked.at.0, reason: revoked.reason }
    }
}

impl Grant {
    fn of(grant: adjutant::durable::Grant, now: Timestamp) -> Self {
        Self {
            holds: grant.revoked.is_none() && grant.until.is_none_or(|until| now < until),
            id: grant.id,
            within: match grant.within {
                Within::Session(session) => GrantWithin::Session(session.to_string()),
                Within::Run(run) => GrantWithin::Run(run.to_string()),
                Within::Project => GrantWithin::Project,
            },
            user: grant.user,
            agent: grant.agent,
            tool: grant.tool,
            pinned: grant.pinned,
            by: grant.by,
            at: grant.at.0,
            until: grant.until.map(|until| until.0),
            run: grant.run.to_string(),
            revoked: grant.revoked.map(Into::into),
        }
    }
}

async fn list(call: Call<Nothing, Which>) -> Result<Found<Grants>> {
    let (now, all) = (SystemClock.now(), call.query.all.unwrap_or_default());
    let grants = call.caller.adjutant().approvals().grants().await?;
    let who = call.caller.who();
    let theirs = grants.into_iter().filter(|grant| who.sees(&grant.agent, grant.user.as_deref()));
    let grants = theirs.map(|grant| Grant::of(grant, now)).filter(|grant| all || grant.holds);
    Ok(Found(Grants { grants: grants.collect() }))
}

/// One grant.
#[derive(Deserialize, JsonSchema)]
struct GrantPath {
    /// What it is known by.
    grant: String,
}

/// Why something is taken back.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoking {
    /// Why; it is recorded.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

async fn revoke(call: Call<GrantPath, Nothing, Optional<Revoking>>) -> Result<Found<Grant>> {
    let (id, who) = (call.path.grant.as_str(), call.caller.who());
    let approvals = call.caller.adjutant().approvals();
    let grants = approvals.grants().await?;
    let is_theirs = |grant: &adjutant::durable::Grant| who.sees(&grant.agent, grant.user.as_deref());
    if !grants.iter().any(|grant| grant.id == id && is_theirs(grant)) {
        return Err(Error::new(Code::NotFound, format!("there is no grant `{id}`")));
    }
    let grant = approvals.revoke(id, &who.by, call.body.0.reason).await?;
    Ok(Found(Grant::of(grant, SystemClock.now())))
}
