//! What the processes say to each other: one JSON text a line, each bounded.

use std::io::{self, BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::program::Program;

/// The version of the messages.
pub(super) const VERSION: u32 = 1;

/// The longest line that the child is sent, in bytes: a result of a call stands in one.
pub(super) const LONGEST_GIVEN: u64 = 256 << 20;

/// The longest line that the child may write, in bytes.
pub(super) const LONGEST_SAID: u64 = 32 << 20;

/// The first line that the child is sent.
#[derive(Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) version: u32,
    pub(super) program: Program,
}

/// The first line that the child writes, once it has given up what it does not need.
#[derive(Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) version: u32,
    pub(super) engine: String,
    /// What could not be given up, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unconfined: Option<String>,
}

/// Reads a line. Fails when there is none, when it is too long, and when it is something else.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl BufRead, longest: u64) -> io::Result<T> {
    let mut line = Vec::new();
    from.by_ref().take(longest).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    serde_json::from_slice(&line).map_err(io::Error::from)
}

/// Writes a line.
pub(super) fn write<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}
