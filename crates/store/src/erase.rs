//! Forgetting: what is old, and what belongs to a person.

use std::time::Duration;

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Act;
use rusqlite::{Connection, params};

use crate::codec::row_id;
use crate::connection::fault;
use crate::day::{self, Day};
use crate::spending::{self, Forgotten};
use crate::{chain, document};

/// How many runs are forgotten in one transaction: others wait for it.
pub(crate) const BATCH: u64 = 500;

/// How long a definition that nothing refers to is kept: it was put for a run that is about to start.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Forgets at most [`BATCH`] runs that ended before `now - keep`. Whole trees go, and whole sessions, when all of them
/// is that old; what was forked goes before what it was forked from. Returns how many went: none when that is all.
pub(crate) fn prune(
    connection: &Connection,
    scope: &Scope,
    (now, keep): (Timestamp, Duration),
    by: &str,
) -> Result<u64> {
    let before = now.0.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let rows: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT r.id, r.run FROM runs r
             WHERE r.tenant = ?1 AND r.project = ?2 AND r.state = 'ended' AND r.updated < ?3
               AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.fork_of = r.id)
               AND coalesce(r.root, r.id) NOT IN (
                   SELECT coalesce(o.root, o.id) FROM runs o
                   WHERE o.tenant = ?1 AND o.project = ?2 AND (o.state <> 'ended' OR o.updated >= ?3))
               AND (r.session IS NULL OR r.session NOT IN (
                   SELECT t.session FROM runs t WHERE t.tenant = ?1 AND t.project = ?2 AND t.session IS NOT NULL
                     AND (t.state <> 'ended' OR t.updated >= ?3)))
             ORDER BY r.id DESC LIMIT ?4",
        )
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, before, BATCH];
            select.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .map_err(fault)?;
    if rows.is_empty() {
        let day = Day { scope, at: Timestamp(before) }.number();
        spending::forget(connection, scope, Forgotten::Before(day))?;
        collect(connection, scope, now)?;
        return Ok(0);
    }
    let (rows, runs): (Vec<i64>, Vec<String>) = rows.into_iter().unzip();
    remove(connection, &rows)?;
    let details = Json::of(&serde_json::json!({ "before": before, "runs": runs }))?;
    chain::act(connection, scope, &Act::new(by, Act::PRUNED, "", now).with(details))?;
    Ok(rows.len() as u64)
}

/// Erases every run of one person, what those runs started, and what was forked from any of them.
pub(crate) fn user(
    connection: &Connection,
    scope: &Scope,
    user: &str,
    (now, by): (Timestamp, &str),
) -> Result<u64> {
    let rows: Vec<(i64, String, String)> = connection
        .prepare_cached(
            "WITH RECURSIVE mine (id) AS (
                 SELECT id FROM runs WHERE tenant = ?1 AND project = ?2 AND user = ?3
                 UNION SELECT r.id FROM runs r JOIN mine ON r.parent = mine.id OR r.fork_of = mine.id)
             SELECT r.id, r.state, r.run FROM runs r JOIN mine ON mine.id = r.id",
        )
        .and_then(|mut select| {
            select
                .query_map(params![scope.tenant, scope.project, user], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?
                .collect()
        })
        .map_err(fault)?;
    if rows.iter().any(|(_, state, _)| state == "running") {
        return Err(Error::new(Code::Conflict, format!("a run of `{user}` is being driven"))
            .with_help("cancel it, or wait for its end, and try again"));
    }
    let (rows, runs): (Vec<i64>, Vec<String>) = rows.into_iter().map(|(row, _, run)| (row, run)).unzip();
    remove(connection, &rows)?;
    let mut bury = connection
        .prepare_cached("INSERT OR IGNORE INTO erased (tenant, project, run) VALUES (?1, ?2, ?3)")
        .map_err(fault)?;
    for run in &runs {
        bury.execute(params![scope.tenant, scope.project, run]).map_err(fault)?;
    }
    let grants = connection
        .execute(
            "DELETE FROM grants WHERE tenant = ?1 AND project = ?2 AND user = ?3",
            params![scope.tenant, scope.project, user],
        )
        .map_err(fault)?;
    let documents = document::erase(connection, scope, user)?;
    spending::forget(connection, scope, Forgotten::User(user))?;
    if !rows.is_empty() || grants > 0 || documents > 0 {
        // Not whose they were: that is what must be forgotten.
        let details =
            Json::of(&serde_json::json!({ "runs": runs, "grants": grants, "documents": documents }))?;
        chain::act(connection, scope, &Act::new(by, Act::ERASED, "", now).with(details))?;
    }
    collect(connection, scope, now)?;
    Ok(rows.len() as u64)
}

fn remove(connection: &Connection, rows: &[i64]) -> Result<()> {
    let each = |statement: &str| -> Result<()> {
        let mut delete = connection.prepare_cached(statement).map_err(fault)?;
        rows.iter().try_for_each(|row| delete.execute([row]).map(drop)).map_err(fault)
    };
    rows.iter().try_for_each(|row| day::close(connection, *row))?;
    each("DELETE FROM reservations WHERE run = ?1 OR account = ?1")?;
    each("DELETE FROM accounts WHERE run = ?1")?;
    each("DELETE FROM mail WHERE run = ?1")?;
    // Forks go before what they refer to.
    each("UPDATE runs SET fork_of = NULL WHERE id = ?1")?;
    for row in rows {
        connection
            .prepare_cached("DELETE FROM journal WHERE id >= ?1 AND id < ?2")
            .and_then(|mut delete| delete.execute([row_id(*row, 0), row_id(row + 1, 0)]))
            .map_err(fault)?;
    }
    each("DELETE FROM runs WHERE id = ?1")
}

/// Collects blobs and definitions that nothing refers to any more.
fn collect(connection: &Connection, scope: &Scope, now: Timestamp) -> Result<()> {
    let fresh = i64::try_from(FRESH.as_millis()).unwrap_or(i64::MAX);
    connection
        .execute(
            "DELETE FROM blobs WHERE tenant = ?1 AND NOT EXISTS
               (SELECT 1 FROM journal j JOIN runs r ON r.id = j.id >> 32
                WHERE j.blob = blobs.digest AND r.tenant = blobs.tenant)",
            [&scope.tenant],
        )
        .map_err(fault)?;
    // A run also needs definitions that only its own names: of the agents that it asks, and of its policies. They were put
    // shortly before it was admitted, so what is older than the oldest run by a day is needed by none.
    connection
        .execute(
            "DELETE FROM definitions WHERE tenant = ?1 AND project = ?2
               AND put < ?4 + min(?3, coalesce((SELECT min(r.created) FROM runs r
                                                WHERE r.tenant = ?1 AND r.project = ?2), ?3))
               AND NOT EXISTS
               (SELECT 1 FROM runs r WHERE r.tenant = definitions.tenant AND r.project = definitions.project
                AND r.definition = definitions.digest)
               AND NOT EXISTS
               (SELECT 1 FROM versions v WHERE v.tenant = definitions.tenant AND v.project = definitions.project
                AND v.definition = definitions.digest)",
            params![scope.tenant, scope.project, now.0, -fresh],
        )
        .map(drop)
        .map_err(fault)
}
