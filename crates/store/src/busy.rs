//! A conversation in which something is said while a turn is under way.

use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Letter, Mail, WhenBusy};
use rusqlite::{Connection, params};

use crate::claim;
use crate::connection::fault;

/// The id of the letter that ends a turn; one who cancels it by hand sends the same.
const CANCEL: &str = "outside:cancel";

/// Does with the conversation of a run that is to be recorded what its admission says, and gives the admission as it is to be recorded.
///
/// Fails with [`Code::Conflict`] where the run is to begin in a conversation at rest alone.
pub(crate) fn make_way(
    connection: &Connection,
    scope: &Scope,
    admission: &Admission,
    at: Timestamp,
) -> Result<Admission> {
    let mut admission = admission.clone();
    // What the turns are is decided here, whatever was said.
    admission.takes_back.clear();
    let (Some(session), None) = (&admission.session, &admission.origin) else { return Ok(admission) };
    if admission.when_busy == WhenBusy::Enqueue {
        return Ok(admission);
    }
    let open = open_turns(connection, scope, session)?;
    if let (Some(first), WhenBusy::Reject) = (open.first(), admission.when_busy) {
        let message = format!("the session `{session}` is at work: its turn `{first}` is not over");
        return Err(Error::new(Code::Conflict, message)
            .with_help("say it when that is over, or have it enqueued, or let it interrupt that turn"));
    }
    for turn in &open {
        let reason = match admission.when_busy {
            WhenBusy::RollBack => format!("taken back for the turn `{}`", admission.run),
            _ => format!("interrupted by the turn `{}`", admission.run),
        };
        claim::post(connection, scope, turn, &Mail::new(CANCEL, Letter::Cancel { reason }), at)?;
    }
    if admission.when_busy == WhenBusy::RollBack {
        admission.takes_back = open;
    }
    Ok(admission)
}

/// The turns of a session that are not over, oldest first.
fn open_turns(connection: &Connection, scope: &Scope, session: &SessionId) -> Result<Vec<RunId>> {
    connection
        .prepare_cached(
            "SELECT run FROM runs WHERE tenant = ?1 AND project = ?2 AND session = ?3 AND state <> 'ended' ORDER BY turn",
        )
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, session.as_str()];
            let rows = select.query_map(parameters, |row| row.get::<_, String>(0))?;
            rows.map(|run| run.map(RunId::new)).collect()
        })
        .map_err(fault)
}
