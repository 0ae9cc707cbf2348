//! Reading the chain: what people did, and whether all is as it was recorded.

use std::collections::HashMap;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope};
use adjutant_core::time::Timestamp;
use adjutant_durable::{Fault, Link, Linked, Recorded, Source, Told, Verified, Verify};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::Value;

use crate::chain::{self, Chain, Content, HASH, link_id, number_of};
use crate::claim::digest;
use crate::codec::{self, row_id};
use crate::connection::fault;

/// A link as it is kept.
struct Kept {
    id: i64,
    at: Timestamp,
    of: Option<(RunId, u64)>,
    hashes: Vec<u8>,
    digest: Vec<u8>,
}

impl Kept {
    fn number(&self) -> u64 {
        number_of(self.id)
    }

    fn fault(&self, what: &str) -> Fault {
        let run = self.of.as_ref().map(|(run, _)| run.clone());
        let record = self.of.as_ref().map(|(_, first)| *first);
        Fault { link: Some(self.number()), run, record, what: what.to_owned() }
    }
}

/// Goes through links of a chain, as long as `each` says so.
fn walk(
    connection: &Connection,
    order: &str,
    (first, end): (i64, i64),
    mut each: impl FnMut(Kept) -> Result<bool>,
) -> Result<()> {
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT id, at, run, first, contents, digest FROM links WHERE id >= ?1 AND id < ?2 ORDER BY id {order}"
        ))
        .map_err(fault)?;
    let mut rows = select.query([first, end]).map_err(fault)?;
    while let Some(row) = rows.next().map_err(fault)? {
        let run: Option<String> = row.get(2).map_err(fault)?;
        let first: Option<u64> = row.get(3).map_err(fault)?;
        let kept = Kept {
            id: row.get(0).map_err(fault)?,
            at: Timestamp(row.get(1).map_err(fault)?),
            // Half of it is no place of records; it was changed, and does not fit the hash.
            of: match (run, first) {
                (None, None) => None,
                (run, first) => Some((RunId::new(run.unwrap_or_default()), first.unwrap_or(u64::MAX))),
            },
            hashes: row.get(4).map_err(fault)?,
            digest: row.get(5).map_err(fault)?,
        };
        if !each(kept)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Links, the newest first, those before a number.
pub(crate) fn links(
    connection: &Connection,
    scope: &Scope,
    before: Option<u64>,
    most: usize,
    effects: &[&str],
) -> Result<Vec<Link>> {
    let Some(chain) = Chain::find(connection, scope)? else { return Ok(Vec::new()) };
    let end = before.unwrap_or(chain.last + 1);
    let mut found = Vec::new();
    walk(connection, "DESC", (link_id(chain.id, 0), link_id(chain.id, end)), |kept| {
        if found.len() >= most {
            return Ok(false);
        }
        let number = kept.number();
        let what = match &kept.of {
            None => chain::act_of(connection, kept.id)?.map(|(act, _)| Linked::Act(act)),
            Some((run, first)) => {
                let records = (kept.hashes.len() / HASH) as u64;
                Some(told(connection, scope, run, *first..*first + records, effects)?)
            }
        };
        found.extend(what.map(|what| Link { number, at: kept.at, what }));
        Ok(true)
    })?;
    Ok(found)
}

/// What was recorded after a place, the oldest first.
pub(crate) fn recorded(
    connection: &Connection,
    scope: &Scope,
    after: u64,
    most: usize,
) -> Result<Vec<Recorded>> {
    let Some(chain) = Chain::find(connection, scope)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    walk(
        connection,
        "ASC",
        (link_id(chain.id, after.saturating_add(1)), link_id(chain.id + 1, 0)),
        |kept| {
            if found.len() >= most {
                return Ok(false);
            }
            if let Some((run, first)) = &kept.of {
                let count = (kept.hashes.len() / HASH) as u64;
                found.push(Recorded { place: kept.number(), run: run.clone(), first: *first, count });
            }
            Ok(true)
        },
    )?;
    Ok(found)
}

/// The records that say how a run was started and what came of its steps, each with what was recorded of that step when it was
/// issued, which is mostly right before it.
const TOLD: &str = "SELECT j.id, j.kind = 'completed', (SELECT i.meta FROM journal i
        WHERE i.id >= ?1 AND i.id < j.id AND i.kind = 'issued' AND i.key = j.key AND i.segment = j.segment
        ORDER BY i.id DESC LIMIT 1)
    FROM journal j WHERE j.id >= ?2 AND j.id < ?3 AND j.kind IN ('admitted', 'completed', 'failed')";

