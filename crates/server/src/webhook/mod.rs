//! Webhooks: messages from outside that begin runs ([`receive`]), and addresses that are told of what happens, each in the order in which it was recorded.
//!
//! The journal is the list of what is to be told: an address has a place in the order of what was recorded, which moves on when it has
//! taken what stands there. So nothing is lost with a process, and there is no second list. One process tells an address at a time.

mod deliver;
mod happening;
mod place;
mod receive;
mod stories;

pub(crate) use deliver::tell;
pub(crate) use place::{name, places};
pub(crate) use receive::receive;
