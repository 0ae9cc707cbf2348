//! The ledger: what a tree of runs may take together, and all runs of a project on one day (see [`crate::day`]).
//!
//! An amount is set aside before the call that may take it, in the transaction that records the call; when the answer
//! is recorded, what was set aside is replaced by what was taken. A call whose answer was lost is charged all of it.

use adjutant_core::id::StepKey;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Amount;
use rusqlite::{Connection, params};

use crate::connection::fault;
use crate::day::Day;
use crate::store::Owner;

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

/// Whether an account has room for an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It has.
    Free,
    /// It has if other calls take less than what is set aside for them.
    Later,
    /// It has not.
    Full,
}

impl Room {
    /// From whether an amount fits beside what was taken, and beside what is set aside as well.
    pub(crate) fn of(fits: bool, fits_now: bool) -> Self {
        match (fits, fits_now) {
            (_, true) => Self::Free,
            (true, false) => Self::Later,
            (false, false) => Self::Full,
        }
    }
}

/// Why an amount was not set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Whether it is the account of the day, not one of the run's own tree.
    pub(crate) day: bool,
    /// Whether there may be room when other calls are over.
    pub(crate) passes: bool,
}

impl Refused {
    /// What the run hears of it.
    pub(crate) fn error(self) -> Error {
        match self.day {
            true => Error::new(Code::RunBudget, "the project's budget for today has no room for this call")
                .with_help(
                    "resume the run tomorrow (UTC), or raise `[budget]` in `adjutant.toml` and resume it",
                ),
            false => Error::new(Code::RunBudget, "the run's budget has no room for this call").with_help(
                "start the run anew with a larger budget, or lower `max_output_tokens` of the agent",
            ),
        }
    }
}

/// Sets an amount aside for a step, if every account that the run takes from has room for it, and that of the day as
/// well. What an earlier attempt of the same step had set aside was lost with its answer, and is charged.
pub(crate) fn reserve(
    connection: &Connection,
    owner: &Owner,
    step: (u32, &StepKey),
    amount: Amount,
    at: Timestamp,
) -> Result<Result<(), Refused>> {
    settle(connection, owner, step, None, at)?;
    let ((segment, key), run) = (step, owner.row);
    let accounts = accounts(connection, run)?;
    let day = Day { scope: &owner.scope, at };
    for account in &accounts {
        let room = room(connection, *account, amount)?;
        if room != Room::Free {
            return Ok(Err(Refused { day: false, passes: room == Room::Later }));
        }
    }
    if let Some(limit) = owner.daily {
        let room = day.room(connection, limit, amount)?;
        if room != Room::Free {
            return Ok(Err(Refused { day: true, passes: room == Room::Later }));
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
    day.set_aside(connection, (run, segment, key), amount).map(Ok)
}

fn room(connection: &Connection, account: i64, amount: Amount) -> Result<Room> {
    connection
        .prepare_cached(
            "SELECT tokens_spent + ?2 <= tokens_limit AND nanos_spent + ?3 <= nanos_limit,
                    tokens_spent + (SELECT coalesce(sum(tokens), 0) FROM reservations WHERE account = ?1) + ?2
                      <= tokens_limit
                AND nanos_spent + (SELECT coalesce(sum(nanos), 0) FROM reservations WHERE account = ?1) + ?3
                      <= nanos_limit
             FROM accounts WHERE run = ?1",
        )
        .and_then(|mut select| {
            let values = params![account, tokens(amount), nanos(amount)];
            select.query_row(values, |row| Ok(Room::of(row.get(0)?, row.get(1)?)))
        })
        .map_err(fault)
}

/// Replaces what was set aside for a step by what it took; by all of it where that is not known.
pub(crate) fn settle(
    connection: &Connection,
    owner: &Owner,
    (segment, key): (u32, &StepKey),
    spent: Option<Amount>,
    at: Timestamp,
) -> Result<()> {
    let run = owner.row;
    Day { scope: &owner.scope, at }.settle(connection, (run, segment, key), spent)?;
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
pub(crate) const MOST: i64 = 1_000_000_000_000_000;

pub(crate) fn tokens(amount: Amount) -> i64 {
    i64::try_from(amount.tokens).unwrap_or(MOST).min(MOST)
}

pub(crate) fn nanos(amount: Amount) -> i64 {
    amount.nanos.clamp(0, MOST)
}
