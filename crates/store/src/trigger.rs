//! Occurrences of triggers as rows.

use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Fired, Firing, Occurrence};
use rusqlite::{Connection, OptionalExtension, params};

use crate::claim;
use crate::connection::fault;

/// A place on a schedule that is so far ahead was taken under a clock that was wrong, in milliseconds.
const FAR_AHEAD: i64 = 60 * 60 * 1_000;

/// How far a trigger has come on its schedule. One that is new, or has another schedule than before, begins now, and so does one
/// whose place is far ahead of the clock: what comes due again is known by its key.
pub(crate) fn since(
    connection: &Connection,
    scope: &Scope,
    trigger: &str,
    schedule: &str,
    now: Timestamp,
) -> Result<Timestamp> {
    connection
        .prepare_cached(
            "INSERT INTO triggers (tenant, project, name, schedule, since) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET schedule = excluded.schedule, since = excluded.since
             WHERE schedule <> excluded.schedule OR since > excluded.since + ?6",
        )
        .and_then(|mut insert| {
            let parameters = params![scope.tenant, scope.project, trigger, schedule, now.0, FAR_AHEAD];
            insert.execute(parameters)
        })
        .map_err(fault)?;
    place(connection, scope, trigger).map(|since| since.unwrap_or(now))
}

fn place(connection: &Connection, scope: &Scope, trigger: &str) -> Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT since FROM triggers WHERE tenant = ?1 AND project = ?2 AND name = ?3")
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, trigger];
            select.query_row(parameters, |row| row.get(0)).optional()
        })
        .map(|since| since.map(Timestamp))
        .map_err(fault)
}

/// Records an occurrence and admits its run, unless somebody has, or its terms do not hold.
pub(crate) fn fire(connection: &Connection, scope: &Scope, firing: &Firing, now: Timestamp) -> Result<Fired> {
    let Occurrence { trigger, key, due, .. } = &firing.occurrence;
    if let Some(since) = firing.terms.since
        && place(connection, scope, trigger)? != Some(since)
    {
        return Ok(Fired::Known);
    }
    let is_there = connection
        .prepare_cached(
            "SELECT 1 FROM occurrences WHERE tenant = ?1 AND project = ?2 AND trigger_name = ?3 AND key = ?4",
        )
        .and_then(|mut select| select.exists(params![scope.tenant, scope.project, trigger, key]))
        .map_err(fault)?;
    if firing.terms.alone
        && !is_there
        && let Some(run) = under_way(connection, scope, trigger)?
    {
        return Ok(Fired::Busy(run));
    }
    if firing.terms.since.is_some() {
        connection
            .prepare_cached(
                "UPDATE triggers SET since = max(since, ?4) WHERE tenant = ?1 AND project = ?2 AND name = ?3",
            )
            .and_then(|mut update| update.execute(params![scope.tenant, scope.project, trigger, due.0]))
            .map_err(fault)?;
    }
    if is_there {
        return Ok(Fired::Known);
    }
    let run = match &firing.admission {
        Some(admission) => Some(claim::admit(connection, scope, admission, now)?.0),
        None => None,
    };
    let body = Json::of(&firing.occurrence)?;
    connection
        .prepare_cached(
            "INSERT INTO occurrences (tenant, project, trigger_name, key, run, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![scope.tenant, scope.project, trigger, key, run, body.as_str()])
        })
        .map_err(fault)?;
    Ok(Fired::Recorded)
}

/// A run of the trigger that is not over.
fn under_way(connection: &Connection, scope: &Scope, trigger: &str) -> Result<Option<RunId>> {
    connection
        .prepare_cached(
            "SELECT r.run FROM runs r JOIN occurrences o ON o.run = r.id
             WHERE o.tenant = ?1 AND o.project = ?2 AND o.trigger_name = ?3 AND r.state <> 'ended' LIMIT 1",
        )
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, trigger];
            select.query_row(parameters, |row| row.get::<_, String>(0)).optional()
        })
        .map(|run| run.map(RunId::new))
        .map_err(fault)
}

/// The occurrences of a trigger, or of all, the newest first.
pub(crate) fn list(
    connection: &Connection,
    scope: &Scope,
    trigger: Option<&str>,
    most: usize,
) -> Result<Vec<Occurrence>> {
    let rows: Vec<String> = connection
        .prepare_cached(
            "SELECT body FROM occurrences
             WHERE tenant = ?1 AND project = ?2 AND trigger_name = coalesce(?3, trigger_name)
             ORDER BY id DESC LIMIT ?4",
        )
        .and_then(|mut select| {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            select.query_map(params![scope.tenant, scope.project, trigger, most], |row| row.get(0))?.collect()
        })
        .map_err(fault)?;
    let corrupt = |_| Error::new(Code::StoreCorrupt, "an occurrence of a trigger cannot be read");
    rows.iter().map(|body| Json::parse(body).and_then(|json| json.to()).map_err(corrupt)).collect()
}
