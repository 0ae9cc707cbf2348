//! SQLite on a disk whose power fails.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use adjutant_powerloss::{Call, Disk, Generator, Survivors};
use rusqlite::{Connection, ErrorCode, OpenFlags};

const PATIENCE: Duration = Duration::from_secs(5);

fn open(disk: &Disk, path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), disk.name())?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 20;
         CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, filler TEXT) STRICT;"
    ))?;
    Ok(connection)
}

/// The rows that are there, without the disk in between. None if the file is damaged.
fn rows(path: &Path) -> Option<i64> {
    let connection = Connection::open(path).unwrap();
    // The machine under the test keeps its power; nobody need wait for it.
    connection.pragma_update(None, "synchronous", "OFF").ok()?;
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).ok()?;
    assert_eq!(check, "ok");
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 't'", [], |row| row.get(0))
        .ok()?;
    if tables == 0 {
        return Some(0);
    }
    let gapless = "SELECT count(*), coalesce(max(id), 0) FROM t";
    let (count, max): (i64, i64) =
        connection.query_row(gapless, [], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
    (count == max).then_some(max)
}

/// Inserts rows until the power fails; returns how many were acknowledged.
fn insert(connection: &Connection, from: i64) -> i64 {
    let mut last = from;
    while connection.execute("INSERT INTO t VALUES (?1, ?2)", (last + 1, "x".repeat(900))).is_ok() {
        last += 1;
    }
    last
}

/// Lets the power fail again and again; counts the lives in which acknowledged rows were lost or the file damaged.
fn losses(name: &str, synchronous: &str, lives: u64) -> u64 {
    let disk = Disk::register(name).unwrap();
    let mut random = Generator::new(1);
    let mut losses = 0;
    for life in 0..lives {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut acknowledged = 0;
        for _ in 0..4 {
            disk.fail_power_after(random.below(120), Survivors::random(random.number()));
            if let Ok(connection) = open(&disk, &path, synchronous) {
                acknowledged = insert(&connection, acknowledged);
            }
            assert!(!disk.has_power());
            assert!(disk.restore_power(PATIENCE), "life {life}: files are still open");
            match rows(&path) {
                // One more may be there than was acknowledged: its commit was under way.
                Some(rows) if rows == acknowledged || rows == acknowledged + 1 => acknowledged = rows,
                _ => {
                    losses += 1;
                    break;
                }
            }
        }
    }
    losses
}

#[test]
fn synced_commits_survive_and_others_do_not() {
    assert_eq!(losses("full", "FULL", 60), 0);
    assert!(losses("off", "OFF", 20) > 5, "the check would not see a loss");
    assert!(losses("normal", "NORMAL", 20) > 5, "the check would not see a loss");
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = Disk::register("room").unwrap();
    let connection = open(&disk, &path, "FULL").unwrap();
    disk.set_space(Some(100_000));
    let last = insert(&connection, 0);
    let error = connection.execute("INSERT INTO t VALUES (0, zeroblob(50000))", []).unwrap_err();
    assert_eq!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation),
        "only the type is wrong: {error}"
    );
    let error = connection.execute("INSERT INTO t VALUES (-1, ?1)", ["y".repeat(50_000)]).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull));
    assert!(last > 10);
    disk.set_space(None);
    connection.execute("INSERT INTO t VALUES (?1, 'x')", [last + 1]).unwrap();
    drop(connection);
    assert_eq!(rows(&path), Some(last + 1));
}

#[test]
fn calls_fail_when_asked_to_and_harm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = Disk::register("calls").unwrap();
    let mut random = Generator::new(3);
    let mut acknowledged = 0;
    let mut failed = 0;
    for _ in 0..40 {
        let connection = open(&disk, &path, "FULL").unwrap();
        let call = [Call::Write, Call::Sync, Call::Read][usize::try_from(random.below(3)).unwrap()];
        disk.fail(call, random.below(6), 1 + random.below(2));
        for _ in 0..8 {
            let result = connection.execute("INSERT INTO t VALUES (?1, 'x')", [acknowledged + 1]);
            match result.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
                Ok(_) => acknowledged += 1,
                Err(Some(ErrorCode::SystemIoFailure)) => failed += 1,
                Err(other) => panic!("{other:?} {result:?}"),
            }
        }
        disk.heal();
        drop(connection);
        assert_eq!(rows(&path), Some(acknowledged));
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_read_that_is_cut_short_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = Disk::register("short").unwrap();
    let connection = open(&disk, &path, "FULL").unwrap();
    connection.execute("INSERT INTO t VALUES (1, 'x')", []).unwrap();
    let reader = Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), disk.name()).unwrap();
    disk.fail(Call::ShortRead, 1, u64::MAX);
    let count = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))
    };
    assert!(count(&reader).is_err());
    disk.heal();
    assert_eq!(count(&reader), Ok(1));
}

#[test]
fn a_deleted_log_may_come_back_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let log = folder.path().join("a.db-wal");
    let disk = Disk::register("ghost").unwrap();
    let connection = open(&disk, &path, "FULL").unwrap();
    for id in 1..=3 {
        connection.execute("INSERT INTO t VALUES (?1, 'x')", [id]).unwrap();
    }
    assert!(log.exists());
    drop(connection);
    assert!(!log.exists(), "the last connection takes the log with it");
    disk.fail_power(Survivors::Nothing);
    assert!(log.exists(), "its folder was not synced");
    assert_eq!(rows(&path), Some(3));
}
