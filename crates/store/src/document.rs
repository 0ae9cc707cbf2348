//! Documents as rows. Their number is their revision: whatever is put gets a new one.

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Document, Draft, Expected};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::connection::fault;

/// How many documents that are over go with each that is put: more than come, so that none are left in the end.
const SWEPT: i64 = 4;

/// Keeps a document, if what is expected is there. Returns its revision.
pub(crate) fn put(connection: &Connection, scope: &Scope, draft: &Draft, now: Timestamp) -> Result<u64> {
    let Draft { kind, key, .. } = draft;
    sweep(connection, now)?;
    let there = there(connection, scope, kind, key, now)?;
    check(kind, key, there.map(|(revision, _)| revision), draft.expected)?;
    remove(connection, scope, kind, key)?;
    connection
        .prepare_cached(
            "INSERT INTO documents (tenant, project, kind, key, body, user, created, updated, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .and_then(|mut insert| {
            insert.insert(params![
                scope.tenant,
                scope.project,
                kind,
                key,
                draft.body.as_str(),
                draft.user,
                there.map_or(now.0, |(_, created)| created),
                now.0,
                draft.expires.map(|at| at.0)
            ])
        })
        .map(i64::unsigned_abs)
        .map_err(fault)
}

/// A document; none where its time is over.
pub(crate) fn find(
    connection: &Connection,
    scope: &Scope,
    kind: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<Document>> {
    let parameters = params![scope.tenant, scope.project, now.0, kind, key];
    Ok(select(connection, "kind = ?4 AND key = ?5", parameters)?.pop())
}

/// Documents of a kind whose keys begin with `prefix`, in the order of their keys.
pub(crate) fn list(
    connection: &Connection,
    scope: &Scope,
    (kind, prefix, after): (&str, &str, Option<&str>),
    most: usize,
    now: Timestamp,
) -> Result<Vec<Document>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    // Nothing sorts after the last character that there is.
    let end = format!("{prefix}{}", char::MAX);
    select(
        connection,
        "kind = ?4 AND key >= ?5 AND key < ?6 AND key > coalesce(?7, '') ORDER BY key LIMIT ?8",
        params![scope.tenant, scope.project, now.0, kind, prefix, end, after, most],
    )
}

/// Deletes a document, if what is expected is there. Returns whether there was one.
pub(crate) fn delete(
    connection: &Connection,
    scope: &Scope,
    (kind, key): (&str, &str),
    expected: Expected,
    now: Timestamp,
) -> Result<bool> {
    let there = there(connection, scope, kind, key, now)?;
    check(kind, key, there.map(|(revision, _)| revision), expected)?;
    remove(connection, scope, kind, key)?;
    Ok(there.is_some())
}

/// Erases the documents of one person.
pub(crate) fn erase(connection: &Connection, scope: &Scope, user: &str) -> Result<u64> {
    connection
        .prepare_cached("DELETE FROM documents WHERE tenant = ?1 AND project = ?2 AND user = ?3")
        .and_then(|mut delete| delete.execute(params![scope.tenant, scope.project, user]))
        .map(|rows| rows as u64)
        .map_err(fault)
}

fn sweep(connection: &Connection, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM documents WHERE id IN
               (SELECT id FROM documents WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
        )
        .and_then(|mut delete| delete.execute([now.0, SWEPT]))
        .map(drop)
        .map_err(fault)
}

/// The revision of a document, and when it was first put.
fn there(
    connection: &Connection,
    scope: &Scope,
    kind: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<(u64, i64)>> {
    connection
        .prepare_cached(
            "SELECT id, created FROM documents WHERE tenant = ?1 AND project = ?2 AND kind = ?3 AND key = ?4
               AND coalesce(expires > ?5, 1)",
        )
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, kind, key, now.0];
            select.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(fault)
}

fn check(kind: &str, key: &str, there: Option<u64>, expected: Expected) -> Result<()> {
    let fits = match expected {
        Expected::Anything => true,
        Expected::Nothing => there.is_none(),
        Expected::Revision(revision) => there == Some(revision),
        Expected::Something => there.is_some(),
    };
    if fits {
        return Ok(());
    }
    let message = match there {
        Some(revision) => format!("the {kind} `{key}` was changed; it has revision {revision} now"),
        None => format!("the {kind} `{key}` is gone"),
    };
    Err(Error::new(Code::Conflict, message).with_help("read it again, and decide anew"))
}

fn remove(connection: &Connection, scope: &Scope, kind: &str, key: &str) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM documents WHERE tenant = ?1 AND project = ?2 AND kind = ?3 AND key = ?4")
        .and_then(|mut delete| delete.execute(params![scope.tenant, scope.project, kind, key]))
        .map(drop)
        .map_err(fault)
}

fn select(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<Document>> {
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT kind, key, body, id, user, created, updated, expires FROM documents
             WHERE tenant = ?1 AND project = ?2 AND coalesce(expires > ?3, 1) AND {condition}"
        ))
        .map_err(fault)?;
    let mut rows = select.query(parameters).map_err(fault)?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        documents.push(read(row)?);
    }
    Ok(documents)
}

fn read(row: &Row<'_>) -> Result<Document> {
    let corrupt = |_| Error::new(Code::StoreCorrupt, "a document cannot be read");
    let body: String = row.get(2).map_err(fault)?;
    let expires: Option<i64> = row.get(7).map_err(fault)?;
    Ok(Document {
        kind: row.get(0).map_err(fault)?,
        key: row.get(1).map_err(fault)?,
        body: Json::parse(&body).map_err(corrupt)?,
        revision: row.get(3).map_err(fault)?,
        user: row.get(4).map_err(fault)?,
        created: Timestamp(row.get(5).map_err(fault)?),
        updated: Timestamp(row.get(6).map_err(fault)?),
        expires: expires.map(Timestamp),
    })
}
