//! Keys: with which the service is asked.

use std::time::Duration;

use adjutant::durable::KeyInfo;
use adjutant::{NewKey, NewToken, SystemClock};
use adjutant_core::role::{Right, Role};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grants::Revoked;
use crate::access::Caller;
use crate::endpoint::{Call, Found, Nothing, Operation, Optional, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Keys";
/// How long a key that was replaced still holds where nothing is said, in seconds: a day.
const OVERLAP: u64 = 86_400;

pub(super) fn routes() -> Routes {
    let fails: &[Code] = &[Code::NotFound, Code::Conflict];
    Routes::default()
        .on(
            Operation::get("/api/keys", "listKeys", "The keys", Right::Administer)
                .of(TAG)
                .said("Of the caller's tenant, the newest first; those too that are over. What is sent with requests is not among it."),
            list,
        )
        .on(
            Operation::post("/api/keys", "createKey", "Make a key", Right::Administer)
                .of(TAG)
                .said("What is sent with requests is told now and never again. Who is confined makes keys that are confined within that. Of \
                     keys that hold, each has a name of its own.")
                .fails(&[Code::Conflict]),
            create,
        )
        .on(
            Operation::post("/api/keys/{key}/revoke", "revokeKey", "Take a key back", Right::Administer)
                .of(TAG)
                .said(
                    "It is refused from now on, by other processes within two seconds. The last with which the tenant is administered \
                     stays, unless `force` says that it is meant.",
                )
                .fails(fails),
            revoke,
        )
        .on(
            Operation::post("/api/keys/{key}/rotate", "rotateKey", "Put another key in its place", Right::Administer)
                .of(TAG)
                .said("With its name, role and scopes. The old one holds a while longer, so that whoever uses it can change over.")
                .fails(fails),
            rotate,
        )
}

/// The keys.
#[derive(JsonSchema, Serialize)]
struct Keys {
    keys: Vec<Key>,
}

/// A key, without what is sent with requests.
#[derive(JsonSchema, Serialize)]
struct Key {
    /// What it is known by.
    id: String,
    /// What people know it by.
    name: String,
    /// What may be done with it.
    role: KeyRole,
    /// What it is confined to, such as `agent:desk`; nothing where there is none.
    scopes: Vec<String>,
    /// Whether it is accepted now.
    holds: bool,
    /// When it was made.
    created: i64,
    /// Who made it.
    by: String,
    /// When it is over; when it is taken back where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// Who took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Revoked>,
    /// The key that was put in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<String>,
    /// When it was last used, give or take a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<i64>,
}

/// What somebody may do.
#[derive(Clone, Copy, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Role")]
enum KeyRole {
    /// Looks.
    Viewer,
    /// Looks, and runs.
    Operator,
    /// Looks, and decides about calls that wait.
    Approver,
    /// Looks, runs, and changes what is run.
    Developer,
    /// Does everything.
    Admin,
}

impl From<KeyRole> for Role {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Viewer => Self::Viewer,
            KeyRole::Operator => Self::Operator,
            KeyRole::Approver => Self::Approver,
            KeyRole::Developer => Self::Developer,
            KeyRole::Admin => Self::Admin,
        }
    }
}

impl From<Role> for KeyRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Approver => Self::Approver,
            Role::Developer => Self::Developer,
            Role::Admin => Self::Admin,
        }
    }
}

impl Key {
    fn of(key: KeyInfo, now: Timestamp) -> Self {
        Self {
            holds: key.holds(now),
            id: key.id,
            name: key.name,
            role: key.role.into(),
            scopes: key.scopes,
            created: key.created.0,
            by: key.by,
            expires: key.expires.map(|at| at.0),
            revoked: key.revoked.map(Into::into),
            replaced_by: key.replaced_by,
            used: key.used.map(|at| at.0),
        }
    }
}

/// Fails with [`Code::Forbidden`] unless the caller reaches all that a key with these scopes does: nobody gets further by a key that
/// they make.
fn within(caller: &Caller, scopes: &[String]) -> Result<()> {
    let who = caller.who();
    match who.scopes.is_empty() || (!scopes.is_empty() && scopes.iter().all(|scope| who.reaches(scope))) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Forbidden,
            format!(
                "`{}` is confined to {}, and the key would reach further",
                who.name,
                who.scopes.join(", ")
            ),
        )),
    }
}

