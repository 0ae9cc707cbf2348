//! What must hold of the file itself, read without the engine.

use std::path::Path;

use rusqlite::Connection;

/// Checks that a file is sound, that journals have no gaps, and that time does not go back in them.
pub(crate) fn check_file(path: &Path) {
    let connection = Connection::open(path).unwrap();
    // The machine under the test keeps its power; nobody need wait for it.
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    let number = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    if number("SELECT count(*) FROM sqlite_schema") == 0 {
        return;
    }
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let gaps = "SELECT count(*) FROM (SELECT count(*) AS records, max(id & 0xffffffff) AS last FROM journal GROUP BY id >> 32)
                WHERE records <> last + 1";
    assert_eq!(number(gaps), 0, "a journal has a gap");
    let without =
        "SELECT count(*) FROM runs r WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.id = r.id << 32)";
    assert_eq!(number(without), 0, "a run has no journal");
    let back = "SELECT count(*) FROM (SELECT at, lag(at) OVER (PARTITION BY id >> 32 ORDER BY id) AS before FROM journal)
                WHERE at < before";
    assert_eq!(number(back), 0, "time goes back in a journal");
    let epochs = "SELECT count(*) FROM (
                    SELECT CAST(meta AS INTEGER) AS epoch,
                           lag(CAST(meta AS INTEGER)) OVER (PARTITION BY id >> 32 ORDER BY id) AS before
                    FROM journal WHERE kind = 'activated') WHERE epoch <= before";
    assert_eq!(number(epochs), 0, "a run was driven under an epoch that was over");
    assert_eq!(number("SELECT count(*) FROM runs WHERE state = 'halted'"), 0, "a run halted");
}
