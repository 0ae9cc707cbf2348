//! The one place that asks the machine for randomness.

use adjutant_core::id::{RunId, SessionId};
use adjutant_core::{Code, Error, Result};

/// Random bytes. Fails only where the operating system has no source of randomness.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Code::Internal, "the machine has no randomness").caused_by(&error))?;
    Ok(bytes)
}

/// A new id for a run.
pub fn run_id() -> Result<RunId> {
    bytes().map(RunId::from_bytes)
}

/// A new id for a session.
pub fn session_id() -> Result<SessionId> {
    bytes().map(SessionId::from_bytes)
}
