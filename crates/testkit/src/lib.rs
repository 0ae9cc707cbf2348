//! What the tests of Adjutant stand on.
//!
//! [`guarded`] is a server with tools behind a login, with its login server. [`provider`] is a server that speaks the interfaces of several vendors, checks every request that it gets, and
//! misbehaves on demand. It also runs as a process of its own, `mock-provider`, for benchmarks and for tests of the command line.

pub mod guarded;
pub mod provider;
