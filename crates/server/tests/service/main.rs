//! The service as clients meet it: over a real connection.

// Says to clippy that all of it, not only what is marked `#[test]`, may panic.
#![cfg(test)]

mod access;
mod administration;
mod approvals;
mod catalogue;
mod contract;
mod decisions;
mod document;
mod guide;
mod http2;
mod isolation;
mod kit;
mod lists;
mod passage;
mod reference;
mod rights;
mod runs;
mod secure;
mod streams;
mod tokens;
mod versions;
mod webhooks;
mod wire;
