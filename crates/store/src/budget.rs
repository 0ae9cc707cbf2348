//! The ledger: what a tree of runs may take together.
//!
//! An amount is set aside before the call that may take it, in the transaction that records the call; when the answer
//! is recorded, what was set aside is replaced by what was taken. A call whose answer was lost is charged all of it.

use adjutant_core::Result;
use adjutant_core::id::StepKey;
use adjutant_durable::Amount;
use rusqlite::{Connection, params};

use crate::connection::fault;

/// Opens the account of a run, under the account that the run would take from without it.
pub(crate) fn open(connection: &Connection, run: i64, limit: Amount, above: Option<i64>) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO accounts (run, parent, tokens_limit, nanos_limit) VALUES (?1, ?2, ?3, ?4)",
        )
        .and_then(|mut insert| insert.execute(params![run, above, tokens(limit), nanos(limit)]))
        .map(drop)
        .map_err(fault)
}

/// Sets an amount aside for a step, if every account that the run takes from has room for it. What an earlier attempt
/// of the same step had set aside was lost with its answer, and is charged.
pub(crate) fn reserve(
    connection: &Connection,
    run: i64,
    segment: u32,
    key: &StepKey,
    amount: Amount,
) -> Result<bool> {
    settle(connection, run, segment, key, None)?;
    let accounts = accounts(connection, run)?;
    for account in &accounts {
        let room = connection
            .prepare_cached(
                "SELECT tokens_spent + (SELECT coalesce(sum(tokens), 0) FROM reservations WHERE account = ?1) + ?2
                          <= tokens_limit
                    AND nanos_spent + (SELECT coalesce(sum(nanos), 0) FROM reservations WHERE account = ?1) + ?3
                          <= nanos_limit
                 FROM accounts WHERE run = ?1",
            )
            .and_then(|mut select| {
                select.query_row(params![account, tokens(amount), nanos(amount)], |row| row.get::<_, bool>(0))
            })
            .map_err(fault)?;
        if !room {
            return Ok(false);
        }
    }
    for account in accounts {
        connection
            .prepare_cached(
                "INSERT INTO reservations (run, segment, key, account, tokens, nanos)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                insert.execute(params![run, segment, key.as_str(), account, tokens(amount), nanos(amount)])
            })
            .map_err(fault)?;
    }
    Ok(true)
}

/// Replaces what was set aside for a step by what it took; by all of it where that is not known.
pub(crate) fn settle(
    connection: &Connection,
    run: i64,
    segment: u32,
    key: &StepKey,
    spent: Option<Amount>,
) -> Result<()> {
    let reserved: Vec<(i64, i64, i64)> = connection
        .prepare_cached(
            "DELETE FROM reservations WHERE run = ?1 AND segment = ?2 AND key = ?3 RETURNING account, tokens, nanos",
        )
        .and_then(|mut delete| {
            let rows = delete.query_map(params![run, segment, key.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        })
        .map_err(fault)?;
    for (account, reserved_tokens, reserved_nanos) in reserved {
        let (tokens, nanos) =
            spent.map_or((reserved_tokens, reserved_nanos), |spent| (tokens(spent), nanos(spent)));
        // Sums stay within what a column can hold, whatever a provider says that it used.
        connection
            .prepare_cached(
                "UPDATE accounts SET tokens_spent = min(tokens_spent, ?4 - ?2) + ?2,
                                     nanos_spent = min(nanos_spent, ?4 - ?3) + ?3 WHERE run = ?1",
            )
            .and_then(|mut update| update.execute(params![account, tokens, nanos, MOST]))
            .map_err(fault)?;
    }
    Ok(())
}

/// The accounts that a run takes from, the nearest first.
fn accounts(connection: &Connection, run: i64) -> Result<Vec<i64>> {
    connection
        .prepare_cached(
            "WITH RECURSIVE above (run) AS (
                 SELECT account FROM runs WHERE id = ?1 AND account IS NOT NULL
                 UNION ALL SELECT a.parent FROM accounts a JOIN above ON a.run = above.run WHERE a.parent IS NOT NULL)
             SELECT run FROM above",
        )
        .and_then(|mut select| select.query_map([run], |row| row.get(0))?.collect())
        .map_err(fault)
}

/// The largest amount that is counted, a million dollars or 10^15 tokens, so that sums of many stay exact.
const MOST: i64 = 1_000_000_000_000_000;

fn tokens(amount: Amount) -> i64 {
    i64::try_from(amount.tokens).unwrap_or(MOST).min(MOST)
}

fn nanos(amount: Amount) -> i64 {
    amount.nanos.clamp(0, MOST)
}
