//! The tables, and how older files become newer ones.

use adjutant_core::{Code, Error, Result};
use rusqlite::Connection;

use crate::connection::fault;

/// Each step takes a file from the version of its index to the next. Steps that were released are never changed.
const MIGRATIONS: &[&str] = &[
    r"
-- A run: one row that its journal hangs on.
CREATE TABLE runs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again: an epoch is a run's own
    tenant          TEXT NOT NULL,
    project         TEXT NOT NULL,
    run             TEXT NOT NULL,
    name            TEXT NOT NULL,
    definition      BLOB NOT NULL,
    admission       TEXT NOT NULL,          -- JSON, without the input, which is in the first record
    session         TEXT,
    turn            INTEGER,                -- place within the session
    user            TEXT,
    parent          INTEGER,                -- the run that started it
    root            INTEGER,                -- the run that started it all; itself where it is null
    account         INTEGER,                -- the account it takes from: its own, or the nearest above it
    fork_of         INTEGER REFERENCES runs (id),
    fork_before     INTEGER,
    fork_edits      TEXT,                   -- JSON
    state           TEXT NOT NULL,
    halted          TEXT,                   -- JSON of an error
    wake_at         INTEGER,                -- milliseconds since 1970
    worker          INTEGER,
    epoch           INTEGER NOT NULL DEFAULT 0,
    segment         INTEGER NOT NULL DEFAULT 0,
    segment_start   INTEGER NOT NULL DEFAULT 0,   -- offset of the segment's first record
    segment_active  INTEGER NOT NULL DEFAULT 0,   -- active milliseconds before the segment
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    UNIQUE (tenant, project, run)
) STRICT;
CREATE INDEX runs_by_state   ON runs (state, tenant, project, wake_at);
CREATE INDEX runs_by_session ON runs (tenant, project, session, turn) WHERE session IS NOT NULL;
CREATE INDEX runs_by_user    ON runs (tenant, project, user) WHERE user IS NOT NULL;
CREATE INDEX runs_by_parent  ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_by_root    ON runs (root) WHERE root IS NOT NULL;
CREATE INDEX runs_by_fork    ON runs (fork_of) WHERE fork_of IS NOT NULL;
CREATE INDEX runs_by_age     ON runs (tenant, project, created);

-- The journal: append only. id = run * 2^32 + offset, so that a run's records lie together.
CREATE TABLE journal (
    id       INTEGER PRIMARY KEY,
    version  INTEGER NOT NULL,
    segment  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT,
    hash     BLOB,
    meta     TEXT,                          -- JSON, small
    body     TEXT,                          -- JSON: what went in or came out
    blob     BLOB                           -- the digest of the body, where it is kept as a blob
) STRICT;
CREATE INDEX journal_by_blob ON journal (blob) WHERE blob IS NOT NULL;

-- Bodies over 16 KiB, by content, within their tenant.
CREATE TABLE blobs (
    id      INTEGER PRIMARY KEY,
    tenant  TEXT NOT NULL,
    digest  BLOB NOT NULL,
    bytes   TEXT NOT NULL,
    UNIQUE (tenant, digest)
) STRICT;

-- What was sent to a run and, once it took effect, is in its journal.
CREATE TABLE mail (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run      INTEGER NOT NULL REFERENCES runs (id),
    mail_id  TEXT NOT NULL,
    letter   TEXT NOT NULL,                 -- JSON
    sent     INTEGER NOT NULL,
    taken    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (run, mail_id)
) STRICT;
CREATE INDEX mail_waiting ON mail (run, id) WHERE taken = 0;

CREATE TABLE definitions (
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    digest   BLOB NOT NULL,
    text     TEXT NOT NULL,
    put      INTEGER NOT NULL,              -- when it was last put
    PRIMARY KEY (tenant, project, digest)
) STRICT, WITHOUT ROWID;

