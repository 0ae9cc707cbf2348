//! What somebody does to a run by mail, as acts in the chain. An act is recorded with the mail, in one transaction: there is neither
//! without the other.

use adjutant_core::Result;
use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_durable::{Act, Deed};
use rusqlite::Connection;
use serde_json::Value;

use crate::connection::fault;
use crate::{chain, claim};

/// Records a deed. Its details name the run, and its subject what the run is called.
pub(crate) fn record(
    connection: &Connection,
    scope: &Scope,
    run: &RunId,
    deed: Deed,
    at: Timestamp,
) -> Result<()> {
    let row = claim::row_of(connection, scope, run)?;
    let name: String = connection
        .prepare_cached("SELECT name FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([row], |row| row.get(0)))
        .map_err(fault)?;
    let Deed { by, what, mut details } = deed;
    details.insert(Act::RUN.to_owned(), run.as_str().into());
    let act = Act::new(by.unwrap_or_default(), what, name, at).with(Json::from(Value::Object(details)));
    chain::act(connection, scope, &act)
}
