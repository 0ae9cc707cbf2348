//! What is known of runs without reading their journals.

use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, RunInfo, RunState};
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

fn list(
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
        definition: digest(&row.get::<_, Vec<u8>>(7).map_err(fault)?)?,
        created: Timestamp(row.get(8).map_err(fault)?),
        updated: Timestamp(row.get(9).map_err(fault)?),
        records: fork::end(connection, id)?.0,
        outcome: if state == RunState::Ended { fork::outcome(connection, scope, id)? } else { None },
        halted,
    })
}

/// How a run stands, and how far its journal goes.
pub(crate) fn state_of(connection: &Connection, row: i64) -> Result<RunState> {
    let text: String = connection
        .prepare_cached("SELECT state FROM runs WHERE id = ?1")
        .and_then(|mut select| select.query_row([row], |row| row.get(0)))
        .map_err(fault)?;
    state(&text)
}

fn state(text: &str) -> Result<RunState> {
    use RunState::{Ended, Halted, Paused, Ready, Running, Waiting};
    [Ready, Running, Waiting, Paused, Halted, Ended]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| Error::new(Code::StoreCorrupt, format!("`{text}` is not a state of a run")))
}
