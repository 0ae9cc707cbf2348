//! The tools of servers that speak the Model Context Protocol (MCP, revisions 2024-11-05 to 2026-07-28).
//!
//! - A [`Server`] is started, or reached over HTTP, when it is first needed, and again after it has died. It is killed
//!   with all that it started when nobody holds it any more.
//! - What it offers is an [`Offer`]. A person who accepts it makes it a [`Pin`]; [`Server::tools`] makes tools of a pin
//!   without asking the server. A tool that the server offers otherwise than it was pinned is not called.
//! - Whatever a server says is data of a stranger: bounded, cleaned of what cannot be seen, and labelled untrusted. It
//!   is told of no capability that we do not have: no roots and no sampling.
//! - What a server asks a person, and work that it goes on with by itself, leave a call [`Pending`](crate::Pending).

pub mod oauth;

mod change;
mod clean;
mod config;
mod connection;
mod content;
mod failure;
mod flight;
mod http;
mod listing;
mod offer;
mod process;
mod progress;
mod prompts;
mod question;
mod remote;
mod resources;
mod resume;
mod schema;
mod server;
mod stdio;
mod suspicion;

pub use change::{Change, changes};
pub use config::{Config, Http, Process, Transport};

pub use offer::{Offer, Pin, PinnedTool};
pub use server::Server;
pub use suspicion::suspicions;
