//! What agents and workflows took of models, by day and person: sums that outlive the runs.

use adjutant_core::Result;
use adjutant_core::id::Scope;
use adjutant_durable::{Amount, Spending};
use rusqlite::{Connection, Row, params};

use crate::budget::MOST;
use crate::connection::fault;

/// Counts one call of a run, on the day with that row.
pub(crate) fn charge(connection: &Connection, run: i64, day: i64, (tokens, nanos): (i64, i64)) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO spending (tenant, project, day, name, user, calls, tokens, nanos)
             SELECT r.tenant, r.project, d.day, r.name, coalesce(r.user, ''), 1, ?3, ?4
             FROM runs r, days d WHERE r.id = ?1 AND d.id = ?2
             ON CONFLICT (tenant, project, day, name, user) DO UPDATE SET
                 calls = calls + 1, tokens = min(tokens, ?5 - ?3) + ?3, nanos = min(nanos, ?5 - ?4) + ?4",
        )
        .and_then(|mut insert| insert.execute(params![run, day, tokens, nanos, MOST]))
        .map(drop)
        .map_err(fault)
}

/// Those of some days, the oldest first.
pub(crate) fn list(
    connection: &Connection,
    scope: &Scope,
    (from, until): (i64, i64),
) -> Result<Vec<Spending>> {
    let read = |row: &Row<'_>| {
        let (user, calls, tokens): (String, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Spending {
            day: row.get(0)?,
            name: row.get(1)?,
            user: Some(user).filter(|user| !user.is_empty()),
            calls: u64::try_from(calls).unwrap_or_default(),
            amount: Amount { tokens: u64::try_from(tokens).unwrap_or_default(), nanos: row.get(5)? },
        })
    };
    connection
        .prepare_cached(
            "SELECT day, name, user, calls, tokens, nanos FROM spending
             WHERE tenant = ?1 AND project = ?2 AND day BETWEEN ?3 AND ?4 ORDER BY day, name, user",
        )
        .and_then(|mut select| {
            select.query_map(params![scope.tenant, scope.project, from, until], read)?.collect()
        })
        .map_err(fault)
}

/// Forgets for whom something was taken, and not that it was: for one person, or for everybody on the days before one.
pub(crate) fn forget(connection: &Connection, scope: &Scope, of: Forgotten<'_>) -> Result<()> {
    let (user, before) = match of {
        Forgotten::User(user) => (Some(user), i64::MAX),
        Forgotten::Before(day) => (None, day),
    };
    let parameters = params![scope.tenant, scope.project, user, before];
    let meant = "tenant = ?1 AND project = ?2 AND user <> '' AND user = coalesce(?3, user) AND day < ?4";
    connection
        .prepare_cached(&format!(
            "INSERT INTO spending (tenant, project, day, name, user, calls, tokens, nanos)
             SELECT tenant, project, day, name, '', sum(calls), CAST(min(total(tokens), {MOST}) AS INTEGER),
                    CAST(min(total(nanos), {MOST}) AS INTEGER) FROM spending WHERE {meant}
             GROUP BY tenant, project, day, name
             ON CONFLICT (tenant, project, day, name, user) DO UPDATE SET calls = calls + excluded.calls,
                 tokens = min(tokens, {MOST} - excluded.tokens) + excluded.tokens,
                 nanos = min(nanos, {MOST} - excluded.nanos) + excluded.nanos"
        ))
        .and_then(|mut fold| fold.execute(parameters))
        .map_err(fault)?;
    connection
        .prepare_cached(&format!("DELETE FROM spending WHERE {meant}"))
        .and_then(|mut delete| delete.execute(parameters))
        .map(drop)
        .map_err(fault)
}

/// Whose part in it is forgotten.
#[derive(Clone, Copy)]
pub(crate) enum Forgotten<'a> {
    /// One person's.
    User(&'a str),
    /// Everybody's, before that day (since 1970).
    Before(i64),
}
