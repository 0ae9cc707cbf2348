//! Runs as rows: admitting them, sending to them, and claiming them for a worker.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, After, Entry, Letter, Mail, Origin, Record, Serve};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::codec::{Encoded, row_id};
use crate::connection::fault;
use crate::{budget, busy, chain};

/// Finds the row of a run.
pub(crate) fn row_of(connection: &Connection, scope: &Scope, run: &RunId) -> Result<i64> {
    connection
        .prepare_cached("SELECT id FROM runs WHERE tenant = ?1 AND project = ?2 AND run = ?3")
        .and_then(|mut select| {
            select.query_row(params![scope.tenant, scope.project, run.as_str()], |row| row.get(0)).optional()
        })
        .map_err(fault)?
        .ok_or_else(|| {
            Error::new(Code::NotFound, format!("there is no run `{run}`"))
                .with_help("`adjutant runs` lists them")
        })
}

/// Records a run, unless it is there. What its conversation is at is ended first, where the admission says so: the order of the two is
/// on disk together with both. Returns its row and whether it is new.
///
/// Fails with [`Code::Conflict`] where the admission wants its conversation at rest, and it is not.
pub(crate) fn admit(
    connection: &Connection,
    scope: &Scope,
    admission: &Admission,
    at: Timestamp,
) -> Result<(i64, bool)> {
    let (row, new) = enter(connection, scope, admission, at)?;
    if new {
        let record =
            Record { offset: 0, segment: 0, at, entry: Entry::Admitted(Box::new(admission.clone())) };
        write(connection, scope, (row, &admission.run), &record)?;
    }
    Ok((row, new))
}

/// Makes the row of a run, unless it is there; its first record is the caller's.
pub(crate) fn enter(
    connection: &Connection,
    scope: &Scope,
    admission: &Admission,
    at: Timestamp,
) -> Result<(i64, bool)> {
    let existing = connection
        .prepare_cached("SELECT id FROM runs WHERE tenant = ?1 AND project = ?2 AND run = ?3")
        .and_then(|mut select| {
            select
                .query_row(params![scope.tenant, scope.project, admission.run.as_str()], |row| row.get(0))
                .optional()
        })
        .map_err(fault)?;
    if let Some(row) = existing {
        return Ok((row, false));
    }
    if is_erased(connection, scope, &admission.run)? {
        let message = format!("the run `{}` was erased, and does not begin again", admission.run);
        return Err(Error::new(Code::Conflict, message).with_help(
            "give the task another name, or the request another idempotency key, if it is to be done anew",
        ));
    }
    let kin = kin(connection, scope, admission)?;
    let turn = match &admission.session {
        Some(session) => {
            let (turn, stands) = next_turn(connection, scope, session)?;
            if admission.after.as_ref().is_some_and(|after| *after != stands) {
                let message = format!("another turn of the session `{session}` was begun meanwhile");
                return Err(Error::new(Code::Conflict, message).with_help("ask again"));
            }
            Some(turn)
        }
        None => None,
    };
    let admission = &busy::make_way(connection, scope, admission, at)?;
    let without_content = Json::of(&without_content(admission))?;
    connection
        .prepare_cached(
            "INSERT INTO runs (tenant, project, run, name, definition, admission, session, turn, user, parent, root,
                               account, state, created, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'ready', ?13, ?13)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                scope.tenant,
                scope.project,
                admission.run.as_str(),
                admission.name,
                admission.definition.as_bytes(),
                without_content.as_str(),
                admission.session.as_ref().map(SessionId::as_str),
                turn,
                admission.user,
                kin.parent,
                kin.root,
                kin.account,
                at.0
            ])
        })
        .map_err(fault)?;
    let row = connection.last_insert_rowid();
    if let Some(limit) = admission.budget {
        budget::open(connection, row, limit, kin.account)?;
        connection
            .prepare_cached("UPDATE runs SET account = id WHERE id = ?1")
            .and_then(|mut update| update.execute([row]))
            .map_err(fault)?;
    }
    Ok((row, true))
}