async fn list(call: Call) -> Result<Found<Keys>> {
    let now = SystemClock.now();
    let keys = call.caller.adjutant().keys().list().await?.into_iter();
    let theirs = keys.filter(|key| within(&call.caller, &key.scopes).is_ok());
    Ok(Found(Keys { keys: theirs.map(|key| Key::of(key, now)).collect() }))
}

/// What a new key is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Creating {
    /// Who or what uses it.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// What may be done with it.
    role: KeyRole,
    /// What it is confined to: `agent:NAME`, `model:NAME`, or with a `*` at the end; nothing where none is given.
    #[serde(default)]
    scopes: Vec<String>,
    /// After how many seconds it is over; when it is taken back where none is given.
    #[serde(default)]
    // A hundred years.
    #[schemars(range(max = 3_162_240_000_u64))]
    seconds: Option<u64>,
}

/// A key that was made.
#[derive(JsonSchema, Serialize)]
struct Made {
    /// The key.
    key: Key,
    /// What is sent with each request, in `Authorization: Bearer TOKEN`. It is not told again.
    token: String,
    /// What may be a slip: scopes that no agent answers to by now.
    warnings: Vec<String>,
}

impl Made {
    fn of(caller: &Caller, NewToken { key, token }: NewToken) -> Self {
        let warnings = caller.adjutant().unmet_scopes(&key.scopes);
        Self { key: Key::of(key, SystemClock.now()), token: token.expose().to_owned(), warnings }
    }
}

async fn create(call: Call<Nothing, Nothing, Json<Creating>>) -> Result<Found<Made>> {
    let Json(Creating { name, role, scopes, seconds: lasts }) = call.body;
    within(&call.caller, &scopes)?;
    let new = NewKey { name, role: role.into(), scopes, lasts: lasts.map(Duration::from_secs) };
    let made = call.caller.adjutant().keys().create(new, &call.caller.who().by).await?;
    Ok(Found(Made::of(&call.caller, made)))
}

/// One key.
#[derive(Deserialize, JsonSchema)]
struct KeyPath {
    /// What it is known by.
    key: String,
}

/// How a key is taken back.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RevokingKey")]
struct Revoking {
    /// Why; it is recorded.
    #[serde(default)]
    reason: Option<String>,
    /// Whether it may be the last key with which the tenant is administered: then only who is at the machine of the store makes keys.
    #[serde(default)]
    force: bool,
}

async fn revoke(call: Call<KeyPath, Nothing, Optional<Revoking>>) -> Result<Found<Key>> {
    let (keys, by) = (call.caller.adjutant().keys(), &call.caller.who().by);
    let Revoking { reason, force } = call.body.0;
    if let Some(old) = keys.list().await?.into_iter().find(|key| key.id == call.path.key) {
        within(&call.caller, &old.scopes)?;
    }
    let key = match force {
        true => keys.revoke_last(&call.path.key, by, reason).await?,
        false => keys.revoke(&call.path.key, by, reason).await?,
    };
    Ok(Found(Key::of(key, SystemClock.now())))
}

/// How a key is replaced.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotating {
    /// How many seconds the old one still holds; a day where it is not given, and 0 ends it now.
    #[serde(default)]
    // A hundred years.
    #[schemars(range(max = 3_162_240_000_u64))]
    overlap: Option<u64>,
}

async fn rotate(call: Call<KeyPath, Nothing, Optional<Rotating>>) -> Result<Found<Made>> {
    let keys = call.caller.adjutant().keys();
    let id = call.path.key.as_str();
    let overlap = Duration::from_secs(call.body.0.overlap.unwrap_or(OVERLAP));
    if let Some(old) = keys.list().await?.into_iter().find(|key| key.id == id) {
        within(&call.caller, &old.scopes)?;
    }
    let made = keys.rotate(id, overlap, &call.caller.who().by).await?;
    Ok(Found(Made::of(&call.caller, made)))
}
