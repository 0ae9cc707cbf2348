//! Records as rows. Small things are readable columns; what went in or came out is the body, and a large body is a
//! blob of its own, known by its content.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, Kind, Operation, OperationHash, Outcome, RECORD_VERSION, Record};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use crate::connection::fault;

/// Bodies over this many bytes are kept as blobs.
const LARGE: usize = 16 * 1024;

/// The largest offset: a row's id is the run's id and the offset in one number.
const OFFSET_BITS: u32 = 32;

/// The id of the row of a record.
pub(crate) fn row_id(run: i64, offset: u64) -> i64 {
    (run << OFFSET_BITS) | i64::try_from(offset).unwrap_or(i64::MAX)
}

/// The offset that is in the id of a row.
pub(crate) fn offset_of(id: i64) -> u64 {
    u64::try_from(id & ((1 << OFFSET_BITS) - 1)).unwrap_or_default()
}

/// A record, ready to be written.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) offset: u64,
    segment: u32,
    at: Timestamp,
    kind: &'static str,
    key: Option<StepKey>,
    hash: Option<OperationHash>,
    meta: Option<String>,
    body: Option<Json>,
    digest: Option<Digest>,
}

/// What of an operation is not its input.
#[derive(Serialize, Deserialize)]
struct OperationMeta {
    kind: Kind,
    name: String,
    /// Of an operation that answered at once: its input, small; its answer is the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Json>,
}

impl Encoded {
    /// Writes a record as a row.
    pub(crate) fn of(record: &Record) -> Result<Self> {
        let Record { offset, segment, at, entry } = record;
        let mut row = Self {
            offset: *offset,
            segment: *segment,
            at: *at,
            kind: "",
            key: entry.key().cloned(),
            hash: None,
            meta: None,
            body: None,
            digest: None,
        };
        let kind = match entry {
            Entry::Admitted(admission) => {
                row.body = Some(Json::of(admission)?);
                "admitted"
            }
            Entry::Activated { epoch } => {
                row.meta = Some(epoch.to_string());
                "activated"
            }
            Entry::Issued { hash, operation, .. } => {
                row.hash = Some(*hash);
                row.meta = Some(meta(operation, false)?);
                row.body = Some(operation.input.clone());
                "issued"
            }
            Entry::Attempted { attempt, decision, .. } => {
                row.meta = Some(attempt.to_string());
                row.body.clone_from(decision);
                "attempted"
            }
            Entry::Completed { outcome, .. } => row.outcome(outcome, "completed", "failed")?,
            Entry::Answered { hash, operation, outcome, .. } => {
                row.hash = Some(*hash);
                row.meta = Some(meta(operation, true)?);
                row.outcome(outcome, "answered", "answered_error")?
            }
            Entry::Dropped { .. } => "dropped",
            Entry::Late { outcome, .. } => row.outcome(outcome, "late", "late_error")?,
            Entry::Unknown { reason, .. } => {
                row.meta = Some(reason.clone());
                "unknown"
            }
            Entry::Received(letter) => {
                row.body = Some(Json::of(letter)?);
                "received"
            }
            Entry::Halted(error) => {
                row.body = Some(Json::of(error)?);
                "halted"
            }
            Entry::RolledOver { state, active_ms } => {
                row.meta = Some(active_ms.to_string());
                row.body = Some(state.clone());
                "rolled_over"
            }
            Entry::Ended(outcome) => row.outcome(outcome, "ended", "ended_error")?,
        };
        row.kind = kind;
        row.digest = row
            .body
            .as_ref()
            .filter(|body| body.len() > LARGE)
            .map(|body| Digest::of(body.as_str().as_bytes()));
        Ok(row)
    }