/// What a run was started with, for lists of runs: its content stands in its first record alone.
fn without_content(admission: &Admission) -> Admission {
    let mut admission = Admission { input: Json::null(), ..admission.clone() };
    if let Some(Origin::Fork { edits, .. }) = &mut admission.origin {
        edits.clear();
    }
    admission
}

/// Writes a record beside those of an activation, and links it.
pub(crate) fn write(
    connection: &Connection,
    scope: &Scope,
    (row, run): (i64, &RunId),
    record: &Record,
) -> Result<()> {
    let hash = Encoded::of(record)?.insert(connection, &scope.tenant, (row, run), 0)?;
    chain::records(connection, scope, run, (record.offset, hash.as_bytes()), record.at)
}

/// Which rows a run hangs on.
#[derive(Default)]
struct Kin {
    parent: Option<i64>,
    root: Option<i64>,
    /// The account that it takes from unless it has one of its own.
    account: Option<i64>,
}

fn kin(connection: &Connection, scope: &Scope, admission: &Admission) -> Result<Kin> {
    let (of, is_child) = match &admission.origin {
        Some(Origin::Child { parent, .. }) => (row_of(connection, scope, parent)?, true),
        Some(Origin::Fork { of, .. }) => (row_of(connection, scope, of)?, false),
        None => return Ok(Kin::default()),
    };
    let (root, account): (i64, Option<i64>) = connection
        .prepare_cached("SELECT coalesce(root, id), account FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([of], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(fault)?;
    Ok(match is_child {
        true => Kin { parent: Some(of), root: Some(root), account },
        // A fork begins a tree of its own; it takes from the account that the other run took from, unless that was
        // the other's own: then the fork has one like it.
        false => Kin { account: account.filter(|account| *account != of), ..Kin::default() },
    })
}

/// The number of the next turn of a session, and how the session stands.
fn next_turn(connection: &Connection, scope: &Scope, session: &SessionId) -> Result<(i64, After)> {
    let last = connection
        .prepare_cached(
            "SELECT turn, run FROM runs WHERE tenant = ?1 AND project = ?2 AND session = ?3 ORDER BY turn DESC LIMIT 1",
        )
        .and_then(|mut select| {
            let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
            select.query_row(params![scope.tenant, scope.project, session.as_str()], read).optional()
        })
        .map_err(fault)?;
    Ok(match last {
        None => (0, After::Nothing),
        Some((turn, run)) => (turn + 1, After::Turn(run.as_str().into())),
    })
}

/// Whether a run of that id was erased.
fn is_erased(connection: &Connection, scope: &Scope, run: &RunId) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM erased WHERE tenant = ?1 AND project = ?2 AND run = ?3")
        .and_then(|mut select| select.exists(params![scope.tenant, scope.project, run.as_str()]))
        .map_err(fault)
}

/// Puts mail into a run's box and makes the run ready if that is what it waits for. What pauses a run or lets it go on does so with
/// those that it has started. Returns whether it is new.
pub(crate) fn post(
    connection: &Connection,
    scope: &Scope,
    run: &RunId,
    mail: &Mail,
    at: Timestamp,
) -> Result<bool> {
    let new = post_to(connection, scope, run, mail, at)?;
    if new && matches!(mail.letter, Letter::Pause { .. } | Letter::Resume) {
        for child in open_children(connection, scope, run)? {
            post(connection, scope, &child, mail, at)?;
        }
    }
    Ok(new)
}

fn open_children(connection: &Connection, scope: &Scope, run: &RunId) -> Result<Vec<RunId>> {
    let row = row_of(connection, scope, run)?;
    connection
        .prepare_cached("SELECT run FROM runs WHERE parent = ?1 AND state <> 'ended'")
        .and_then(|mut select| {
            let rows = select.query_map([row], |row| row.get::<_, String>(0))?;
            rows.map(|run| run.map(|run| RunId::from(run.as_str()))).collect()
        })
        .map_err(fault)
}

