//! The tools of a project: what is written about them, and what is built from it.

mod adapted;
mod command;
mod login;
mod mcp;
mod openapi;
mod parameters;
mod sandbox;
mod sets;
mod settings;

pub use settings::{ToolKind, ToolSettings};

pub(super) use command::words;
pub(super) use sandbox::{default_in, read_defaults};
pub(super) use sets::Toolsets;
pub(super) use settings::read;