/// What was recorded of a step when it was issued, as far as it says what it is.
#[derive(Deserialize)]
struct Issued {
    name: String,
    kind: Value,
}

impl Issued {
    fn source(self) -> Option<Source> {
        match &self.kind {
            Value::String(kind) if kind == "signal" => Some(Source::Signal(self.name)),
            Value::Object(kind) if kind.contains_key("effect") => Some(Source::Effect(self.name)),
            _ => None,
        }
    }
}

fn told(
    connection: &Connection,
    scope: &Scope,
    run: &RunId,
    offsets: std::ops::Range<u64>,
    effects: &[&str],
) -> Result<Linked> {
    let row: Option<(i64, String)> = connection
        .prepare_cached("SELECT id, name FROM runs WHERE tenant = ?1 AND project = ?2 AND run = ?3")
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, run.as_str()];
            select.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(fault)?;
    let mut told = Vec::new();
    let Some((row, name)) = row else {
        return Ok(Linked::Records { run: run.clone(), name: String::new(), told });
    };
    let mut select = connection.prepare_cached(TOLD).map_err(fault)?;
    let parameters = [row_id(row, 0), row_id(row, offsets.start), row_id(row, offsets.end)];
    let rows: Vec<(i64, bool, Option<String>)> = select
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .map_err(fault)?;
    for (id, is_completed, issued) in rows {
        let offset = codec::offset_of(id);
        let from =
            issued.and_then(|meta| serde_json::from_str::<Issued>(&meta).ok()).and_then(Issued::source);
        let is_silent = match &from {
            Some(Source::Effect(name)) => is_completed && !effects.contains(&name.as_str()),
            Some(Source::Signal(_)) => false,
            None => is_completed,
        };
        if is_silent {
            continue;
        }
        for record in codec::read(connection, &scope.tenant, row, offset, Some(offset + 1))? {
            told.push(Told { record, from: from.clone() });
        }
    }
    Ok(Linked::Records { run: run.clone(), name, told })
}

/// Looks at every link, and at what it is for.
pub(crate) fn verify(connection: &Connection, scope: &Scope, verify: Verify) -> Result<Verified> {
    let mut verified = Verified::default();
    let Some(chain) = Chain::find(connection, scope)? else {
        verified.fault = without_chain(connection, scope, verify)?;
        return Ok(verified);
    };
    (verified.begun, verified.before) = (Some(chain.begun), chain.before);
    let mut walked = Walked {
        connection,
        scope,
        verify,
        gone: HashMap::new(),
        rows: HashMap::new(),
        previous: chain::origin(scope, chain.begun, chain.before),
        present: 0,
        is_head_seen: verify.head.is_none(),
        verified,
    };
    walked.find_gone(&chain)?;
    let all = (link_id(chain.id, 0), link_id(chain.id + 1, 0));
    walk(connection, "ASC", all, |kept| {
        walked.verified.fault = walked.look(&kept)?;
        Ok(walked.verified.fault.is_none())
    })?;
    if walked.verified.fault.is_none() {
        walked.verified.fault = walked.look_around(&chain)?;
    }
    Ok(walked.verified)
}

/// What is wrong where there is no chain: nothing, as long as there is nothing else.
fn without_chain(connection: &Connection, scope: &Scope, verify: Verify) -> Result<Option<Fault>> {
    let is_something = count_records(connection, scope)? > 0 || verify.head.is_some();
    Ok(is_something.then(|| whole("the chain is gone")))
}

fn whole(what: &str) -> Fault {
    Fault { link: None, run: None, record: None, what: what.to_owned() }
}

