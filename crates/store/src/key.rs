//! Keys as rows.

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Act, Key, KeyInfo, Revoked};
use rusqlite::{Connection, Params, Row, params};

use crate::chain;
use crate::claim::digest;
use crate::connection::fault;
use crate::grant::revocation;

/// Keeps a key of a name that no key has which holds: what is recorded of who did what goes by names.
pub(crate) fn create(connection: &Connection, key: &Key) -> Result<()> {
    let KeyInfo { name, scope, created, .. } = &key.info;
    let keys = list(connection, scope)?;
    match keys.iter().find(|other| other.name == *name && other.holds(*created)) {
        Some(other) => {
            Err(Error::new(Code::Conflict, format!("the key `{}` is called `{name}` already", other.id))
                .with_help("choose another name, or have that one replaced: `adjutant keys rotate`"))
        }
        None => add(connection, key),
    }
}

/// Keeps a key.
fn add(connection: &Connection, key: &Key) -> Result<()> {
    let KeyInfo { id, scope, expires, .. } = &key.info;
    let body = Json::of(&key.info)?;
    let added = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO keys (tenant, project, key_id, hash, body, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                scope.tenant,
                scope.project,
                id,
                key.hash.as_bytes(),
                body.as_str(),
                expires.map(|at| at.0)
            ])
        })
        .map_err(fault)?;
    match added {
        1 => chain::act(
            connection,
            scope,
            &Act::new(&key.info.by, "key.created", id, key.info.created).with(details(&key.info)?),
        ),
        _ => Err(Error::new(Code::Conflict, format!("there is a key `{id}` already"))),
    }
}

fn details(key: &KeyInfo) -> Result<Json> {
    let KeyInfo { name, role, scopes, expires, .. } = key;
    Json::of(&serde_json::json!({ "name": name, "role": role, "scopes": scopes, "expires": expires }))
}

/// Keeps a key if its project has none, of whatever tenant.
pub(crate) fn add_first(connection: &Connection, key: &Key) -> Result<bool> {
    let is_there = connection
        .prepare_cached("SELECT 1 FROM keys WHERE project = ?1")
        .and_then(|mut select| select.exists([&key.info.scope.project]))
        .map_err(fault)?;
    match is_there {
        true => Ok(false),
        false => add(connection, key).map(|()| true),
    }
}

/// The key with that id.
pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Key>> {
    Ok(select(connection, "key_id = ?1", [id])?.pop())
}

/// The keys of one tenant and project, the newest first.
pub(crate) fn list(connection: &Connection, scope: &Scope) -> Result<Vec<KeyInfo>> {
    let keys = select(
        connection,
        "tenant = ?1 AND project = ?2 ORDER BY id DESC",
        params![scope.tenant, scope.project],
    )?;
    Ok(keys.into_iter().map(|key| key.info).collect())
}

/// Takes a key back, unless somebody has, or nobody could administer its scope any more.
pub(crate) fn revoke(
    connection: &Connection,
    (scope, id): (&Scope, &str),
    revoked: &Revoked,
    last: bool,
) -> Result<KeyInfo> {
    if !last {
        another_administers(connection, (scope, id), revoked.at)?;
    }
    let by = Json::of(revoked)?;
    let taken_back = connection
        .prepare_cached(
            "UPDATE keys SET revoked = ?4
             WHERE tenant = ?1 AND project = ?2 AND key_id = ?3 AND revoked IS NULL",
        )
        .and_then(|mut update| update.execute(params![scope.tenant, scope.project, id, by.as_str()]))
        .map_err(fault)?;
    if taken_back > 0 {
        chain::act(connection, scope, &revocation("key.revoked", id, revoked)?)?;
    }
    of_scope(connection, scope, id)
}

/// Fails with [`Code::Conflict`] where a key is the last with which a scope is administered.
fn another_administers(connection: &Connection, (scope, id): (&Scope, &str), now: Timestamp) -> Result<()> {
    let (own, others): (Vec<_>, Vec<_>) = list(connection, scope)?.into_iter().partition(|key| key.id == id);
    let does = |key: &KeyInfo| key.administers(now);
    if !own.iter().any(does) || others.iter().any(does) {
        return Ok(());
    }
    let message = format!("`{id}` is the last key with which the tenant `{}` is administered", scope.tenant);
    Err(Error::new(Code::Conflict, message).with_help(
        "nobody could make keys over HTTP any more, only `adjutant keys create` on the machine of the store: make another admin \
         key first, or say that it is meant (`--force`, `\"force\": true`)",
    ))
}

