//! What is kept is erased: of one person, and of long ago.

use std::time::Duration;

use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Caller;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Data";

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::delete("/api/users/{user}/data", "eraseUser", "Erase what is kept of a person", Right::Administer)
                .of(TAG)
                .said(
                    "Every run of theirs, with the files of its tools, and all that was kept of answers of models, which does not say \
                     whose it is. It cannot be taken back.",
                ),
            erase,
        )
        .on(
            Operation::post("/api/prune", "prune", "Forget runs that are over", Right::Administer)
                .of(TAG)
                .said("With the files of their tools. It cannot be taken back."),
            prune,
        )
}

/// Fails with [`Code::Forbidden`] where the caller is confined: it reaches everything.
pub(super) fn unconfined(caller: &Caller) -> Result<()> {
    match caller.who().scopes.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            Code::Forbidden,
            format!("`{}` is confined, and this reaches what others run, too", caller.who().name),
        )),
    }
}

/// A person.
#[derive(Deserialize, JsonSchema)]
struct UserPath {
    /// What they are known by.
    user: String,
}

/// What was erased.
#[derive(JsonSchema, Serialize)]
struct Erased {
    /// How many runs.
    runs: u64,
}

async fn erase(call: Call<UserPath>) -> Result<Found<Erased>> {
    unconfined(&call.caller)?;
    Ok(Found(Erased {
        runs: call.caller.adjutant().erase_user(&call.path.user, &call.caller.who().by).await?,
    }))
}

/// What is forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pruning {
    /// Runs that ended more than so many days ago.
    #[schemars(range(max = 100_000))]
    days: u32,
}

async fn prune(call: Call<Nothing, Nothing, Json<Pruning>>) -> Result<Found<Erased>> {
    unconfined(&call.caller)?;
    let days = call.body.0.days;
    let keep = Duration::from_secs(u64::from(days) * 86_400);
    Ok(Found(Erased { runs: call.caller.adjutant().prune(keep, &call.caller.who().by).await? }))
}
