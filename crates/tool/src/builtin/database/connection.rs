//! A connection that can only read.

use std::path::Path;
use std::time::Instant;

use adjutant_core::{Code, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use tokio_util::sync::CancellationToken;

/// The largest value that SQLite may build in memory, in bytes.
const LARGEST_VALUE: i32 = 8 << 20;

/// The longest query, in bytes.
const LONGEST_QUERY: i32 = 100_000;

/// How many instructions of SQLite's machine run between two looks at the clock.
const INSTRUCTIONS: i32 = 1_000;

/// Opens the file so that nothing can be changed: by the flags of the file, by `query_only`, and by an authorizer that
/// admits nothing but reading. Fails with [`Code::ToolInvalid`].
pub(super) fn open(path: &Path) -> Result<Connection> {
    let fault = |error: &rusqlite::Error| {
        Error::new(Code::ToolInvalid, format!("the database `{}` cannot be read", path.display()))
            .caused_by(error)
    };
    let prepared = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE)?;
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_QUERY)?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        connection.authorizer(Some(authorize))?;
        // The first read finds out whether the file is a database at all.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    prepared().map_err(|error| fault(&error))
}

/// Makes every query end at the deadline, or when nobody waits for it.
pub(super) fn limit(
    connection: &mut Connection,
    deadline: Instant,
    stop: CancellationToken,
) -> rusqlite::Result<()> {
    connection.progress_handler(INSTRUCTIONS, Some(move || stop.is_cancelled() || Instant::now() >= deadline))
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } if !function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

/// The tables and views as they were created, for a model that is to write queries; at most `bytes` of it.
pub(super) fn describe(connection: &Connection, bytes: usize) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(
        "SELECT sql FROM sqlite_schema WHERE type IN ('table', 'view') AND sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' \
         ESCAPE '\\' ORDER BY name",
    )?;
    let mut text = String::new();
    for table in statement.query_map([], |row| row.get::<_, String>(0))? {
        let table = table?;
        if text.len() + table.len() > bytes {
            text.push_str("\n... and more: ask sqlite_schema");
            break;
        }
        text.push('\n');
        text.push_str(&table);
        text.push(';');
    }
    Ok(text)
}
