//! What providers share of HTTP: time limits, size limits, and what a failure means.
//!
//! No error, log, cassette or journal says a key. A [`Peer`] knows all that are in use with it, also those that are read
//! anew for each request; what a provider answers is blanked before anybody sees it, and shown to people only after
//! [`Peer::clean`] has gone over it.

mod authorize;
mod blanked;
mod body;
mod client;
mod exchange;
mod hidden;
mod peer;
mod refusal;
mod retry_after;
mod timeouts;
mod witness;

pub use authorize::{Authorize, KeyHeader, Renewal};
pub use body::Body;
pub use client::Client;
pub(crate) use client::secret_header;
pub use exchange::{Incoming, Outgoing, Transport};
pub use peer::Peer;
pub use refusal::{Complaint, refusal};
pub(crate) use refusal::{rate_limits, request_id};
pub use retry_after::retry_after;
pub use timeouts::Timeouts;
pub use witness::{Witness, Witnessed};
