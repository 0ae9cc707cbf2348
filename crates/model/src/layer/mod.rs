//! What stands around a model: each layer is itself a [`Model`](crate::Model), and [`Layers`] puts them together.
//!
//! None of them tries again after a part of an answer was delivered. Time limits are the transport's
//! ([`Timeouts`](crate::transport::Timeouts)), money is the ledger's.

mod begun;
pub mod breaker;
pub mod cache;
mod chance;
mod fallback;
mod kept;
pub mod limit;
pub mod retry;
mod stack;
mod tally;

pub use fallback::Fallback;
pub use kept::Kept;
pub use stack::Layers;
pub use tally::{Asked, tally};