-- What a run and all that it started may take together.
CREATE TABLE accounts (
    run           INTEGER PRIMARY KEY REFERENCES runs (id),
    parent        INTEGER,                  -- the account above, which is taken from too
    tokens_limit  INTEGER NOT NULL,
    nanos_limit   INTEGER NOT NULL,
    tokens_spent  INTEGER NOT NULL DEFAULT 0,
    nanos_spent   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE reservations (
    run      INTEGER NOT NULL REFERENCES runs (id),
    segment  INTEGER NOT NULL,
    key      TEXT NOT NULL,
    account  INTEGER NOT NULL REFERENCES accounts (run),
    tokens   INTEGER NOT NULL,
    nanos    INTEGER NOT NULL,
    PRIMARY KEY (run, segment, key, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_by_account ON reservations (account);

-- Processes that drive runs. Each also holds a lock on a file while it lives.
CREATE TABLE workers (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    beat     INTEGER NOT NULL DEFAULT 0,
    started  INTEGER NOT NULL
) STRICT;
",
    r"
-- What all runs of a project took on one day (UTC).
CREATE TABLE days (
    id            INTEGER PRIMARY KEY,
    tenant        TEXT NOT NULL,
    project       TEXT NOT NULL,
    day           INTEGER NOT NULL,         -- days since 1970-01-01
    tokens_spent  INTEGER NOT NULL DEFAULT 0,
    nanos_spent   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, project, day)
) STRICT;
CREATE TABLE day_reservations (
    run      INTEGER NOT NULL REFERENCES runs (id),
    segment  INTEGER NOT NULL,
    key      TEXT NOT NULL,
    day      INTEGER NOT NULL REFERENCES days (id),
    tokens   INTEGER NOT NULL,
    nanos    INTEGER NOT NULL,
    PRIMARY KEY (run, segment, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX day_reservations_by_day ON day_reservations (day);
",
    r#"
-- What people have allowed beforehand.
CREATE TABLE grants (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    grant_id  TEXT NOT NULL,
    tool      TEXT NOT NULL,
    user      TEXT,
    body      TEXT NOT NULL,                -- JSON, without who took it back
    revoked   TEXT,                         -- JSON: who did
    UNIQUE (tenant, project, grant_id)
) STRICT;
CREATE INDEX grants_by_tool ON grants (tenant, project, tool, id);
CREATE INDEX grants_by_user ON grants (tenant, project, user) WHERE user IS NOT NULL;

-- The signals that runs have asked for: few among many records, so those that wait are found without reading journals.
CREATE INDEX journal_signals ON journal (id) WHERE kind = 'issued' AND substr(meta, 1, 16) = '{"kind":"signal"';
"#,
    r"
-- Definitions that were published under a name.
CREATE TABLE versions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    name        TEXT NOT NULL,
    definition  BLOB NOT NULL,
    by          TEXT NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (tenant, project, name, definition)
) STRICT;

-- What was changed of their labels: append only. What a label means is what the last change says.
CREATE TABLE label_changes (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    name     TEXT NOT NULL,
    body     TEXT NOT NULL                  -- JSON
) STRICT;
CREATE INDEX label_changes_by_name ON label_changes (tenant, project, name, id);
",
    r"
-- How far each trigger has come on its schedule.
CREATE TABLE triggers (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    name      TEXT NOT NULL,
    schedule  TEXT NOT NULL,
    since     INTEGER NOT NULL,             -- milliseconds since 1970
    PRIMARY KEY (tenant, project, name)
) STRICT, WITHOUT ROWID;

-- What triggers have come to, and what became of it. They outlast their runs: what was done once is not done again.
CREATE TABLE occurrences (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant        TEXT NOT NULL,
    project       TEXT NOT NULL,
    trigger_name  TEXT NOT NULL,
    key           TEXT NOT NULL,
    run           INTEGER,                  -- that was admitted; it may be gone
    body          TEXT NOT NULL,            -- JSON
    UNIQUE (tenant, project, trigger_name, key)
) STRICT;
CREATE INDEX occurrences_by_trigger ON occurrences (tenant, project, trigger_name, id);
CREATE INDEX occurrences_by_run     ON occurrences (run) WHERE run IS NOT NULL;
",
    r"
-- The keys with which a service is asked. Their secrets are nowhere.
CREATE TABLE keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant       TEXT NOT NULL,
    project      TEXT NOT NULL,
    key_id       TEXT NOT NULL UNIQUE,      -- the public part; it says whose key it is
    hash         BLOB NOT NULL,             -- of the secret
    body         TEXT NOT NULL,             -- JSON, as it was made
    expires      INTEGER,                   -- milliseconds since 1970
    revoked      TEXT,                      -- JSON: who took it back
    replaced_by  TEXT,
    used         INTEGER                    -- when it was last used, give or take a minute
) STRICT;
CREATE INDEX keys_by_scope ON keys (project, tenant, id);
",
    r"
-- What a service keeps beside runs.
CREATE TABLE documents (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,   -- its revision: every change makes a new row
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    body     TEXT NOT NULL,                 -- JSON
    user     TEXT,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    expires  INTEGER,
    UNIQUE (tenant, project, kind, key)
) STRICT;
CREATE INDEX documents_by_user ON documents (tenant, project, user) WHERE user IS NOT NULL;
CREATE INDEX documents_by_end  ON documents (expires) WHERE expires IS NOT NULL;
",
    r"
-- Lists are read a page at a time, the newest first, also those of one agent or person.
CREATE INDEX runs_by_name ON runs (tenant, project, name, created);
DROP INDEX runs_by_user;
CREATE INDEX runs_by_user ON runs (tenant, project, user, created) WHERE user IS NOT NULL;
",
    r"
-- What makes a change of what was recorded visible: one chain for each tenant and project.
CREATE TABLE chains (
    id       INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    begun    INTEGER NOT NULL,              -- milliseconds since 1970
    before   INTEGER NOT NULL,              -- how many records there were when it began; they are in no link
    UNIQUE (tenant, project)
) STRICT;
INSERT INTO chains (tenant, project, begun, before)
    SELECT r.tenant, r.project, CAST(unixepoch('subsec') * 1000 AS INTEGER),
           sum((SELECT count(*) FROM journal j WHERE j.id >= r.id << 32 AND j.id < (r.id + 1) << 32))
    FROM runs r GROUP BY r.tenant, r.project;

-- Append only. id = chain * 2^40 + number, from 1.
CREATE TABLE links (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    run       TEXT,                         -- none: it is for the act with its id
    first     INTEGER,                      -- the offset of the first of its records, which follow one another
    contents  BLOB NOT NULL,                -- their hashes, 32 bytes each: they stay when the records are erased
    digest    BLOB NOT NULL                 -- over all this and the digest of the link before
) STRICT;

-- What people did to the service. Append only.
CREATE TABLE acts (
    id       INTEGER PRIMARY KEY,           -- that of its link
    at       INTEGER NOT NULL,
    by       TEXT NOT NULL,
    what     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    details  TEXT NOT NULL                  -- JSON
) STRICT;
",
    "
-- The ids of runs that were erased: what one of them was told to do is not done again under its id.
CREATE TABLE erased (
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    run      TEXT NOT NULL,
    PRIMARY KEY (tenant, project, run)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO erased (tenant, project, run)
    SELECT c.tenant, c.project, r.value
    FROM acts a JOIN chains c ON c.id = a.id >> 40 JOIN json_each(a.details, '$.runs') r
    WHERE a.what = 'person.erased';
",
    "
-- What agents and workflows took of models, by day and person. It outlives the runs.
CREATE TABLE spending (
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    day      INTEGER NOT NULL,              -- days since 1970-01-01 (UTC)
    name     TEXT NOT NULL,
    user     TEXT NOT NULL,                 -- nothing where it was for nobody in particular, or is forgotten
    calls    INTEGER NOT NULL,
    tokens   INTEGER NOT NULL,
    nanos    INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, day, name, user)
) STRICT, WITHOUT ROWID;
",
    "
-- The answers that a fork has in place of recorded ones stand in its first record, which the chain holds.
ALTER TABLE runs DROP COLUMN fork_edits;
",
];

/// What marks a file as ours in its header, so that `file` and SQLite can tell it: `adjt` in ASCII. Stores that were made
/// before there was a mark have none.
const MARK: i64 = 0x6164_6a74;

/// The version that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Whether a file is empty or a store; any other was made by another program.
pub(crate) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let count = |condition: &str| {
        let count = format!("SELECT count(*) FROM sqlite_schema WHERE {condition}");
        connection.query_row(&count, [], |row| row.get::<_, i64>(0))
    };
    Ok(match mark(connection)? {
        MARK => true,
        0 => {
            count("true")? == 0
                || count("type = 'table' AND name IN ('runs', 'journal', 'blobs', 'mail', 'workers')")? == 5
        }
        _ => false,
    })
}

