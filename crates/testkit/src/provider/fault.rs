//! How a provider misbehaves.

use std::time::Duration;

use serde_json::Value;

/// A way in which a provider misbehaves.
///
/// Where it counts events, an answer that is not streamed counts pieces of 32 bytes instead.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It refuses, with a status and a message, in the interface's own form.
    Refuse(u16, String),
    /// It refuses, with a status and a body that is sent as it is, as JSON.
    Status(u16, String),
    /// It accepts, and sends nothing for so long.
    SlowFirstByte(Duration),
    /// It takes the request and never answers, not even with a status.
    Never,
    /// It sends one byte at a time.
    Trickle,
    /// It stops after so many events and keeps the connection open.
    Stall(usize),
    /// It ends the body so long after the last event.
    LateEnd(Duration),
    /// It breaks the connection after so many events.
    Cut(usize),
    /// It ends the body properly after so many events, without the end of the answer.
    Unfinished(usize),
    /// It sends one event and half of the next, and ends.
    HalfJson,
    /// It sends an event that is no JSON.
    Garbage,
    /// It never stops sending text.
    Endless,
    /// It sends a byte-order mark first.
    ByteOrderMark,
    /// It sends the right body under this content type.
    ContentType(String),
    /// It answers whole though a stream was asked for.
    Whole,
    /// It sends an error within the stream, after so many events, in the interface's own form for a status and a message.
    Fail(usize, u16, String),
    /// It sends this as an event of its own, after so many events, and ends.
    ErrorEvent(usize, Value),
    /// It sends this body with status 200 under this content type.
    Body(String, String),
}
