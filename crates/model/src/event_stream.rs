//! Amazon's binary event stream, decoded as it arrives.
//!
//! The format (`application/vnd.amazon.eventstream`: a prelude, typed headers, a payload, two checksums) is decoded by
//! Amazon's own crate; here its frames are cut out of the bytes and become events.

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::BytesMut;
use serde_json::{Map, Value};

use crate::sse::Event;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The name of an event that says what went wrong.
///
/// Its data is the payload, if that is a JSON object, with a `type` (the frame's `:exception-type` or `:error-code`) and
/// a `message`.
pub const EXCEPTION: &str = "exception";

/// Two lengths and their checksum stand before everything else, and a checksum of the whole stands behind it.
const SHORTEST_FRAME: usize = 16;

/// Decodes a stream of frames from pieces of bytes, cut anywhere.
///
/// An event has the name that its frame's `:event-type` gives; exceptions and errors are called [`EXCEPTION`].
#[derive(Debug)]
pub struct Decoder {
    /// From the beginning of a frame.
    buffer: BytesMut,
    limit: usize,
}

impl Decoder {
    /// A decoder for frames of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Takes the next bytes and adds the events that they complete, also those before a failure. Fails with
    /// `model-answer-invalid` where a frame is larger than the limit or damaged.
    pub fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        while let Some(length) = self.frame_length()?
            && length <= self.buffer.len()
        {
            let frame = self.buffer.split_to(length).freeze();
            let message = read_message_from(frame)
                .map_err(|error| invalid("has a frame that is damaged").caused_by(&error))?;
            events.extend(event(&message));
        }
        Ok(())
    }

    /// Ends the stream. Fails with `model-answer-invalid` where a frame is not whole.
    pub fn finish(self) -> Result<()> {
        match self.buffer.is_empty() {
            true => Ok(()),
            false => Err(invalid("breaks off within a frame")),
        }
    }

    /// The length of the next frame, once enough of it is there; refused by what it claims, before any more is kept.
    fn frame_length(&self) -> Result<Option<usize>> {
        let Some(claimed) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let claimed = usize::try_from(u32::from_be_bytes(*claimed)).unwrap_or(usize::MAX);
        if claimed > self.limit {
            return Err(invalid(&format!(
                "has a frame of {claimed} bytes, which is more than {}",
                self.limit
            )));
        }
        if claimed < SHORTEST_FRAME {
            return Err(invalid(&format!("has a frame of {claimed} bytes, and none can be so short")));
        }
        Ok(Some(claimed))
    }
}

fn event(message: &Message) -> Option<Event> {
    let header = |name: &str| {
        let found = message.headers().iter().find(|header| header.name().as_str() == name)?;
        found.value().as_string().ok().map(|text| text.as_str().to_owned())
    };
    let payload = || String::from_utf8_lossy(message.payload()).into_owned();
    match header(":message-type").as_deref() {
        Some("exception") => Some(exception(header(":exception-type"), None, &payload())),
        Some("error") => Some(exception(header(":error-code"), header(":error-message"), &payload())),
        _ => header(":event-type").map(|name| Event { name, data: payload() }),
    }
}

fn exception(kind: Option<String>, message: Option<String>, payload: &str) -> Event {
    let mut data: Map<String, Value> = serde_json::from_str(payload).unwrap_or_default();
    // Some of Amazon's services write it with a capital letter.
    let said = message.map(Value::from).or_else(|| data.remove("message")).or_else(|| data.remove("Message"));
    let said = said.filter(Value::is_string).unwrap_or_else(|| payload.into());
    data.insert("message".into(), said);
    data.insert("type".into(), kind.unwrap_or_default().into());
    Event { name: EXCEPTION.to_owned(), data: Json::from(Value::Object(data)).to_string() }
}

