//! What goes on for long: a run as a stream of events, over server-sent events or a WebSocket.
//!
//! A stream is pulled: nothing is read of a run before the client has taken what came before, so a slow one keeps nothing in memory
//! and holds up nobody but itself.

mod events;
mod frame;
mod position;
mod socket;

pub(crate) use events::Events;
pub(crate) use position::Position;
pub(crate) use socket::Socket;