fn post_to(connection: &Connection, scope: &Scope, run: &RunId, mail: &Mail, at: Timestamp) -> Result<bool> {
    let row = row_of(connection, scope, run)?;
    let state: String = connection
        .prepare_cached("SELECT state FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([row], |row| row.get(0)))
        .map_err(fault)?;
    if state == "ended" {
        return match mail.letter {
            // A child that was cancelled may still tell a parent that is over.
            Letter::ChildEnded { .. } => Ok(false),
            _ => Err(Error::new(Code::Conflict, format!("the run `{run}` is over"))),
        };
    }
    let letter = Json::of(&mail.letter)?;
    let new = connection
        .prepare_cached("INSERT OR IGNORE INTO mail (run, mail_id, letter, sent) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| insert.execute(params![row, mail.id, letter.as_str(), at.0]))
        .map_err(fault)?
        .eq(&1);
    // One that nobody drives stands still at once. It takes the letter when it goes on, before the one that says so.
    if new && matches!(mail.letter, Letter::Pause { .. }) && matches!(state.as_str(), "waiting" | "ready") {
        connection
            .prepare_cached("UPDATE runs SET state = 'paused' WHERE id = ?1")
            .and_then(|mut update| update.execute([row]))
            .map_err(fault)?;
        return Ok(new);
    }
    let wakes: &[&str] = match mail.letter {
        Letter::Resume | Letter::Cancel { .. } => &["waiting", "paused", "halted"],
        _ => &["waiting"],
    };
    if wakes.contains(&state.as_str()) {
        connection
            .prepare_cached("UPDATE runs SET state = 'ready', halted = NULL WHERE id = ?1")
            .and_then(|mut update| update.execute([row]))
            .map_err(fault)?;
    }
    Ok(new)
}

/// A run that a worker has claimed.
pub(crate) struct Claimed {
    pub(crate) row: i64,
    pub(crate) run: RunId,
    pub(crate) epoch: u64,
    pub(crate) segment: u32,
    pub(crate) segment_start: u64,
    pub(crate) segment_active: u64,
}

/// Turns of one session run one after the other: the condition that no earlier one of `runs r` is open.
const FIRST_OF_SESSION: &str = "
    NOT EXISTS (SELECT 1 FROM runs p WHERE p.tenant = r.tenant AND p.project = r.project
                AND p.session = r.session AND p.turn < r.turn AND p.state <> 'ended')";

/// The condition that `runs r` is the run `:row`, or one that it started, or one of its session; any run where `:row`
/// is null.
const SERVED: &str = "
    (:row IS NULL
     OR r.id IN (WITH RECURSIVE tree (id) AS (VALUES (:row)
                 UNION ALL SELECT c.id FROM runs c JOIN tree ON c.parent = tree.id) SELECT id FROM tree)
     OR r.session = (SELECT session FROM runs WHERE id = :row))";

/// The runs that can be driven now, oldest first, at most `most`.
pub(crate) fn candidates(
    connection: &Connection,
    scope: &Scope,
    what: &Serve,
    now: Timestamp,
    most: usize,
) -> Result<Vec<i64>> {
    let row = served(connection, scope, what)?;
    connection
        .prepare_cached(&candidates_query())
        .and_then(|mut select| {
            select
                .query_map(
                    rusqlite::named_params! {
                        ":tenant": scope.tenant, ":project": scope.project, ":row": row, ":now": now.0,
                        ":most": i64::try_from(most).unwrap_or(i64::MAX),
                    },
                    |row| row.get(0),
                )?
                .collect()
        })
        .map_err(fault)
}

fn candidates_query() -> String {
    format!(
        "SELECT r.id FROM runs r
         WHERE r.id IN (SELECT id FROM runs WHERE state = 'ready' AND tenant = :tenant AND project = :project
                        UNION ALL SELECT id FROM runs WHERE state = 'waiting' AND tenant = :tenant
                                  AND project = :project AND wake_at <= :now)
           AND {SERVED} AND {FIRST_OF_SESSION} ORDER BY r.id LIMIT :most"
    )
}

/// When the next timer of a parked run fires.
pub(crate) fn next_timer(connection: &Connection, scope: &Scope, what: &Serve) -> Result<Option<Timestamp>> {
    let row = served(connection, scope, what)?;
    connection
        .prepare_cached(&format!(
            "SELECT min(r.wake_at) FROM runs r WHERE r.state = 'waiting' AND r.wake_at IS NOT NULL
               AND r.tenant = :tenant AND r.project = :project AND {SERVED}"
        ))
        .and_then(|mut select| {
            let parameters = rusqlite::named_params! {
                ":tenant": scope.tenant, ":project": scope.project, ":row": row,
            };
            select.query_row(parameters, |row| row.get::<_, Option<i64>>(0))
        })
        .map(|at| at.map(Timestamp))
        .map_err(fault)
}

/// The row that a worker is restricted to.
fn served(connection: &Connection, scope: &Scope, what: &Serve) -> Result<Option<i64>> {
    match what {
        Serve::All => Ok(None),
        Serve::Run(run) => row_of(connection, scope, run).map(Some),
    }
}

/// Claims a run, unless another worker was faster: a new epoch begins, and every write under an older one is refused.
pub(crate) fn claim(
    connection: &Connection,
    scope: &Scope,
    row: i64,
    worker: i64,
    now: Timestamp,
) -> Result<Option<Claimed>> {
    let claimed = connection
        .prepare_cached(&format!(
            "UPDATE runs SET state = 'running', worker = :worker, epoch = epoch + 1, wake_at = NULL, halted = NULL
             WHERE id = (SELECT r.id FROM runs r WHERE r.id = :row AND r.tenant = :tenant AND r.project = :project
                           AND (r.state = 'ready' OR (r.state = 'waiting' AND r.wake_at <= :now))
                           AND {FIRST_OF_SESSION})
             RETURNING id, run, epoch, segment, segment_start, segment_active"
        ))
        .and_then(|mut update| {
            update
                .query_row(
                    rusqlite::named_params! {
                        ":tenant": scope.tenant, ":project": scope.project, ":row": row, ":now": now.0,
                        ":worker": worker,
                    },
                    |row| {
                        Ok(Claimed {
                            row: row.get(0)?,
                            run: RunId::new(row.get::<_, String>(1)?),
                            epoch: row.get(2)?,
                            segment: row.get(3)?,
                            segment_start: row.get(4)?,
                            segment_active: row.get(5)?,
                        })
                    },
                )
                .optional()
        })
        .map_err(fault)?;
    Ok(claimed)
}

/// Stops a run whose journal cannot be read, and so cannot say that it stopped.
pub(crate) fn halt(connection: &Connection, row: i64, epoch: u64, error: &Error) -> Result<()> {
    let halted = Json::of(error)?;
    connection
        .prepare_cached(
            "UPDATE runs SET state = 'halted', worker = NULL, halted = ?3
             WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
        )
        .and_then(|mut update| update.execute(params![row, epoch, halted.as_str()]))
        .map(drop)
        .map_err(fault)
}

/// Counts a sign of life of a worker.
pub(crate) fn beat(connection: &Connection, worker: i64, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO workers (id, beat, started) VALUES (?1, 1, ?2) ON CONFLICT (id) DO UPDATE SET beat = beat + 1",
        )
        .and_then(|mut insert| insert.execute(params![worker, now.0]))
        .map(drop)
        .map_err(fault)
}

/// Makes the runs of a worker ready for others: of one whose process is gone, or of one that has not beaten since.
pub(crate) fn take_over(connection: &Connection, worker: i64, beat: i64, gone: bool) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE runs SET state = 'ready', worker = NULL, epoch = epoch + 1
             WHERE worker = ?1 AND state = 'running'
               AND (?3 OR coalesce((SELECT beat FROM workers WHERE id = ?1), 0) = ?2)",
        )
        .and_then(|mut update| update.execute(params![worker, beat, gone]))
        .map_err(fault)?;
    if gone {
        connection.execute("DELETE FROM workers WHERE id = ?1", [worker]).map_err(fault)?;
    }
    Ok(())
}