fn count_records(connection: &Connection, scope: &Scope) -> Result<u64> {
    connection
        .prepare_cached(
            "SELECT coalesce(sum((SELECT count(*) FROM journal j WHERE j.id >= r.id << 32 AND j.id < (r.id + 1) << 32)), 0)
             FROM runs r WHERE r.tenant = ?1 AND r.project = ?2",
        )
        .and_then(|mut select| select.query_row(params![scope.tenant, scope.project], |row| row.get(0)))
        .map_err(fault)
}

/// A verification under way.
struct Walked<'a> {
    connection: &'a Connection,
    scope: &'a Scope,
    verify: Verify,
    /// The runs that were erased, with the number of the last act that says so: what was linked before is gone.
    gone: HashMap<RunId, u64>,
    /// The rows of runs that were looked up.
    rows: HashMap<RunId, Option<i64>>,
    previous: Digest,
    /// How many records must be there.
    present: u64,
    is_head_seen: bool,
    verified: Verified,
}

impl Walked<'_> {
    fn find_gone(&mut self, chain: &Chain) -> Result<()> {
        let ids: Vec<i64> = self
            .connection
            .prepare_cached("SELECT id FROM acts WHERE id >= ?1 AND id < ?2 ORDER BY id")
            .and_then(|mut select| {
                let range = [link_id(chain.id, 0), link_id(chain.id + 1, 0)];
                select.query_map(range, |row| row.get(0))?.collect()
            })
            .map_err(fault)?;
        for id in ids {
            let Some((act, _)) = chain::act_of(self.connection, id)? else { continue };
            let gone = act.gone();
            if !gone.is_empty() {
                self.verified.erasures.push(act);
            }
            self.gone.extend(gone.into_iter().map(|run| (run, number_of(id))));
        }
        Ok(())
    }

    /// Looks at the next link.
    fn look(&mut self, kept: &Kept) -> Result<Option<Fault>> {
        let number = kept.number();
        if number != self.verified.links + 1 {
            return Ok(Some(kept.fault("links before this one are missing")));
        }
        let of = kept.of.as_ref().map(|(run, first)| (run, *first));
        let digest = Content { at: kept.at, of, hashes: &kept.hashes }.digest(&self.previous, number);
        if digest.as_bytes().as_slice() != kept.digest {
            return Ok(Some(kept.fault("the link does not fit the one before it: it was changed, or moved")));
        }
        (self.previous, self.verified.head, self.verified.links) = (digest, Some(digest), number);
        self.is_head_seen |= self.verify.head == Some(digest);
        match &kept.of {
            None if number < self.verify.from => Ok(None),
            None => self.look_at_act(kept),
            Some((run, first)) => self.look_at_records(kept, run, *first),
        }
    }

    fn look_at_act(&mut self, kept: &Kept) -> Result<Option<Fault>> {
        let Some((_, hash)) = chain::act_of(self.connection, kept.id)? else {
            return Ok(Some(kept.fault("the act that it is for is missing")));
        };
        if hash.as_bytes().as_slice() != kept.hashes {
            return Ok(Some(kept.fault("the act that it is for was changed")));
        }
        self.verified.acts += 1;
        Ok(None)
    }

    fn look_at_records(&mut self, kept: &Kept, run: &RunId, first: u64) -> Result<Option<Fault>> {
        let count = (kept.hashes.len() / HASH) as u64;
        if self.gone.get(run).is_some_and(|gone| *gone > kept.number()) {
            self.verified.erased += count;
            return Ok(None);
        }
        self.present += count;
        if kept.number() < self.verify.from {
            return Ok(None);
        }
        let Some(row) = self.row(run)? else {
            return Ok(Some(kept.fault("the run is gone, and nobody has recorded that it was erased")));
        };
        for (hash, offset) in kept.hashes.chunks(HASH).zip(first..) {
            let fault = |what: &str| Some(Fault { record: Some(offset), ..kept.fault(what) });
            match codec::content_of(self.connection, self.scope, run, row_id(row, offset))? {
                None => return Ok(fault("the record is missing")),
                Some(found) if found.as_bytes().as_slice() != hash => {
                    return Ok(fault("the record was changed"));
                }
                Some(_) => self.verified.records += 1,
            }
        }
        Ok(None)
    }

    fn row(&mut self, run: &RunId) -> Result<Option<i64>> {
        if let Some(row) = self.rows.get(run) {
            return Ok(*row);
        }
        let row = self
            .connection
            .prepare_cached("SELECT id FROM runs WHERE tenant = ?1 AND project = ?2 AND run = ?3")
            .and_then(|mut select| {
                let parameters = params![self.scope.tenant, self.scope.project, run.as_str()];
                select.query_row(parameters, |row| row.get(0)).optional()
            })
            .map_err(fault)?;
        self.rows.insert(run.clone(), row);
        Ok(row)
    }

    /// Looks for what is in no link, and for what must be in one.
    fn look_around(&self, chain: &Chain) -> Result<Option<Fault>> {
        if !self.is_head_seen {
            return Ok(Some(whole(
                "the link with the hash that was given is not in the chain: its end was cut off, or it was written anew",
            )));
        }
        if let Some(fault) = self.look_for_acts(chain)? {
            return Ok(Some(fault));
        }
        let there = count_records(self.connection, self.scope)?;
        if there > self.present + chain.before {
            return Ok(Some(self.unlinked(chain)?));
        }
        self.look_at_definitions()
    }

    /// An act that is in no link.
    fn look_for_acts(&self, chain: &Chain) -> Result<Option<Fault>> {
        let range = [link_id(chain.id, 0), link_id(chain.id + 1, 0)];
        let unlinked: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT a.id FROM acts a LEFT JOIN links l ON l.id = a.id
                 WHERE a.id >= ?1 AND a.id < ?2 AND (l.id IS NULL OR l.run IS NOT NULL) ORDER BY a.id LIMIT 1",
            )
            .and_then(|mut select| select.query_row(range, |row| row.get(0)).optional())
            .map_err(fault)?;
        let fault = |id| Fault { link: Some(number_of(id)), ..whole("an act is in no link") };
        Ok(unlinked.map(fault))
    }

    /// The run that has records in no link.
    fn unlinked(&self, chain: &Chain) -> Result<Fault> {
        let mut linked: HashMap<RunId, u64> = HashMap::new();
        let all = (link_id(chain.id, 0), link_id(chain.id + 1, 0));
        walk(self.connection, "ASC", all, |kept| {
            let number = kept.number();
            if let Some((run, _)) = kept.of
                && self.gone.get(&run).is_none_or(|gone| *gone < number)
            {
                *linked.entry(run).or_default() += (kept.hashes.len() / HASH) as u64;
            }
            Ok(true)
        })?;
        // Records from before the chain began are in no link, and say when they were made.
        let begun = if chain.before == 0 { i64::MIN } else { chain.begun.0 };
        let counts: Vec<(String, u64)> = self
            .connection
            .prepare_cached(
                "SELECT r.run, (SELECT count(*) FROM journal j
                                WHERE j.id >= r.id << 32 AND j.id < (r.id + 1) << 32 AND j.at > ?3)
                 FROM runs r WHERE r.tenant = ?1 AND r.project = ?2 ORDER BY r.id",
            )
            .and_then(|mut select| {
                let parameters = params![self.scope.tenant, self.scope.project, begun];
                select.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .map_err(fault)?;
        let run = counts
            .into_iter()
            .map(|(run, count)| (RunId::new(run), count))
            .find(|(run, count)| linked.get(run).copied().unwrap_or_default() < *count)
            .map(|(run, _)| run);
        Ok(Fault { run, ..whole("there are records that are in no link") })
    }

    /// A definition is known by its hash, so it is as it was while that fits.
    fn look_at_definitions(&self) -> Result<Option<Fault>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT digest, text FROM definitions WHERE tenant = ?1 AND project = ?2")
            .map_err(fault)?;
        let mut rows = select.query(params![self.scope.tenant, self.scope.project]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let known: Vec<u8> = row.get(0).map_err(fault)?;
            let text: String = row.get(1).map_err(fault)?;
            if Digest::of(text.as_bytes()).as_bytes().as_slice() != known {
                let short = digest(&known).map(|known| known.short()).unwrap_or_default();
                return Ok(Some(whole(&format!("the definition `{short}` was changed"))));
            }
        }
        Ok(None)
    }
}
