//! Reads what people write by hand: a tree that knows its places, and a reader that reports everything at once.
//!
//! Front matter (YAML) and `adjutant.toml` become the same [`Node`]s. A [`Table`] is asked for the keys it may have,
//! notes what is wrong with them, and reports the keys that nobody asked for. So a file with three mistakes shows
//! three messages, each with line and column, whichever format it is written in.

mod mistake;
mod node;
mod problems;
mod table;
mod yaml;

pub use node::{Content, Entry, Node, Place};
pub use problems::Problems;
pub use table::Table;
pub use yaml::parse as parse_yaml;