    fn outcome(&mut self, outcome: &Outcome, ok: &'static str, error: &'static str) -> Result<&'static str> {
        let (body, kind) = match outcome {
            Ok(json) => (json.clone(), ok),
            Err(failure) => (Json::of(failure)?, error),
        };
        self.body = Some(body);
        Ok(kind)
    }

    /// Writes the row of a run, so many places after its offset, and the blob if there is one. Returns the hash of what it says.
    pub(crate) fn insert(
        &self,
        connection: &Connection,
        tenant: &str,
        (row, run): (i64, &RunId),
        after: u64,
    ) -> Result<Digest> {
        let mut body = self.body.as_ref().map(Json::as_str);
        if let (Some(digest), Some(text)) = (&self.digest, body) {
            connection
                .prepare_cached("INSERT OR IGNORE INTO blobs (tenant, digest, bytes) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute(params![tenant, digest.as_bytes(), text]))
                .map_err(fault)?;
            body = None;
        }
        let content = Content {
            version: RECORD_VERSION,
            segment: self.segment,
            at: self.at.0,
            kind: self.kind,
            key: self.key.as_ref().map(StepKey::as_str),
            hash: self.hash.as_ref().map(|hash| hash.0.as_slice()),
            meta: self.meta.as_deref(),
            body,
            blob: self.digest.as_ref().map(|digest| digest.as_bytes().as_slice()),
        };
        let offset = self.offset + after;
        connection
            .prepare_cached(
                "INSERT INTO journal (id, version, segment, at, kind, key, hash, meta, body, blob)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    row_id(row, offset),
                    content.version,
                    content.segment,
                    content.at,
                    content.kind,
                    content.key,
                    content.hash,
                    content.meta,
                    content.body,
                    content.blob,
                ])
            })
            .map_err(fault)?;
        Ok(content.digest(run, offset))
    }
}

/// What a row of the journal says.
struct Content<'a> {
    version: u16,
    segment: u32,
    at: i64,
    kind: &'a str,
    key: Option<&'a str>,
    hash: Option<&'a [u8]>,
    meta: Option<&'a str>,
    body: Option<&'a str>,
    blob: Option<&'a [u8]>,
}

impl Content<'_> {
    fn digest(&self, run: &RunId, offset: u64) -> Digest {
        let texts = [self.key, self.meta, self.body].map(|text| text.map(str::as_bytes));
        let [key, meta, body] = texts;
        let parts = [key, self.hash, meta, body, self.blob];
        // What is not there is not the same as what is empty.
        let there = parts.map(|part| u8::from(part.is_some()));
        let [key, hash, meta, body, blob] = parts.map(Option::unwrap_or_default);
        Digest::of_parts(&[
            run.as_str().as_bytes(),
            &offset.to_le_bytes(),
            &self.version.to_le_bytes(),
            &self.segment.to_le_bytes(),
            &self.at.to_le_bytes(),
            self.kind.as_bytes(),
            &there,
            key,
            hash,
            meta,
            body,
            blob,
        ])
    }
}

/// The hash of what the row of a record says now; none where there is no such row. A blob that is not what it is known by makes it
/// another hash.
pub(crate) fn content_of(
    connection: &Connection,
    scope: &Scope,
    run: &RunId,
    id: i64,
) -> Result<Option<Digest>> {
    let mut select = connection
        .prepare_cached(
            "SELECT j.version, j.segment, j.at, j.kind, j.key, j.hash, j.meta, j.body, j.blob, b.bytes
             FROM journal j LEFT JOIN blobs b ON b.tenant = ?2 AND b.digest = j.blob WHERE j.id = ?1",
        )
        .map_err(fault)?;
    let mut rows = select.query(params![id, scope.tenant]).map_err(fault)?;
    let Some(row) = rows.next().map_err(fault)? else { return Ok(None) };
    let text = |index: usize| row.get_ref(index).and_then(|value| Ok(value.as_str_or_null()?)).map_err(fault);
    let bytes =
        |index: usize| row.get_ref(index).and_then(|value| Ok(value.as_blob_or_null()?)).map_err(fault);
    let blob = bytes(8)?;
    if let Some(blob) = blob {
        let whole = text(9)?.is_some_and(|text| Digest::of(text.as_bytes()).as_bytes().as_slice() == blob);
        if !whole {
            return Ok(Some(Digest::of(b"a blob that does not fit")));
        }
    }
    let content = Content {
        version: row.get(0).map_err(fault)?,
        segment: row.get(1).map_err(fault)?,
        at: row.get(2).map_err(fault)?,
        kind: text(3)?.unwrap_or_default(),
        key: text(4)?,
        hash: bytes(5)?,
        meta: text(6)?,
        body: text(7)?,
        blob,
    };
    Ok(Some(content.digest(run, offset_of(id))))
}

fn meta(operation: &Operation, with_input: bool) -> Result<String> {
    let meta = OperationMeta {
        kind: operation.kind.clone(),
        name: operation.name.clone(),
        input: with_input.then(|| operation.input.clone()),
    };
    Json::of(&meta).map(|json| json.as_str().to_owned())
}

