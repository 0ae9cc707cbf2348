//! Runs and their journals in one SQLite file, and the engine that drives them: several processes on one machine may
//! share the file.
//!
//! - [`Store`] opens the file; [`Store::engine`] gives the [`Engine`](adjutant_durable::Engine) of one tenant and
//!   project, [`Store::directory`] what stands over all tenants.
//! - `writer` is the one thread that writes: it commits everything that waits in one transaction, so that a full sync
//!   to disk costs many runs no more than one.
//! - `codec` turns records into rows; `append` is what a session hands to the writer, behind the fence of its epoch.
//! - `worker` claims runs and gives each a `session`; `effects` does their work; `lease` tells which processes live.
//!
//! This is the only crate with SQL of Adjutant's own.

mod append;
mod audit;
pub mod backup;
mod budget;
mod busy;
mod chain;
mod claim;
mod clock;
mod codec;
mod connection;
mod day;
mod deeds;
mod directory;
mod document;
mod effects;
mod engine;
mod erase;
mod folder;
mod fork;
mod grant;
mod key;
mod lease;
mod listing;
mod owed;
mod query;
pub mod random;
#[cfg_attr(not(unix), path = "silence.rs")]
mod relay;
mod schema;
mod session;
mod spending;
mod store;
mod trigger;
mod version;
mod watcher;
mod worker;
mod writer;

pub use clock::SystemClock;
pub use store::{Daily, Options, Store};
