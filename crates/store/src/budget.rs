//! The ledger: what a tree of runs may take together.
//!
//! An amount is set aside before the call that may take it, in the transaction that records the call; when the answer
//! is recorded, what was set aside is replaced by what was taken. A call whose answer was lost is charged all of it.

use adjutant_core::Result;
use adjutant_core::id::StepKey;
use adjutant_durable::Amount;
use rusqlite::{Connection, OptionalExtension, params};

use crate::connection::fault;

/// Opens the account of a run.
pub(crate) fn open(connection: &Connection, run: i64, limit: Amount) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO accounts (run, tokens_limit, nanos_limit) VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.execute(params![run, tokens(limit), limit.nanos]))
        .map(drop)
        .map_err(fault)
}

/// Sets an amount aside for a step, if the account of the run has room for it. What an earlier attempt of the same
/// step had set aside was lost with its answer, and is charged.
pub(crate) fn reserve(
    connection: &Connection,
    run: i64,
    segment: u32,
    key: &StepKey,
    amount: Amount,
) -> Result<bool> {
    settle(connection, run, segment, key, None)?;
    let Some(account) = account(connection, run)? else { return Ok(true) };
    let granted = connection
        .prepare_cached(
            "INSERT INTO reservations (run, segment, key, account, tokens, nanos)
             SELECT ?1, ?2, ?3, a.run, ?5, ?6 FROM accounts a
             LEFT JOIN (SELECT account, sum(tokens) AS tokens, sum(nanos) AS nanos FROM reservations
                        WHERE account = ?4) r ON r.account = a.run
             WHERE a.run = ?4
               AND a.tokens_spent + coalesce(r.tokens, 0) + ?5 <= a.tokens_limit
               AND a.nanos_spent + coalesce(r.nanos, 0) + ?6 <= a.nanos_limit",
        )
        .and_then(|mut insert| {
            insert.execute(params![run, segment, key.as_str(), account, tokens(amount), amount.nanos])
        })
        .map_err(fault)?;
    Ok(granted == 1)
}

/// Replaces what was set aside for a step by what it took; by all of it where that is not known.
pub(crate) fn settle(
    connection: &Connection,
    run: i64,
    segment: u32,
    key: &StepKey,
    spent: Option<Amount>,
) -> Result<()> {
    let reserved = connection
        .prepare_cached(
            "DELETE FROM reservations WHERE run = ?1 AND segment = ?2 AND key = ?3 RETURNING account, tokens, nanos",
        )
        .and_then(|mut delete| {
            delete
                .query_row(params![run, segment, key.as_str()], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
                })
                .optional()
        })
        .map_err(fault)?;
    let Some((account, reserved_tokens, reserved_nanos)) = reserved else { return Ok(()) };
    let (tokens, nanos) =
        spent.map_or((reserved_tokens, reserved_nanos), |spent| (tokens(spent), spent.nanos));
    connection
        .prepare_cached(
            "UPDATE accounts SET tokens_spent = tokens_spent + ?2, nanos_spent = nanos_spent + ?3 WHERE run = ?1",
        )
        .and_then(|mut update| update.execute(params![account, tokens, nanos]))
        .map(drop)
        .map_err(fault)
}

/// The account that a run takes from: its own, or that of the run that started it all.
fn account(connection: &Connection, run: i64) -> Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT a.run FROM runs r JOIN accounts a ON a.run = r.id OR a.run = r.root
             WHERE r.id = ?1 ORDER BY a.run = r.id DESC LIMIT 1",
        )
        .and_then(|mut select| select.query_row([run], |row| row.get(0)).optional())
        .map_err(fault)
}

fn tokens(amount: Amount) -> i64 {
    i64::try_from(amount.tokens).unwrap_or(i64::MAX)
}
