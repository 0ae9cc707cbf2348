//! Who asks, and what they may.

mod caller;
mod header;
mod keys;
mod token;

pub(crate) use caller::{Caller, Who};
pub(crate) use header::credential;
pub(crate) use keys::Keys;
