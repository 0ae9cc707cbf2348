//! Who asks, and what they may.

mod caller;
mod header;
mod keys;

pub(crate) use caller::Caller;
pub(crate) use header::credential;
pub(crate) use keys::Keys;