/// Reads the records of one run's own journal in a range of offsets, blobs included.
pub(crate) fn read(
    connection: &Connection,
    tenant: &str,
    run: i64,
    from: u64,
    before: Option<u64>,
) -> Result<Vec<Record>> {
    let mut select = connection
        .prepare_cached(
            "SELECT j.id, j.version, j.segment, j.at, j.kind, j.key, j.meta, coalesce(j.body, b.bytes), j.hash
             FROM journal j LEFT JOIN blobs b ON b.tenant = ?3 AND b.digest = j.blob
             WHERE j.id >= ?1 AND j.id < ?2 ORDER BY j.id",
        )
        .map_err(fault)?;
    let end = before.map_or_else(|| row_id(run + 1, 0), |before| row_id(run, before));
    let mut rows = select.query(params![row_id(run, from), end, tenant]).map_err(fault)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        records.push(decode(row)?);
    }
    Ok(records)
}

fn decode(row: &Row<'_>) -> Result<Record> {
    let offset = offset_of(row.get(0).map_err(fault)?);
    let version: u16 = row.get(1).map_err(fault)?;
    if version > RECORD_VERSION {
        return Err(Error::new(
            Code::StoreNewer,
            format!("record {offset} was written by a newer version of adjutant (format {version}, this one knows {RECORD_VERSION})"),
        )
        .with_help("use that version; nothing was changed"));
    }
    let kind: String = row.get(4).map_err(fault)?;
    let corrupt = |what: &str| {
        Error::new(Code::StoreCorrupt, format!("record {offset} (`{kind}`) cannot be read: {what}"))
            .with_help("restore the store from a backup")
    };
    let key: Option<String> = row.get(5).map_err(fault)?;
    let meta: Option<String> = row.get(6).map_err(fault)?;
    let body: Option<String> = row.get(7).map_err(fault)?;
    let hash: Option<Vec<u8>> = row.get(8).map_err(fault)?;

    let key = || key.as_deref().map(StepKey::parse).ok_or_else(|| corrupt("no key"));
    let meta = || meta.clone().ok_or_else(|| corrupt("no details"));
    let number = || meta()?.parse::<u64>().map_err(|_| corrupt("a number is expected"));
    let body = || {
        Json::parse(body.as_deref().ok_or_else(|| corrupt("no body"))?)
            .map_err(|_| corrupt("the body is not JSON"))
    };
    let failure = || body()?.to::<Error>().map_err(|_| corrupt("the body is not an error"));
    let hash = || {
        hash.as_deref()
            .and_then(|hash| hash.try_into().ok())
            .map(OperationHash)
            .ok_or_else(|| corrupt("no hash"))
    };
    let operation = || -> Result<Operation> {
        let meta: OperationMeta = serde_json::from_str(&meta()?).map_err(|_| corrupt("no operation"))?;
        let input = match meta.input {
            Some(input) => input,
            // An input that is `null` reads as none, and the body of such a record is the answer.
            None if kind.starts_with("answered") => Json::null(),
            None => body()?,
        };
        Ok(Operation { kind: meta.kind, name: meta.name, input })
    };

    let entry = match kind.as_str() {
        "admitted" => Entry::Admitted(Box::new(body()?.to().map_err(|_| corrupt("no admission"))?)),
        "activated" => Entry::Activated { epoch: number()? },
        "issued" => Entry::Issued { key: key()?, hash: hash()?, operation: operation()? },
        "attempted" => Entry::Attempted {
            key: key()?,
            attempt: u32::try_from(number()?).map_err(|_| corrupt("too many attempts"))?,
            decision: body().ok(),
        },
        "completed" => Entry::Completed { key: key()?, outcome: Ok(body()?) },
        "failed" => Entry::Completed { key: key()?, outcome: Err(failure()?) },
        "answered" => {
            Entry::Answered { key: key()?, hash: hash()?, operation: operation()?, outcome: Ok(body()?) }
        }
        "answered_error" => {
            Entry::Answered { key: key()?, hash: hash()?, operation: operation()?, outcome: Err(failure()?) }
        }
        "dropped" => Entry::Dropped { key: key()? },
        "late" => Entry::Late { key: key()?, outcome: Ok(body()?) },
        "late_error" => Entry::Late { key: key()?, outcome: Err(failure()?) },
        "unknown" => Entry::Unknown { key: key()?, reason: meta()? },
        "received" => Entry::Received(body()?.to().map_err(|_| corrupt("no letter"))?),
        "halted" => Entry::Halted(failure()?),
        "rolled_over" => Entry::RolledOver { state: body()?, active_ms: number()? },
        "ended" => Entry::Ended(Ok(body()?)),
        "ended_error" => Entry::Ended(Err(failure()?)),
        _ => return Err(corrupt("an unknown kind of record")),
    };
    Ok(Record {
        offset,
        segment: row.get(2).map_err(fault)?,
        at: Timestamp(row.get(3).map_err(fault)?),
        entry,
    })
}
