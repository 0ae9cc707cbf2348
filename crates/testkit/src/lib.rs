//! What the tests of Adjutant stand on.
//!
//! [`guarded`] is a server with tools behind a login, with its login server. [`provider`] is a server that speaks the interfaces of several vendors, checks every request that it gets, and
//! misbehaves on demand. [`tunnel`] puts TLS before any of them. It also runs as a process of its own, `mock-provider`, for benchmarks and for tests of the command line.

pub mod guarded;
pub mod provider;
pub mod tunnel;
