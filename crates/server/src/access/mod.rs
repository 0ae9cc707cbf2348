//! Who asks, and what they may.

mod caller;
mod header;

pub(crate) use caller::{Caller, Who};
pub(crate) use header::credential;
