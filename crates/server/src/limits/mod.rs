//! How much is asked of a service: how often, by whom, and how much at the same time.

mod bucket;
mod meter;
mod traffic;

pub use bucket::Rate;
pub(crate) use bucket::Standing;
pub(crate) use traffic::Traffic;
