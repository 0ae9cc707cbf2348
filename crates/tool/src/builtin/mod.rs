//! The tools that come with Adjutant. Each is off until an agent names it and its configuration is given.

mod artifacts;
mod blocking;
pub mod calculate;
pub mod database;
pub mod fetch;
pub mod files;
mod now;
pub mod script;

pub use artifacts::artifacts;
pub use calculate::calculate;
pub use database::{lookup, query_database};
pub use fetch::fetch;
pub use files::{files, files_read};
pub use now::now;
pub use script::script;
