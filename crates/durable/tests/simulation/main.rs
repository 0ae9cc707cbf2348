//! The driver under simulated engines: random programs, virtual time, and a process that dies at any moment.
//!
//! The engine here is a second one, written from the contract of [`adjutant_durable::Session`] and independent of the
//! store's. [`world`] is what survives a crash (the journal, mail, the outside); [`activation`] is one activation of
//! the run in it; [`plan`] is a random program; [`verifier`] replays a journal to which nothing may be added.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it is wrong"
)]

mod activation;
mod divergence;
mod driving;
mod life;
mod outside;
mod plan;
mod properties;
mod random;
mod strategy;
mod verifier;
mod world;
