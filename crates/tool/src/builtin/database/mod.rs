//! `query_database` and lookups: questions to a SQLite file that nobody can change through them.

mod connection;
mod lookup;
mod query;
mod rows;

use std::path::PathBuf;
use std::time::Duration;

pub use lookup::{Lookup, lookup};
pub use query::query_database;

/// A SQLite file, and how much of it one answer may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file. It must exist.
    pub path: PathBuf,
    /// The most rows of one answer.
    pub rows: usize,
    /// The largest answer, in bytes of JSON.
    pub bytes: usize,
    /// How long one query may take.
    pub timeout: Duration,
}

impl Config {
    /// The file with the usual limits: 200 rows, 64 KiB, 10 seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), rows: 200, bytes: 64 << 10, timeout: Duration::from_secs(10) }
    }
}
