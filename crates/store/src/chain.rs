//! The chain as rows, and how it grows: in the transaction that writes what it is for.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Act;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::claim::digest;
use crate::connection::fault;

/// A link's id is its chain's and its number in one.
const NUMBER_BITS: u32 = 40;

/// The bytes of a hash.
pub(crate) const HASH: usize = 32;

/// A chain, and how far it goes.
pub(crate) struct Chain {
    pub(crate) id: i64,
    pub(crate) begun: Timestamp,
    /// How many records of its scope there were before it began.
    pub(crate) before: u64,
    /// The number of the last link, 0 where there is none.
    pub(crate) last: u64,
    /// The hash of the last link; the chain's own where there is none.
    head: Vec<u8>,
}

/// What a link is made of.
pub(crate) struct Content<'a> {
    pub(crate) at: Timestamp,
    /// The run, and the offset of the first record; none for an act.
    pub(crate) of: Option<(&'a RunId, u64)>,
    /// The hashes of its records or of its act, one after the other.
    pub(crate) hashes: &'a [u8],
}

impl Content<'_> {
    /// The hash of the link with that number after another one.
    pub(crate) fn digest(&self, previous: &Digest, number: u64) -> Digest {
        let (kind, run, first) = match self.of {
            Some((run, first)) => (b"records", run.as_str(), first),
            None => (b"an act.", "", 0),
        };
        Digest::of_parts(&[
            previous.as_bytes(),
            &number.to_le_bytes(),
            &self.at.0.to_le_bytes(),
            kind,
            run.as_bytes(),
            &first.to_le_bytes(),
            self.hashes,
        ])
    }
}

impl Chain {
    /// The chain of a scope.
    pub(crate) fn find(connection: &Connection, scope: &Scope) -> Result<Option<Self>> {
        let row: Option<(i64, i64, u64)> = connection
            .prepare_cached("SELECT id, begun, before FROM chains WHERE tenant = ?1 AND project = ?2")
            .and_then(|mut select| {
                let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                select.query_row(params![scope.tenant, scope.project], read).optional()
            })
            .map_err(fault)?;
        let Some((id, begun, before)) = row else { return Ok(None) };
        // Two statements: joined, they are slower by far.
        let last: Option<(i64, Vec<u8>)> = connection
            .prepare_cached(
                "SELECT id, digest FROM links WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1",
            )
            .and_then(|mut select| {
                let range = [link_id(id, 0), link_id(id + 1, 0)];
                select.query_row(range, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(fault)?;
        let own = origin(scope, Timestamp(begun), before);
        let (last, head) = match last {
            Some((link, hash)) => (number_of(link), hash),
            None => (0, own.as_bytes().to_vec()),
        };
        Ok(Some(Self { id, begun: Timestamp(begun), before, last, head }))
    }

    /// The chain of a scope, which begins now where there is none.
    pub(crate) fn open(connection: &Connection, scope: &Scope, at: Timestamp) -> Result<Self> {
        if let Some(chain) = Self::find(connection, scope)? {
            return Ok(chain);
        }
        connection
            .prepare_cached("INSERT INTO chains (tenant, project, begun, before) VALUES (?1, ?2, ?3, 0)")
            .and_then(|mut insert| insert.execute(params![scope.tenant, scope.project, at.0]))
            .map_err(fault)?;
        Self::find(connection, scope)?
            .ok_or_else(|| Error::new(Code::Internal, "a chain that was made is not there"))
    }

    /// Adds a link. Returns its id.
    pub(crate) fn add(&mut self, connection: &Connection, content: &Content<'_>) -> Result<i64> {
        let number = self.last + 1;
        let (id, digest) = (link_id(self.id, number), content.digest(&digest(&self.head)?, number));
        connection
            .prepare_cached(
                "INSERT INTO links (id, at, run, first, contents, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    id,
                    content.at.0,
                    content.of.map(|(run, _)| run.as_str()),
                    content.of.map(|(_, first)| first),
                    content.hashes,
                    digest.as_bytes()
                ])
            })
            .map_err(fault)?;
        (self.last, self.head) = (number, digest.as_bytes().to_vec());
        Ok(id)
    }
}

/// What the first link is linked to.
pub(crate) fn origin(scope: &Scope, begun: Timestamp, before: u64) -> Digest {
    Digest::of_parts(&[
        b"adjutant chain",
        scope.tenant.as_bytes(),
        scope.project.as_bytes(),
        &begun.0.to_le_bytes(),
        &before.to_le_bytes(),
    ])
}

/// The id of a link.
pub(crate) fn link_id(chain: i64, number: u64) -> i64 {
    (chain << NUMBER_BITS) | i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number that is in the id of a link.
pub(crate) fn number_of(id: i64) -> u64 {
    u64::try_from(id & ((1 << NUMBER_BITS) - 1)).unwrap_or_default()
}

/// Links records of a run that were just written, one after the other from the offset `first` on.
pub(crate) fn records(
    connection: &Connection,
    scope: &Scope,
    run: &RunId,
    (first, hashes): (u64, &[u8]),
    at: Timestamp,
) -> Result<()> {
    let content = Content { at, of: Some((run, first)), hashes };
    Chain::open(connection, scope, at)?.add(connection, &content).map(drop)
}

/// Records an act, and links it.
pub(crate) fn act(connection: &Connection, scope: &Scope, act: &Act) -> Result<()> {
    let hash = hash_of(act, act.details.as_str());
    let content = Content { at: act.at, of: None, hashes: hash.as_bytes() };
    let id = Chain::open(connection, scope, act.at)?.add(connection, &content)?;
    connection
        .prepare_cached(
            "INSERT INTO acts (id, at, by, what, subject, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![id, act.at.0, act.by, act.what, act.subject, act.details.as_str()])
        })
        .map(drop)
        .map_err(fault)
}

/// The hash of an act, with its details as they are written.
fn hash_of(act: &Act, details: &str) -> Digest {
    Digest::of_parts(&[
        &act.at.0.to_le_bytes(),
        act.by.as_bytes(),
        act.what.as_bytes(),
        act.subject.as_bytes(),
        details.as_bytes(),
    ])
}

/// The act of a link, and its hash as it is now.
pub(crate) fn act_of(connection: &Connection, link: i64) -> Result<Option<(Act, Digest)>> {
    let row: Option<(i64, String, String, String, String)> = connection
        .prepare_cached("SELECT at, by, what, subject, details FROM acts WHERE id = ?1")
        .and_then(|mut select| {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
            select.query_row([link], read).optional()
        })
        .map_err(fault)?;
    let Some((at, by, what, subject, details)) = row else { return Ok(None) };
    let act = Act { by, what, subject, at: Timestamp(at), details: Json::null() };
    let hash = hash_of(&act, &details);
    // One that was changed so that it is no JSON any more is told by its hash.
    Ok(Some((act.with(Json::parse(&details).unwrap_or_else(|_| Json::null())), hash)))
}
