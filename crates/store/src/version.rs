//! Versions of definitions and the changes of their labels as rows.

use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Act, Change, Changed, Labels, Version};
use rusqlite::{Connection, params};

use crate::chain;
use crate::claim::digest;
use crate::connection::fault;

/// Keeps a version, unless it is there. Returns whether it is new.
pub(crate) fn publish(connection: &Connection, scope: &Scope, version: &Version) -> Result<bool> {
    let key = params![scope.tenant, scope.project, version.definition.as_bytes()];
    let is_there = connection
        .prepare_cached("SELECT 1 FROM definitions WHERE tenant = ?1 AND project = ?2 AND digest = ?3")
        .and_then(|mut select| select.exists(key))
        .map_err(fault)?;
    if !is_there {
        let message = format!("there is no definition `{}`", version.definition.short());
        return Err(Error::new(Code::RunDefinitionMissing, message));
    }
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO versions (tenant, project, name, definition, by, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                scope.tenant,
                scope.project,
                version.name,
                version.definition.as_bytes(),
                version.by,
                version.at.0
            ])
        })
        .map(|rows| rows == 1)
        .map_err(fault)?;
    if new {
        let details = Json::of(&serde_json::json!({ "version": version.definition }))?;
        let act = Act::new(&version.by, "version.published", &version.name, version.at);
        chain::act(connection, scope, &act.with(details))?;
    }
    Ok(new)
}

/// The versions of a name, or of all, the newest first.
pub(crate) fn list(connection: &Connection, scope: &Scope, name: Option<&str>) -> Result<Vec<Version>> {
    let rows: Vec<(String, Vec<u8>, String, i64)> = connection
        .prepare_cached(
            "SELECT name, definition, by, at FROM versions
             WHERE tenant = ?1 AND project = ?2 AND name = coalesce(?3, name) ORDER BY id DESC",
        )
        .and_then(|mut select| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            select.query_map(params![scope.tenant, scope.project, name], read)?.collect()
        })
        .map_err(fault)?;
    let version = |(name, definition, by, at): (String, Vec<u8>, String, i64)| {
        Ok(Version { name, definition: digest(&definition)?, by, at: Timestamp(at) })
    };
    rows.into_iter().map(version).collect()
}

/// What was changed of the labels of a name, or of all, the oldest first.
pub(crate) fn changes(connection: &Connection, scope: &Scope, name: Option<&str>) -> Result<Vec<Changed>> {
    let rows: Vec<String> = connection
        .prepare_cached(
            "SELECT body FROM label_changes
             WHERE tenant = ?1 AND project = ?2 AND name = coalesce(?3, name) ORDER BY id",
        )
        .and_then(|mut select| {
            select.query_map(params![scope.tenant, scope.project, name], |row| row.get(0))?.collect()
        })
        .map_err(fault)?;
    let corrupt = |_| Error::new(Code::StoreCorrupt, "a change of labels cannot be read");
    rows.iter().map(|body| Json::parse(body).and_then(|json| json.to()).map_err(corrupt)).collect()
}

/// Changes what labels mean, if they are as the change found them.
pub(crate) fn relabel(connection: &Connection, scope: &Scope, changed: &Changed) -> Result<()> {
    if let Change::Label { to: Some(version), .. } = &changed.change {
        check(connection, scope, &changed.name, version)?;
    }
    Labels::after(&changes(connection, scope, Some(&changed.name))?).change(&changed.change)?;
    let body = Json::of(changed)?;
    connection
        .prepare_cached("INSERT INTO label_changes (tenant, project, name, body) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| {
            insert.execute(params![scope.tenant, scope.project, changed.name, body.as_str()])
        })
        .map_err(fault)?;
    let act = Act::new(&changed.by, "label.changed", &changed.name, changed.at);
    chain::act(connection, scope, &act.with(Json::of(&changed.change)?))
}

fn check(connection: &Connection, scope: &Scope, name: &str, version: &Digest) -> Result<()> {
    let is_there = connection
        .prepare_cached(
            "SELECT 1 FROM versions WHERE tenant = ?1 AND project = ?2 AND name = ?3 AND definition = ?4",
        )
        .and_then(|mut select| select.exists(params![scope.tenant, scope.project, name, version.as_bytes()]))
        .map_err(fault)?;
    match is_there {
        true => Ok(()),
        false => Err(Error::new(Code::NotFound, format!("`{name}` has no version `{}`", version.short()))
            .with_help("`adjutant versions list` lists those that there are")),
    }
}
