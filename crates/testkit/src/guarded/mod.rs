//! A server of the Model Context Protocol behind a login (OAuth 2.1), and the login server that gives tokens for it.
//!
//! Both stand at one port of this machine: [`Guarded`]. Every request of a login is checked, as strictly as the
//! protocol allows; what is wrong with one is answered with status 400 and remembered. A [`Twist`] makes either server
//! misbehave.

mod authorize;
mod description;
mod resource;
mod server;
mod state;
mod token;
mod twist;

pub use server::Guarded;
pub use state::Seen;
pub use twist::Twist;