fn mark(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

/// Brings a file to the newest version, in one transaction. Fails with [`Code::StoreNewer`] for a file that a newer
/// program wrote.
pub(crate) fn migrate(connection: &mut Connection, path: &str) -> Result<()> {
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map_err(fault)
    };
    let found = version(connection)?;
    if found == VERSION && mark(connection).map_err(fault)? == MARK {
        return Ok(());
    }
    if found > VERSION {
        return Err(newer(path, found));
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fault)?;
    // Another process may have done it while this one waited for the lock.
    let found = version(&transaction)?;
    if found > VERSION {
        return Err(newer(path, found));
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(step).map_err(fault)?;
    }
    transaction.pragma_update(None, "application_id", MARK).map_err(fault)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(fault)?;
    transaction.commit().map_err(fault)
}

/// Checks that a file is a store, and none of a newer version.
pub(crate) fn check_version(connection: &Connection, path: &str) -> Result<()> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fault)?;
    match is_ours(connection).map_err(fault)? && found > 0 {
        false => Err(Error::new(Code::StoreCorrupt, format!("`{path}` is no store of adjutant's"))),
        true if found > VERSION => Err(newer(path, found)),
        true => Ok(()),
    }
}

fn newer(path: &str, found: i64) -> Error {
    Error::new(
        Code::StoreNewer,
        format!("`{path}` was written by a newer version of adjutant (its format is {found}, this one knows {VERSION})"),
    )
    .with_help("use that version, or another store; nothing was changed")
}
