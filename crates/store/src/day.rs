//! The account of a day: what all runs of a project may take from one midnight (UTC) to the next.
//!
//! What a run took is counted whether or not a process bounds it, so that a bound that is set at noon knows of the
//! morning. The bound itself is the configuration of the process that asks.

use adjutant_core::id::{Scope, StepKey};
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Advance, Amount};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::budget::{MOST, Room, nanos, tokens};
use crate::connection::fault;
use crate::spending;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The account of the day, with what a run that asks at a certain time needs of it.
#[derive(Clone, Copy)]
pub(crate) struct Day<'a> {
    pub(crate) scope: &'a Scope,
    /// The time at which it is asked; its day counts.
    pub(crate) at: Timestamp,
}

impl Day<'_> {
    /// When a day of that number begins.
    pub(crate) fn begins(number: i64) -> Timestamp {
        Timestamp(number.saturating_mul(DAY))
    }

    /// Fails with [`Code::RunBudget`] when nothing is left of `limit`.
    pub(crate) fn check(self, connection: &Connection, limit: Amount) -> Result<()> {
        let spent = connection
            .prepare_cached(
                "SELECT tokens_spent, nanos_spent FROM days WHERE tenant = ?1 AND project = ?2 AND day = ?3",
            )
            .and_then(|mut select| {
                let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
                select
                    .query_row(params![self.scope.tenant, self.scope.project, self.number()], row)
                    .optional()
            })
            .map_err(fault)?;
        let (tokens_spent, nanos_spent) = spent.unwrap_or_default();
        match tokens_spent >= tokens(limit) || nanos_spent >= nanos(limit) {
            false => Ok(()),
            true => Err(full()),
        }
    }

    /// Whether `limit` has room for an amount beside what was taken and what is set aside.
    pub(crate) fn room(self, connection: &Connection, limit: Amount, amount: Amount) -> Result<Room> {
        let day = self.open(connection)?;
        connection
            .prepare_cached(
                "SELECT tokens_spent + ?2 <= ?4 AND nanos_spent + ?3 <= ?5,
                        tokens_spent + (SELECT coalesce(sum(tokens), 0) FROM day_reservations WHERE day = ?1) + ?2 <= ?4
                          AND nanos_spent + (SELECT coalesce(sum(nanos), 0) FROM day_reservations WHERE day = ?1) + ?3
                          <= ?5
                 FROM days WHERE id = ?1",
            )
            .and_then(|mut select| {
                let values = params![day, tokens(amount), nanos(amount), tokens(limit), nanos(limit)];
                select.query_row(values, |row| Ok(Room::of(row.get(0)?, row.get(1)?)))
            })
            .map_err(fault)
    }

    /// Counts an amount as taken, between the least and the most: what `limit` has room for beside what is set aside. Fails with
    /// [`Code::RunBudget`] where that is less than the least.
    pub(crate) fn advance(
        self,
        connection: &Connection,
        limit: Option<Amount>,
        (least, most): (Amount, Amount),
    ) -> Result<Advance> {
        let day = self.open(connection)?;
        let given = match limit {
            None => (tokens(most), nanos(most)),
            Some(limit) => {
                let taken: (i64, i64) = connection
                    .prepare_cached(
                        "SELECT tokens_spent + (SELECT coalesce(sum(tokens), 0) FROM day_reservations WHERE day = ?1),
                                nanos_spent + (SELECT coalesce(sum(nanos), 0) FROM day_reservations WHERE day = ?1)
                         FROM days WHERE id = ?1",
                    )
                    .and_then(|mut select| select.query_row([day], |row| Ok((row.get(0)?, row.get(1)?))))
                    .map_err(fault)?;
                let left = (tokens(limit).saturating_sub(taken.0), nanos(limit).saturating_sub(taken.1));
                if left.0 < tokens(least) || left.1 < nanos(least) {
                    return Err(full());
                }
                (left.0.min(tokens(most)), left.1.min(nanos(most)))
            }
        };
        charge(connection, day, given)?;
        let amount = Amount { tokens: u64::try_from(given.0).unwrap_or_default(), nanos: given.1 };
        Ok(Advance { day: self.number(), amount })
    }

    /// Takes back a rest of what was counted as taken on that day, and counts what was taken beyond it.
    pub(crate) fn give_back(self, connection: &Connection, rest: Amount, beyond: Amount) -> Result<()> {
        let day = self.open(connection)?;
        connection
            .prepare_cached(
                "UPDATE days SET tokens_spent = max(tokens_spent - ?2, 0), nanos_spent = max(nanos_spent - ?3, 0)
                 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![day, tokens(rest), nanos(rest)]))
            .map_err(fault)?;
        charge(connection, day, (tokens(beyond), nanos(beyond)))
    }

    /// Sets an amount aside for a step.
    pub(crate) fn set_aside(
        self,
        connection: &Connection,
        (run, segment, key): (i64, u32, &StepKey),
        amount: Amount,
    ) -> Result<()> {
        let day = self.open(connection)?;
        connection
            .prepare_cached(
                "INSERT INTO day_reservations (run, segment, key, day, tokens, nanos)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                insert.execute(params![run, segment, key.as_str(), day, tokens(amount), nanos(amount)])
            })
            .map(drop)
            .map_err(fault)
    }

    /// Replaces what was set aside for a step by what it took, by all of it where that is not known, on the day on
    /// which it was set aside. What nothing was set aside for counts today.
    pub(crate) fn settle(
        self,
        connection: &Connection,
        (run, segment, key): (i64, u32, &StepKey),
        spent: Option<Amount>,
    ) -> Result<()> {
        let reserved = connection
            .prepare_cached(
                "DELETE FROM day_reservations WHERE run = ?1 AND segment = ?2 AND key = ?3
                 RETURNING day, tokens, nanos",
            )
            .and_then(|mut delete| {
                let row =
                    |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
                delete.query_row(params![run, segment, key.as_str()], row).optional()
            })
            .map_err(fault)?;
        let spent = spent.map(|spent| (tokens(spent), nanos(spent)));
        match (reserved, spent) {
            (Some((day, tokens, nanos)), spent) => {
                charge_run(connection, run, day, spent.unwrap_or((tokens, nanos)))
            }
            (None, Some(spent)) if spent != (0, 0) => {
                charge_run(connection, run, self.open(connection)?, spent)
            }
            (None, _) => Ok(()),
        }
    }

    /// The row of the day, which is made where it is not there.
    fn open(self, connection: &Connection) -> Result<i64> {
        let key = params![self.scope.tenant, self.scope.project, self.number()];
        let known = connection
            .prepare_cached("SELECT id FROM days WHERE tenant = ?1 AND project = ?2 AND day = ?3")
            .and_then(|mut select| select.query_row(key, |row| row.get(0)).optional())
            .map_err(fault)?;
        if let Some(day) = known {
            return Ok(day);
        }
        connection
            .prepare_cached("INSERT INTO days (tenant, project, day) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.insert(key))
            .map_err(fault)
    }

    /// Which day it is, since 1970.
    pub(crate) fn number(self) -> i64 {
        self.at.0.div_euclid(DAY)
    }
}