/// Where the journal of a run goes on before its own records begin.
pub(crate) struct Prefix {
    pub(crate) of: i64,
    pub(crate) before: u64,
}

/// The prefix of a forked run.
pub(crate) fn prefix(connection: &Connection, row: i64) -> Result<Option<Prefix>> {
    let read = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<u64>>(1)?));
    let (of, before) = connection
        .prepare_cached("SELECT fork_of, fork_before FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([row], read))
        .map_err(fault)?;
    Ok(of.zip(before).map(|(of, before)| Prefix { of, before }))
}

/// A piece of mail that has not taken effect.
pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) letter: Letter,
}

/// The mail of a run after a piece that was seen, oldest first.
pub(crate) fn mail(connection: &Connection, row: i64, seen: i64) -> Result<Vec<Waiting>> {
    let rows: Vec<(i64, String)> = connection
        .prepare_cached("SELECT id, letter FROM mail WHERE run = ?1 AND taken = 0 AND id > ?2 ORDER BY id")
        .and_then(|mut select| {
            select.query_map(params![row, seen], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .map_err(fault)?;
    rows.into_iter()
        .map(|(id, letter)| {
            let letter = Json::parse(&letter)
                .and_then(|letter| letter.to())
                .map_err(|_| Error::new(Code::StoreCorrupt, format!("mail {id} cannot be read")))?;
            Ok(Waiting { id, letter })
        })
        .collect()
}

/// The runs that were sent something after a piece of mail, and the last piece there is.
pub(crate) fn mail_since(connection: &Connection, scope: &Scope, seen: i64) -> Result<(Vec<RunId>, i64)> {
    // The order of the join is given: what is new in the mail is little, and the runs are many.
    let runs = connection
        .prepare_cached(
            "SELECT DISTINCT r.run FROM mail m CROSS JOIN runs r ON r.id = m.run
             WHERE m.id > ?1 AND m.taken = 0 AND r.tenant = ?2 AND r.project = ?3",
        )
        .and_then(|mut select| {
            let run = |row: &Row<'_>| Ok(RunId::new(row.get::<_, String>(0)?));
            select.query_map(params![seen, scope.tenant, scope.project], run)?.collect()
        })
        .map_err(fault)?;
    Ok((runs, last_mail(connection)?))
}

/// The last piece of mail that was sent to any run.
pub(crate) fn last_mail(connection: &Connection) -> Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(max(id), 0) FROM mail")
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .map_err(fault)
}

/// Whether any run waits for a worker.
pub(crate) fn any_ready(connection: &Connection, scope: &Scope) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM runs WHERE state = 'ready' AND tenant = ?1 AND project = ?2 LIMIT 1")
        .and_then(|mut select| select.exists(params![scope.tenant, scope.project]))
        .map_err(fault)
}

/// The first free offset of a run's journal, and the time of its last record.
pub(crate) fn end_of_journal(connection: &Connection, row: i64) -> Result<(u64, Timestamp)> {
    let (id, at) = connection
        .prepare_cached("SELECT id, at FROM journal WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1")
        .and_then(|mut select| {
            select.query_row(params![row_id(row, 0), row_id(row + 1, 0)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
        })
        .map_err(fault)?;
    Ok((crate::codec::offset_of(id) + 1, Timestamp(at)))
}

/// Reads a digest from a column.
pub(crate) fn digest(bytes: &[u8]) -> Result<Digest> {
    bytes
        .try_into()
        .map(Digest::from_bytes)
        .map_err(|_| Error::new(Code::StoreCorrupt, "a stored hash does not have 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Place, open_writer};

    /// How SQLite goes about a query.
    fn plan(query: &str) -> String {
        let mut connection = open_writer(&Place::Memory, None).unwrap();
        crate::schema::migrate(&mut connection, "test").unwrap();
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let mut rows = explain.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get::<_, String>(3).unwrap());
        }
        lines.join("\n")
    }

    #[test]
    fn claiming_does_not_look_through_runs_that_are_not_ready() {
        let plan = plan(&candidates_query());
        assert!(plan.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
        let scans = |table: &&&str| plan.lines().any(|line| line.starts_with(&format!("SCAN {table}")));
        assert_eq!(["r", "runs", "p", "c"].iter().find(scans), None, "{plan}");
        assert!(!plan.contains("runs_by_age"), "{plan}");
    }
}
