//! A project as a service: over its own API, and over those that clients of models know already.
//!
//! [`Server`] takes connections. What a request passes is [`endpoint`]: who asks comes first ([`access`]), and gives the handler
//! the part of the service that is theirs ([`tenants`]). Handlers are in [`api`], what goes on for long in [`stream`].

mod access;
#[expect(dead_code, reason = "its routes are not mounted yet")]
mod anthropic;
mod api;
mod duties;
mod endpoint;
#[expect(dead_code, reason = "its routes are not mounted yet")]
mod openai;
mod problem;
mod routes;
mod server;
mod service;
mod settings;
mod stream;
mod tenants;
#[expect(dead_code, reason = "its routes are not mounted yet")]
mod wire;

pub use routes::openapi;
pub use server::Server;
pub use settings::Settings;
