//! Grants as rows.

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Act, Grant, Revoked};
use rusqlite::{Connection, OptionalExtension, params};

use crate::chain;
use crate::connection::fault;

/// Keeps a grant, unless it is there. Returns whether it is new.
pub(crate) fn put(connection: &Connection, scope: &Scope, grant: &Grant) -> Result<bool> {
    let body = Json::of(grant)?;
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO grants (tenant, project, grant_id, tool, user, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                scope.tenant,
                scope.project,
                grant.id,
                grant.tool,
                grant.user,
                body.as_str()
            ])
        })
        .map(|rows| rows == 1)
        .map_err(fault)?;
    if new {
        let act = Act::new(&grant.by, "grant.given", &grant.id, grant.at);
        chain::act(connection, scope, &act.with(details(grant)?))?;
    }
    Ok(new)
}

/// What is to be known of a grant for ever: not for whom, which may have to be erased.
fn details(grant: &Grant) -> Result<Json> {
    let Grant { tool, agent, within, until, run, .. } = grant;
    Json::of(
        &serde_json::json!({ "tool": tool, "agent": agent, "within": within, "until": until, "run": run }),
    )
}

/// The grants of a tool, or of all, the newest first.
pub(crate) fn list(connection: &Connection, scope: &Scope, tool: Option<&str>) -> Result<Vec<Grant>> {
    let condition = if tool.is_some() { "tool = ?3" } else { "?3 IS NULL" };
    let rows: Vec<(String, Option<String>)> = connection
        .prepare_cached(&format!(
            "SELECT body, revoked FROM grants WHERE tenant = ?1 AND project = ?2 AND {condition} ORDER BY id DESC"
        ))
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, tool];
            select.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .map_err(fault)?;
    rows.into_iter().map(|(body, revoked)| read(&body, revoked.as_deref())).collect()
}

/// Takes a grant back, unless somebody has.
pub(crate) fn revoke(connection: &Connection, scope: &Scope, id: &str, revoked: &Revoked) -> Result<Grant> {
    let by = Json::of(revoked)?;
    let taken_back = connection
        .prepare_cached(
            "UPDATE grants SET revoked = ?4
             WHERE tenant = ?1 AND project = ?2 AND grant_id = ?3 AND revoked IS NULL",
        )
        .and_then(|mut update| update.execute(params![scope.tenant, scope.project, id, by.as_str()]))
        .map_err(fault)?;
    if taken_back > 0 {
        chain::act(connection, scope, &revocation("grant.revoked", id, revoked)?)?;
    }
    let row: Option<(String, Option<String>)> = connection
        .prepare_cached(
            "SELECT body, revoked FROM grants WHERE tenant = ?1 AND project = ?2 AND grant_id = ?3",
        )
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, id];
            select.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(fault)?;
    let (body, revoked) =
        row.ok_or_else(|| Error::new(Code::NotFound, format!("there is no grant `{id}`")))?;
    read(&body, revoked.as_deref())
}

/// That something was taken back.
pub(crate) fn revocation(what: &str, subject: &str, revoked: &Revoked) -> Result<Act> {
    let details = Json::of(&serde_json::json!({ "reason": revoked.reason }))?;
    Ok(Act::new(&revoked.by, what, subject, revoked.at).with(details))
}

fn read(body: &str, revoked: Option<&str>) -> Result<Grant> {
    let corrupt = |_| Error::new(Code::StoreCorrupt, "a grant cannot be read");
    let grant: Grant = Json::parse(body).and_then(|json| json.to()).map_err(corrupt)?;
    let revoked = revoked.map(|text| Json::parse(text).and_then(|json| json.to())).transpose();
    Ok(Grant { revoked: revoked.map_err(corrupt)?, ..grant })
}