fn invalid(what: &str) -> Error {
    Error::new(Code::ModelAnswerInvalid, format!("the provider's event stream {what}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1 << 16;

    fn vector(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/event-stream");
        std::fs::read(folder.join(name)).unwrap()
    }

    fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
        let mut message = Message::new(payload.to_owned());
        for (name, value) in headers {
            message = message
                .add_header(Header::new((*name).to_owned(), HeaderValue::String((*value).to_owned().into())));
        }
        let mut wire = Vec::new();
        write_message_to(&message, &mut wire).unwrap();
        wire
    }

    /// The events of pieces, one after the other.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>> {
        let (events, result) = decode_some(pieces);
        result.map(|()| events)
    }

    /// The same, with the events before a failure.
    fn decode_some<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Result<()>) {
        let mut decoder = Decoder::new(LIMIT);
        let mut events = Vec::new();
        let fed = pieces.into_iter().try_for_each(|piece| decoder.feed(piece, &mut events));
        let result = fed.and_then(|()| decoder.finish());
        (events, result)
    }

    fn shown(events: &[Event]) -> Vec<String> {
        events.iter().map(|event| format!("{} {}", event.name, event.data)).collect()
    }

    #[test]
    fn the_published_vectors_are_read() {
        for name in ["valid_empty_payload", "valid_no_headers", "valid_with_all_headers_and_payload"] {
            assert_eq!(decode([vector(name).as_slice()]), Ok(vec![]), "{name}: it names no event");
        }
        let invalid = [
            "invalid_header_name_length",
            "invalid_header_name_length_too_long",
            "invalid_header_string_length_cut_off",
            "invalid_header_string_value_length",
            "invalid_header_value_type",
            "invalid_headers_length",
            "invalid_message_checksum",
            "invalid_prelude_checksum",
        ];
        for name in invalid {
            let error = decode([vector(name).as_slice()]).unwrap_err();
            assert_eq!(error.code(), Code::ModelAnswerInvalid, "{name}: {error}");
        }
    }

    #[test]
    fn what_amazon_sends_is_read_wherever_it_is_cut() {
        let cases = [
            ("bedrock_generated_text", 6),
            ("bedrock_generated_exception", 3),
            ("bedrock_generated_error", 1),
        ];
        for (name, count) in cases {
            let bytes = vector(name);
            let whole = decode([bytes.as_slice()]).unwrap();
            assert_eq!(whole.len(), count, "{name}: {whole:?}");
            for cut in 0..=bytes.len() {
                let (before, after) = bytes.split_at(cut);
                assert_eq!(decode([before, after]).as_ref(), Ok(&whole), "{name} cut at {cut}");
            }
            assert_eq!(decode(bytes.chunks(1)).as_ref(), Ok(&whole), "{name} by bytes");
        }
    }

    #[test]
    fn frames_become_events() {
        let exception =
            |kind, payload| frame(&[(":message-type", "exception"), (":exception-type", kind)], payload);
        let error = frame(
            &[(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "oops")],
            "",
        );
        let cases = [
            (frame(&[(":message-type", "event"), (":event-type", "x")], "{}"), "x {}"),
            (frame(&[(":event-type", "x")], "no JSON"), "x no JSON"),
            (
                exception("throttlingException", r#"{"message":"slow down"}"#),
                r#"exception {"message":"slow down","type":"throttlingException"}"#,
            ),
            (
                exception("modelStreamErrorException", r#"{"Message":"m","originalStatusCode":500}"#),
                r#"exception {"message":"m","originalStatusCode":500,"type":"modelStreamErrorException"}"#,
            ),
            (exception("e", "plain"), r#"exception {"message":"plain","type":"e"}"#),
            (error, r#"exception {"message":"oops","type":"InternalError"}"#),
        ];
        for (bytes, expected) in cases {
            assert_eq!(shown(&decode([bytes.as_slice()]).unwrap()), [expected]);
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_at_once() {
        let says = |length: u32| {
            Decoder::new(LIMIT).feed(&length.to_be_bytes(), &mut vec![]).unwrap_err().to_string()
        };
        assert!(says(u32::MAX).contains("which is more than 65536"), "{}", says(u32::MAX));
        assert!(says(15).contains("none can be so short"), "{}", says(15));
        let unfinished = decode([&frame(&[(":event-type", "x")], "{}")[..20]]).unwrap_err();
        assert!(unfinished.message().ends_with("breaks off within a frame"), "{unfinished}");
    }

    proptest! {
        #[test]
        fn any_cuts_give_the_same_events(
            payloads in prop::collection::vec("\\PC{0,40}", 1..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes: Vec<u8> =
                payloads.iter().flat_map(|payload| frame(&[(":event-type", "x")], payload)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let events = decode(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])).unwrap();
            let data: Vec<String> = events.into_iter().map(|event| event.data).collect();
            prop_assert_eq!(data, payloads);
        }

        #[test]
        fn damage_is_noticed_and_never_panics(
            payload in "\\PC{0,40}",
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let whole = frame(&[(":event-type", "x"), (":message-type", "event")], &payload);
            let mut damaged = whole.clone();
            damaged[at.index(whole.len())] ^= flip;
            let bytes = [whole, damaged].concat();
            let (events, result) = decode_some([bytes.as_slice()]);
            prop_assert_eq!(result.as_ref().unwrap_err().code(), Code::ModelAnswerInvalid);
            prop_assert_eq!(events.len(), 1, "what came before is kept");
            prop_assert_eq!(decode_some(bytes.chunks(3)), (events, result));
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode_some(bytes.chunks(7)), decode_some([bytes.as_slice()]));
        }

        /// The lengths and the checksums are right, so that what lies behind them is looked at.
        #[test]
        fn noise_under_right_checksums_never_panics(
            headers in prop::collection::vec(any::<u8>(), 0..60),
            payload in prop::collection::vec(any::<u8>(), 0..20),
            claimed in prop::option::of(0u32..100),
        ) {
            let length = |bytes: usize| u32::try_from(bytes).unwrap();
            let mut bytes = Vec::new();
            bytes.extend(length(headers.len() + payload.len() + SHORTEST_FRAME).to_be_bytes());
            bytes.extend(claimed.unwrap_or(length(headers.len())).to_be_bytes());
            bytes.extend(crc32(&bytes).to_be_bytes());
            bytes.extend(headers);
            bytes.extend(payload);
            bytes.extend(crc32(&bytes).to_be_bytes());
            let _ = decode([bytes.as_slice()]);
        }
    }

    /// The checksum of the format: that of zlib.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
            })
        })
    }
}
