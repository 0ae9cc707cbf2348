//! Opening connections, and what SQLite's errors mean.

use std::path::Path;
use std::time::{Duration, Instant};

use adjutant_core::{Code, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{folder, schema};

/// How long a connection waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// Where the data is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a file.
    File(std::path::PathBuf),
    /// In the memory of this process; gone with it.
    Memory,
}

/// Opens the connection that writes. Fails with [`Code::StoreCorrupt`] for a file of another program's, which is left as
/// it is.
pub(crate) fn open_writer(place: &Place, vfs: Option<&str>) -> Result<Connection> {
    let connection = match place {
        Place::File(path) => {
            if vfs.is_none() {
                // What keeps it from being made keeps SQLite from opening it, which says so.
                let _ = folder::make_file(path);
            }
            open(path, OpenFlags::default(), vfs)?
        }
        Place::Memory => Connection::open_in_memory().map_err(fault)?,
    };
    if !patiently(|| schema::is_ours(&connection))? {
        return Err(foreign(place));
    }
    // SQLite does not wait for others here, who may be doing the same.
    patiently(|| connection.execute_batch("PRAGMA journal_mode = WAL"))?;
    // FULL: a commit is on the disk when it returns, also when the power fails.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;",
        )
        .map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn foreign(place: &Place) -> Error {
    let path = match place {
        Place::File(path) => path.display().to_string(),
        Place::Memory => ":memory:".to_owned(),
    };
    Error::new(
        Code::StoreCorrupt,
        format!("`{path}` is a database of another program, and no store of adjutant's"),
    )
    .with_help("give a file that is not there yet, or a store; nothing was changed")
}

/// Tries until no other process is in the way.
fn patiently<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && begun.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result.map_err(fault),
        }
    }
}

/// Opens a connection that reads.
pub(crate) fn open_reader(path: &Path, vfs: Option<&str>) -> Result<Connection> {
    let connection = open(path, OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE, vfs)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4000;").map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags, vfs: Option<&str>) -> Result<Connection> {
    let opened = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    };
    let connection = opened.map_err(|error| {
        Error::new(Code::StoreUnavailable, format!("the store `{}` cannot be opened", path.display()))
            .caused_by(&error)
            .with_help("check that the folder exists and may be written to")
    })?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    // A statement is planned once; otherwise SQLite plans some anew for every value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fault)?;
    Ok(connection)
}

/// Whether an error only says that another process is writing.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// What an error of SQLite's means to us.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
pub(crate) fn fault(error: rusqlite::Error) -> Error {
    let (code, message, help) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            (Code::StoreFull, "the disk is full", "free some space; everything that was acknowledged is safe")
        }
        Some(ErrorCode::SystemIoFailure) if is_read(&error) => {
            (Code::StoreUnavailable, "the disk does not give the data", "check the disk; nothing was changed")
        }
        Some(ErrorCode::SystemIoFailure) => (
            Code::StoreFull,
            "the disk does not take the data",
            "check the disk and its space; everything that was acknowledged is safe",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            (Code::StoreUnavailable, "another process holds the store", "wait for it, or stop it")
        }
        Some(ErrorCode::OutOfMemory) => {
            (Code::StoreUnavailable, "the store has no memory left", "free some; nothing was changed")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
            Code::StoreUnavailable,
            "the store may not be written",
            "check the permissions of the file and its folder",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            Code::StoreCorrupt,
            "the file is not a store of adjutant's, or is damaged",
            "restore it from a backup, or use another file",
        ),
        _ => (Code::Internal, "the store does not answer as expected", "please report this"),
    };
    Error::new(code, message).caused_by(&error).with_help(help)
}

fn is_read(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ))
}
