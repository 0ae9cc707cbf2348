//! A SQLite file system for tests whose power fails.
//!
//! [`Disk::register`] puts a layer over SQLite's own file system. It hands everything through to real files, and
//! remembers of each sector of 512 bytes what it held before every change that was not followed by a sync. When the
//! power fails, the real files become what a disk could hold at that moment: nothing of what was not synced, a part
//! of it in order, or any mixture of old and new sectors ([`Survivors`]). New files whose entry in the folder was never
//! synced may be gone, and deleted ones may be back.
//!
//! From then on every connection that was open gets errors, as if its process were gone. When all are closed,
//! [`Disk::restore_power`] lets new ones in.
//!
//! The same layer makes a disk that is full ([`Disk::set_space`]) or that fails at a call of one's choice
//! ([`Disk::fail`]).
//!
//! ```
//! use adjutant_powerloss::{Disk, Survivors};
//! use rusqlite::{Connection, OpenFlags};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("a.db");
//! let disk = Disk::register("example")?;
//! let open = || Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), disk.name());
//!
//! let connection = open()?;
//! connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (x)")?;
//! disk.fail_power(Survivors::Nothing);
//! assert!(connection.execute_batch("INSERT INTO t VALUES (1)").is_err());
//! drop(connection);
//!
//! assert!(disk.restore_power(std::time::Duration::from_secs(1)));
//! let tables: i64 = open()?.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
//! assert_eq!(tables, 0);
//! # Ok(())
//! # }
//! ```

mod disk;
mod fault;
mod generator;
mod history;
mod survivors;
mod vfs;

pub use disk::{Counts, Disk};
pub use fault::Call;
pub use generator::Generator;
pub use survivors::Survivors;
