//! What is known of runs without reading their journals.

use adjutant_core::id::{RunId, Scope, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Asking, Entry, Letter, RunInfo, RunState, Wait, waits};
use rusqlite::{Connection, Params, Row, params};

use crate::claim::{self, digest};
use crate::connection::fault;
use crate::fork;

const COLUMNS: &str = "r.id, r.run, r.name, r.state, r.session, r.user, r.admission, r.definition, r.created, r.updated, r.halted";

/// What is known of one run.
pub(crate) fn info(connection: &Connection, scope: &Scope, run: &RunId) -> Result<RunInfo> {
    let row = claim::row_of(connection, scope, run)?;
    let found = list(connection, scope, "r.id = ?3", "", params![scope.tenant, scope.project, row])?.pop();
    found.ok_or_else(|| Error::new(Code::NotFound, format!("there is no run `{run}`")))
}

/// The newest runs, newest first.
pub(crate) fn newest(connection: &Connection, scope: &Scope, most: usize) -> Result<Vec<RunInfo>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    list(
        connection,
        scope,
        "1",
        "ORDER BY r.created DESC, r.id DESC LIMIT ?3",
        params![scope.tenant, scope.project, most],
    )
}

/// The turns of a session, oldest first.
pub(crate) fn turns(connection: &Connection, scope: &Scope, session: &SessionId) -> Result<Vec<RunInfo>> {
    let parameters = params![scope.tenant, scope.project, session.as_str()];
    list(connection, scope, "r.session = ?3", "ORDER BY r.turn", parameters)
}

/// How many runs stand how, of those that are not over: their rows alone are looked at, in the index.
pub(crate) fn tally(connection: &Connection, scope: &Scope) -> Result<Vec<(RunState, u64)>> {
    const COUNT: &str = "SELECT count(*) FROM runs WHERE state = ?3 AND tenant = ?1 AND project = ?2";
    use RunState::{Halted, Paused, Ready, Running, Waiting};
    let mut select = connection.prepare_cached(COUNT).map_err(fault)?;
    let count = |state: RunState| {
        let parameters = params![scope.tenant, scope.project, state.as_str()];
        Ok((state, select.query_row(parameters, |row| row.get(0)).map_err(fault)?))
    };
    [Ready, Running, Waiting, Paused, Halted].into_iter().map(count).collect()
}

/// The runs of which a condition on `runs r` holds, in an order; `?1` and `?2` are the scope.
pub(crate) fn list(
    connection: &Connection,
    scope: &Scope,
    condition: &str,
    order: &str,
    parameters: impl Params,
) -> Result<Vec<RunInfo>> {
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM runs r WHERE r.tenant = ?1 AND r.project = ?2 AND {condition} {order}"
        ))
        .map_err(fault)?;
    let mut rows = select.query(parameters).map_err(fault)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        runs.push(read(connection, scope, row)?);
    }
    Ok(runs)
}

fn read(connection: &Connection, scope: &Scope, row: &Row<'_>) -> Result<RunInfo> {
    let column = |index: usize| row.get::<_, Option<String>>(index).map_err(fault);
    let text = |index: usize| row.get::<_, String>(index).map_err(fault);
    let id: i64 = row.get(0).map_err(fault)?;
    let state = state(&text(3)?)?;
    let admission: Admission = Json::parse(&text(6)?)?.to()?;
    let halted = column(10)?.map(|text| Json::parse(&text)?.to::<Error>()).transpose()?;
    Ok(RunInfo {
        run: RunId::new(text(1)?),
        name: text(2)?,
        title: admission.title,
        state,
        session: column(4)?.map(SessionId::new),
        user: column(5)?,
        origin: admission.origin,
        version: admission.version,
        takes_back: admission.takes_back,
        definition: digest(&row.get::<_, Vec<u8>>(7).map_err(fault)?)?,
        created: Timestamp(row.get(8).map_err(fault)?),
        updated: Timestamp(row.get(9).map_err(fault)?),
        records: fork::end(connection, id)?.0,
        outcome: if state == RunState::Ended { fork::outcome(connection, scope, id)? } else { None },
        halted,
    })
}

/// The signals that runs wait for, those that have waited longest first.
pub(crate) fn asking(
    connection: &Connection,
    scope: &Scope,
    prefix: &str,
    run: Option<&RunId>,
) -> Result<Vec<Asking>> {
    let mut select = connection.prepare_cached(ASKING).map_err(fault)?;
    let mut rows =
        select.query(params![scope.tenant, scope.project, prefix, run.map(RunId::as_str)]).map_err(fault)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        let text = |index: usize| row.get::<_, String>(index).map_err(fault);
        let maybe = |index: usize| row.get::<_, Option<String>>(index).map_err(fault);
        found.push(Asking {
            run: RunId::new(text(0)?),
            agent: text(1)?,
            state: state(&text(2)?)?,
            session: maybe(3)?.map(SessionId::new),
            user: maybe(4)?,
            key: StepKey::parse(&text(5)?),
            signal: text(6)?,
            request: Json::parse(&text(7)?)?,
            since: Timestamp(row.get(8).map_err(fault)?),
            answer: maybe(9)?.and_then(|letter| sent(&letter)),
        });
    }
    drop(rows);
    found.extend(asking_forks(connection, scope, prefix, run)?);
    found.sort_by_key(|asking| asking.since);
    Ok(found)
}

