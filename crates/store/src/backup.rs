//! Copies of a store that is being worked on, and putting one back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use rusqlite::{Connection, OpenFlags};

use crate::connection::{fault, is_busy};
use crate::folder;
use crate::schema;
use crate::store::Store;

/// How long a store is waited for that somebody may just be closing.
const CLOSING: Duration = Duration::from_millis(500);

impl Store {
    /// Writes a copy of the store as it is at one moment into a file that is not there yet, while runs go on. It is on disk when this
    /// returns.
    ///
    /// Fails with [`Code::InputInvalid`] for a store in memory, and as the disk does; then the file is not there.
    pub async fn back_up(&self, to: impl Into<PathBuf>) -> Result<()> {
        let Some(from) = self.path().map(Path::to_owned) else {
            return Err(Error::new(Code::InputInvalid, "a store in memory cannot be backed up"));
        };
        let to = to.into();
        let copy = tokio::task::spawn_blocking(move || {
            // Made first, so that what is removed below is never another's.
            new_file(&to)?;
            let copied = copy(&from, &to);
            if copied.is_err() {
                // A part of a copy must not be taken for one.
                let _ = std::fs::remove_file(&to);
            }
            copied
        });
        copy.await.map_err(|error| Error::new(Code::Internal, "the copying broke off").caused_by(&error))?
    }
}

fn new_file(path: &Path) -> Result<()> {
    match File::create_new(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::new(Code::Conflict, format!("`{}` is there already", path.display()))
                .with_help("name a file that is not there yet"))
        }
        Err(error) => Err(file(path, &error)),
    }
}

/// Copies a store into a file that is empty.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    source.busy_timeout(Duration::from_secs(10)).map_err(fault)?;
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(fault)?;
    let unsynced = |error| file(to, &error);
    File::open(to).and_then(|copy| copy.sync_all()).map_err(unsynced)?;
    folder::sync_holding(to).map_err(unsynced)
}

/// Checks that a file is a whole store that this program can read, without changing it. Returns what is wrong with it, one line each:
/// nothing where it is sound.
///
/// Fails with [`Code::StoreCorrupt`] for what is no store at all, and with [`Code::StoreNewer`].
pub fn check(path: &Path) -> Result<Vec<String>> {
    if !path.is_file() {
        return Err(Error::new(Code::NotFound, format!("there is no store `{}`", path.display())));
    }
    // Of a copy that nobody works on not even a log is made beside it.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(fault)?;
    schema::check_version(&connection, &path.display().to_string())?;
    let list = |statement: &str| -> Result<Vec<String>> {
        let mut select = connection.prepare(statement).map_err(fault)?;
        select.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(fault)
    };
    let mut wrong = list("PRAGMA integrity_check")?;
    wrong.retain(|line| line != "ok");
    let loose = list("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")?;
    wrong.extend(loose.into_iter().map(|table| format!("a row of `{table}` refers to nothing")));
    Ok(wrong)
}

/// Puts a copy of a store in the place of another, which is kept under another name, in one step: at every moment there is one whole
/// store in the place. Returns where the old one is, if there was one.
///
/// Fails with [`Code::Conflict`] while a process has the old one open, and as [`check`] does for the copy.
pub fn restore(copy: &Path, place: &Path, stamp: &str) -> Result<Option<PathBuf>> {
    if let Some(wrong) = check(copy)?.first() {
        return Err(Error::new(Code::StoreCorrupt, format!("`{}` is damaged: {wrong}", copy.display()))
            .with_help("use another backup; nothing was changed"));
    }
    if let Some(above) = place.parent().filter(|above| !above.as_os_str().is_empty()) {
        folder::make(above).map_err(|error| file(above, &error))?;
    }
    let beside = beside(place, "restoring");
    let put = || {
        std::fs::copy(copy, &beside)?;
        File::open(&beside)?.sync_all()
    };
    put().map_err(|error| file(&beside, &error))?;
    let replaced = replace(place, &beside, stamp);
    if replaced.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    replaced
}

fn replace(place: &Path, new: &Path, stamp: &str) -> Result<Option<PathBuf>> {
    let renamed = |error: &std::io::Error| file(place, error);
    let kept = beside(place, &format!("before-{stamp}"));
    if !place.exists() {
        log_aside(place, &kept)
            .and_then(|()| std::fs::rename(new, place))
            .and_then(|()| folder::sync_holding(place))
            .map_err(|error| renamed(&error))?;
        return Ok(None);
    }
    let held = hold(place)?;
    // Another name for the old one, and then the new one over it: the place is never empty.
    std::fs::hard_link(place, &kept).map_err(|error| renamed(&error))?;
    log_aside(place, &kept)
        .and_then(|()| std::fs::rename(new, place))
        .and_then(|()| folder::sync_holding(place))
        .map_err(|error| renamed(&error))?;
    drop(held);
    Ok(Some(kept))
}

/// Puts away what a store has not taken into its one file, under the name of that store: whatever stands in the place would take it for
/// its own.
fn log_aside(place: &Path, kept: &Path) -> std::io::Result<()> {
    let with = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    for ending in ["-wal", "-shm"] {
        match std::fs::rename(with(place, ending), with(kept, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Takes a store that nobody else has open, with everything of it in the one file.
fn hold(place: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(place, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    connection.busy_timeout(CLOSING).map_err(fault)?;
    let taken = || {
        // The log can be left only by one who is alone.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(mode)
    };
    let in_use = || {
        Error::new(Code::Conflict, format!("a process works on the store `{}`", place.display()))
            .with_help("stop it first; nothing was changed")
    };
    match taken() {
        Ok(mode) if mode.eq_ignore_ascii_case("delete") => Ok(connection),
        Ok(_) => Err(in_use()),
        Err(error) if is_busy(&error) => Err(in_use()),
        // One that is damaged is no reason not to put a whole one in its place; that is what a backup is for.
        Err(error) if fault_is_damage(&error) => Ok(connection),
        Err(error) => Err(fault(error)),
    }
}

fn fault_is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn beside(place: &Path, ending: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    PathBuf::from(name)
}

fn file(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::StoreFull,
        _ => Code::FileUnreadable,
    };
    Error::new(code, format!("`{}` cannot be written", path.display())).caused_by(error)
}
