//! Amazon's binary event stream, decoded as it arrives.
//!
//! The format (`application/vnd.amazon.eventstream`: a prelude, typed headers, a payload, two checksums) is decoded by
//! Amazon's own crate; here its frames become events.

use adjutant_core::{Code, Error, Result};
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::Message;
use bytes::{Buf, BytesMut};
use serde_json::json;

use crate::sse::Event;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Decodes a stream of frames from pieces of bytes, cut anywhere.
///
/// An event has the name that its frame's `:event-type` gives, an exception that of its `:exception-type`, and an error
/// that of its `:error-code`, with the message in the data: `{"message": "..."}`.
#[derive(Debug)]
pub struct Decoder {
    frames: MessageFrameDecoder,
    buffer: BytesMut,
    limit: usize,
}

impl Decoder {
    /// A decoder for frames of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { frames: MessageFrameDecoder::new(), buffer: BytesMut::new(), limit }
    }

    /// Takes the next bytes and returns the events that they complete. Fails with `model-answer-invalid` where a frame
    /// is larger than the limit or its checksum is wrong.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        loop {
            self.check_length()?;
            match self.frames.decode_frame(&mut self.buffer) {
                Ok(DecodedFrame::Complete(message)) => events.extend(event(&message)),
                Ok(DecodedFrame::Incomplete) => return Ok(events),
                Err(error) => return Err(invalid("has a frame that is damaged").caused_by(&error)),
            }
        }
    }

    /// Ends the stream. Fails with `model-answer-invalid` where a frame is not whole.
    pub fn finish(self) -> Result<()> {
        match self.buffer.has_remaining() {
            true => Err(invalid("breaks off within a frame")),
            false => Ok(()),
        }
    }

    /// Refuses a frame by the length that it claims, before any of it is kept.
    fn check_length(&self) -> Result<()> {
        let claimed =
            self.buffer.get(..4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(u32::from_be_bytes);
        match claimed {
            Some(length) if usize::try_from(length).is_ok_and(|length| length > self.limit) => {
                Err(invalid(&format!("has a frame of {length} bytes, which is more than {}", self.limit)))
            }
            _ => Ok(()),
        }
    }
}

fn event(message: &Message) -> Option<Event> {
    let header = |name: &str| {
        let found = message.headers().iter().find(|header| header.name().as_str() == name)?;
        found.value().as_string().ok().map(|text| text.as_str().to_owned())
    };
    let payload = || String::from_utf8_lossy(message.payload()).into_owned();
    match header(":message-type").as_deref() {
        Some("error") => Some(Event {
            name: header(":error-code").unwrap_or_default(),
            data: json!({"message": header(":error-message").unwrap_or_default()}).to_string(),
        }),
        Some("exception") => {
            Some(Event { name: header(":exception-type").unwrap_or_default(), data: payload() })
        }
        _ => header(":event-type").map(|name| Event { name, data: payload() }),
    }
}

fn invalid(what: &str) -> Error {
    Error::new(Code::ModelAnswerInvalid, format!("the provider's event stream {what}"))
}