fn full() -> Error {
    Error::new(Code::RunBudget, "the project's budget for today is used up")
        .with_help("wait until tomorrow (UTC), or raise `[budget]` in `adjutant.toml`")
}

/// Charges what a run that goes away had set aside: nobody can say any more what came of it.
pub(crate) fn close(connection: &Connection, run: i64) -> Result<()> {
    let reserved: Vec<(i64, i64, i64)> = connection
        .prepare_cached("DELETE FROM day_reservations WHERE run = ?1 RETURNING day, tokens, nanos")
        .and_then(|mut delete| {
            delete.query_map([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })
        .map_err(fault)?;
    reserved
        .into_iter()
        .try_for_each(|(day, tokens, nanos)| charge_run(connection, run, day, (tokens, nanos)))
}

/// Charges a call of a run.
fn charge_run(connection: &Connection, run: i64, day: i64, spent: (i64, i64)) -> Result<()> {
    charge(connection, day, spent)?;
    spending::charge(connection, run, day, spent)
}

/// Sums stay within what a column can hold, whatever a provider says that it used.
fn charge(connection: &Connection, day: i64, (tokens, nanos): (i64, i64)) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE days SET tokens_spent = min(tokens_spent, ?4 - ?2) + ?2,
                             nanos_spent = min(nanos_spent, ?4 - ?3) + ?3 WHERE id = ?1",
        )
        .and_then(|mut update| update.execute(params![day, tokens, nanos, MOST]))
        .map(drop)
        .map_err(fault)
}
