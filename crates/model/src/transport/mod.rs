//! What providers share of HTTP: time limits, size limits, and what a failure means.
//!
//! No error says a key: what a provider wrote is shown only after [`Peer::clean`] has gone over it.

mod body;
mod client;
mod peer;
mod refusal;
mod retry_after;
mod timeouts;

pub use body::Body;
pub(crate) use client::secret_header;
pub use client::{Answer, Client, Post};
pub use peer::Peer;
pub(crate) use refusal::request_id;
pub use refusal::{Complaint, refusal};
pub use retry_after::retry_after;
pub use timeouts::Timeouts;
