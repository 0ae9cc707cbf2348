//! Connections: how they are taken, and what keeps them from taking more than their share.

mod accept;
mod idle;
mod patient;
mod probe;
mod tls;

pub(crate) use accept::Listener;
pub use probe::probe;
pub use tls::Certificate;
pub(crate) use tls::Tls;
