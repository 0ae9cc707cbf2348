//! How the events of a stream are put on the wire.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;

/// One event, before it is put on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its name; none where the framing has events without names.
    pub(super) name: Option<String>,
    /// Its data.
    pub(super) data: String,
}

/// A way to put events on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    ServerSent,
    /// Amazon's binary event stream. A frame whose name ends with `Exception` is one.
    Amazon,
}

impl Framing {
    /// The content type of a stream.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::ServerSent => "text/event-stream",
            Self::Amazon => "application/vnd.amazon.eventstream",
        }
    }

    /// A frame on the wire.
    pub(super) fn write(self, frame: Frame) -> Bytes {
        match self {
            Self::ServerSent => server_sent(&frame),
            Self::Amazon => amazon(frame),
        }
    }
}

fn server_sent(Frame { name, data }: &Frame) -> Bytes {
    let data: String = data.split('\n').map(|line| format!("data: {line}\n")).collect();
    match name {
        Some(name) => format!("event: {name}\n{data}\n").into(),
        None => format!("{data}\n").into(),
    }
}

fn amazon(Frame { name, data }: Frame) -> Bytes {
    let name = name.unwrap_or_default();
    let (kind, named) = match name.ends_with("Exception") {
        true => ("exception", ":exception-type"),
        false => ("event", ":event-type"),
    };
    let header = |name: &'static str, value: String| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(data)
        .add_header(header(named, name))
        .add_header(header(":content-type", "application/json".to_owned()))
        .add_header(header(":message-type", kind.to_owned()));
    let mut wire = Vec::new();
    match write_message_to(&message, &mut wire) {
        Ok(()) => wire.into(),
        Err(error) => format!("the mock cannot write this event: {error}").into(),
    }
}
