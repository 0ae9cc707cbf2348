//! A project as a service: over its own API, and over those that clients of models know already.
//!
//! [`Server`] takes connections. What a request passes is `endpoint`: who asks comes first (`access`), and gives the handler
//! the part of the service that is theirs (`tenants`). Around all of it stands `passage`, which keeps to what `limits` allow.
//! Handlers are in `api`, what goes on for long in `stream`.
//!
//! Clients that know OpenAI or Anthropic come by `gateway`: their formats are `openai` and `anthropic`, over what both have in
//! common (`wire`).

mod access;
mod anthropic;
mod api;
mod connection;
mod duties;
mod endpoint;
mod gateway;
mod limits;
mod metrics;
mod openai;
mod passage;
mod problem;
mod reference;
mod routes;
mod server;
mod service;
mod settings;
mod stream;
mod tenants;
mod webhook;
mod wire;

pub use connection::{Certificate, probe};
pub use limits::Rate;
pub use routes::openapi;
pub use server::Server;
pub use settings::Settings;