/// Puts a new key in the place of another.
pub(crate) fn rotate(connection: &Connection, id: &str, new: &Key, until: Timestamp) -> Result<()> {
    let scope = &new.info.scope;
    let old = of_scope(connection, scope, id)?;
    let refuse = |message: String| Err(Error::new(Code::Conflict, message));
    if let Some(revoked) = old.revoked {
        return refuse(format!("{} has taken the key `{id}` back", revoked.by));
    }
    if let Some(by) = old.replaced_by {
        return refuse(format!("the key `{id}` was replaced by `{by}` already"));
    }
    add(connection, new)?;
    connection
        .prepare_cached(
            "UPDATE keys SET replaced_by = ?4, expires = min(coalesce(expires, ?5), ?5)
             WHERE tenant = ?1 AND project = ?2 AND key_id = ?3",
        )
        .and_then(|mut update| update.execute(params![scope.tenant, scope.project, id, new.info.id, until.0]))
        .map(drop)
        .map_err(fault)
}

/// Notes when a key was last used.
pub(crate) fn touch(connection: &Connection, id: &str, at: Timestamp) -> Result<()> {
    connection
        .prepare_cached("UPDATE keys SET used = ?2 WHERE key_id = ?1 AND coalesce(used, ?2 - 1) < ?2")
        .and_then(|mut update| update.execute(params![id, at.0]))
        .map(drop)
        .map_err(fault)
}

/// The tenants that have a key or a run in a project. It looks up each tenant, not each run.
pub(crate) fn tenants(connection: &Connection, project: &str) -> Result<Vec<String>> {
    connection
        .prepare_cached(
            "WITH RECURSIVE tenants (tenant) AS (
                 SELECT min(tenant) FROM runs
                 UNION ALL
                 SELECT (SELECT min(r.tenant) FROM runs r WHERE r.tenant > tenants.tenant)
                 FROM tenants WHERE tenants.tenant IS NOT NULL)
             SELECT tenant FROM tenants
             WHERE EXISTS (SELECT 1 FROM runs r WHERE r.tenant = tenants.tenant AND r.project = ?1)
             UNION SELECT tenant FROM keys WHERE project = ?1 ORDER BY 1",
        )
        .and_then(|mut select| select.query_map([project], |row| row.get(0))?.collect())
        .map_err(fault)
}

fn of_scope(connection: &Connection, scope: &Scope, id: &str) -> Result<KeyInfo> {
    let parameters = params![scope.tenant, scope.project, id];
    let found = select(connection, "tenant = ?1 AND project = ?2 AND key_id = ?3", parameters)?.pop();
    found.map(|key| key.info).ok_or_else(|| Error::new(Code::NotFound, format!("there is no key `{id}`")))
}

fn select(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<Key>> {
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT body, hash, expires, revoked, replaced_by, used FROM keys WHERE {condition}"
        ))
        .map_err(fault)?;
    let mut rows = select.query(parameters).map_err(fault)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        keys.push(read(row)?);
    }
    Ok(keys)
}

fn read(row: &Row<'_>) -> Result<Key> {
    let corrupt = |_| Error::new(Code::StoreCorrupt, "a key cannot be read");
    let moment = |index: usize| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp)).map_err(fault);
    let body: String = row.get(0).map_err(fault)?;
    let hash: Vec<u8> = row.get(1).map_err(fault)?;
    let revoked: Option<String> = row.get(3).map_err(fault)?;
    let revoked = revoked.map(|text| Json::parse(&text).and_then(|json| json.to())).transpose();
    let info: KeyInfo = Json::parse(&body).and_then(|json| json.to()).map_err(corrupt)?;
    let info = KeyInfo {
        expires: moment(2)?,
        revoked: revoked.map_err(corrupt)?,
        replaced_by: row.get(4).map_err(fault)?,
        used: moment(5)?,
        ..info
    };
    Ok(Key { info, hash: digest(&hash)? })
}