/// Of each run that is not over, the signals of its segment that have no answer. Of a fork they may be in the journal
/// of another run.
const ASKING: &str = r#"
    SELECT r.run, r.name, r.state, r.session, r.user, j.key, json_extract(j.meta, '$.name') AS signal,
           coalesce(j.body, b.bytes), j.at,
           (SELECT m.letter FROM mail m WHERE m.run = r.id AND m.taken = 0
              AND m.mail_id = 'outside:signal:' || json_extract(j.meta, '$.name'))
    FROM runs r
    JOIN journal j ON j.id >= (r.id << 32) + r.segment_start AND j.id < ((r.id + 1) << 32)
      AND j.kind = 'issued' AND substr(j.meta, 1, 16) = '{"kind":"signal"'
    LEFT JOIN blobs b ON b.tenant = r.tenant AND b.digest = j.blob
    WHERE r.state IN ('ready', 'running', 'waiting', 'paused', 'halted') AND r.tenant = ?1 AND r.project = ?2
      AND r.run = coalesce(?4, r.run) AND r.fork_of IS NULL AND substr(signal, 1, length(?3)) = ?3
      AND NOT EXISTS (SELECT 1 FROM journal c WHERE c.id > j.id AND c.id < ((r.id + 1) << 32) AND c.key = j.key
                        AND c.kind IN ('completed', 'failed', 'dropped', 'late', 'late_error'))"#;

/// The same of forks, of which there are few: by their records.
fn asking_forks(
    connection: &Connection,
    scope: &Scope,
    prefix: &str,
    run: Option<&RunId>,
) -> Result<Vec<Asking>> {
    let parameters = params![scope.tenant, scope.project];
    let forks = list(connection, scope, "r.fork_of IS NOT NULL AND r.state <> 'ended'", "", parameters)?;
    let mut found = Vec::new();
    for info in forks.into_iter().filter(|info| run.is_none_or(|run| *run == info.run)) {
        let row = claim::row_of(connection, scope, &info.run)?;
        let records = fork::records(connection, scope, row, 0)?;
        let mail = claim::mail(connection, row, 0)?;
        for wait in waits(&info.run, &records) {
            let Wait::Signal { key, name, request } = wait else { continue };
            if !name.starts_with(prefix) {
                continue;
            }
            let asked = records
                .iter()
                .rev()
                .find(|record| matches!(&record.entry, Entry::Issued { key: issued, .. } if *issued == key));
            let answer = mail.iter().find_map(|mail| match &mail.letter {
                Letter::Signal { name: to, payload } if *to == name => Some(payload.clone()),
                _ => None,
            });
            found.push(Asking {
                run: info.run.clone(),
                agent: info.name.clone(),
                state: info.state,
                session: info.session.clone(),
                user: info.user.clone(),
                key,
                signal: name,
                request,
                since: asked.map_or(info.created, |record| record.at),
                answer,
            });
        }
    }
    Ok(found)
}

/// What a letter answers to a signal.
fn sent(letter: &str) -> Option<Json> {
    match Json::parse(letter).ok()?.to::<Letter>().ok()? {
        Letter::Signal { payload, .. } => Some(payload),
        _ => None,
    }
}

/// How a run stands, and how far its journal goes.
pub(crate) fn state_of(connection: &Connection, row: i64) -> Result<RunState> {
    let text: String = connection
        .prepare_cached("SELECT state FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([row], |row| row.get(0)))
        .map_err(fault)?;
    state(&text)
}

/// How a run stands, and the worker that drives it now.
pub(crate) fn driven(connection: &Connection, row: i64) -> Result<(RunState, Option<i64>)> {
    let (text, worker): (String, Option<i64>) = connection
        .prepare_cached("SELECT state, worker FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([row], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(fault)?;
    let state = state(&text)?;
    Ok((state, worker.filter(|_| state == RunState::Running)))
}

fn state(text: &str) -> Result<RunState> {
    use RunState::{Ended, Halted, Paused, Ready, Running, Waiting};
    [Ready, Running, Waiting, Paused, Halted, Ended]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| Error::new(Code::StoreCorrupt, format!("`{text}` is not a state of a run")))
}
