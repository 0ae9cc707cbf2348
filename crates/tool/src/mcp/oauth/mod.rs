//! Logging in to servers over HTTP: OAuth 2.1 as the Model Context Protocol uses it (revisions 2025-11-25, 2026-07-28).
//!
//! - `challenge.rs`, `metadata.rs`, `client.rs`, `request.rs` and `token.rs` are pure: what a server says, what is asked
//!   of it, and what its answers mean. `web.rs` carries requests, to addresses that may be asked and no others.
//! - `discovery.rs` finds out who gives tokens for a server. An [`Account`] logs in and out; a [`Listener`] hears the
//!   answer of the browser.
//! - `carrier.rs` carries requests, and `keeper.rs` has the token for each. It is renewed under the lock of its entry in
//!   the vault: a refresh token that changes with each use is lost where two processes use it at once.
//!
//! Tokens are nowhere but in the vault and in the requests that they belong into.

mod account;
mod carrier;
mod challenge;
mod client;
mod config;
mod discovery;
mod keeper;
mod listener;
mod login;
mod metadata;
mod request;
mod token;
mod web;

pub use account::{Account, Attempt};
pub(super) use carrier::{Carrier, Fault};
pub(super) use challenge::Challenge;
pub use config::{Config, Grant};
pub(super) use keeper::{Keeper, Sent};
pub use listener::Listener;
pub use login::Status;
pub(crate) use web::{Rules, Web};
