//! What every provider holds to, whatever its interface: one suite over the mock, which checks every request.
//!
//! A new provider is a line in `subject.rs`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod answers;
mod failures;
mod requests;
mod subject;
