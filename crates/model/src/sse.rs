//! Server-sent events, decoded as they arrive.
//!
//! The format is the one of the HTML standard, section 9.2 (event streams). Where the standard throws an unfinished
//! last event away, [`Decoder::finish`] returns it: some servers forget the last empty line. Lines of bare JSON, which are
//! no fields, are an event's data too: some servers write an error so, after the events.

use std::borrow::Cow;

use adjutant_core::{Code, Error, Result};
use memchr::memchr2;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type; empty where the server names none.
    pub name: String,
    /// Its data lines, joined by line feeds.
    pub data: String,
}

/// Decodes a stream of events from pieces of bytes, cut anywhere.
#[derive(Debug)]
pub struct Decoder {
    /// The line that is not complete yet.
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The event is bare JSON: every line up to an empty one belongs to it.
    is_bare: bool,
    /// The last byte was a carriage return: a line feed next belongs to it.
    after_return: bool,
    /// A byte-order mark may stand before the first line.
    at_start: bool,
    limit: usize,
}

impl Decoder {
    /// A decoder for events of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            event: Event::default(),
            has_data: false,
            is_bare: false,
            after_return: false,
            at_start: true,
            limit,
        }
    }

    /// Takes the next bytes and adds the events that they complete, also those before a failure. Fails with
    /// `model-answer-invalid` where an event is larger than the limit.
    pub fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let mut rest = bytes;
        if !rest.is_empty() && std::mem::take(&mut self.after_return) {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, after) = rest.split_at(end);
            self.check(line)?;
            events.extend(self.end_line(line));
            self.after_return = after == b"\r";
            rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
        }
        self.check(rest)?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    /// Ends the stream and returns the event that no empty line has completed.
    pub fn finish(mut self) -> Option<Event> {
        let last = if self.line.is_empty() { None } else { self.end_line(&[]) };
        last.or_else(|| self.dispatch())
    }

    /// Refuses bytes that make an event too large.
    fn check(&self, bytes: &[u8]) -> Result<()> {
        if self.line.len() + self.event.data.len() + bytes.len() > self.limit {
            let limit = self.limit;
            return Err(Error::new(
                Code::ModelAnswerInvalid,
                format!("an event of the provider's stream is larger than {limit} bytes"),
            ));
        }
        Ok(())
    }

    /// Takes the end of a line, which most often is the whole of it.
    fn end_line(&mut self, end: &[u8]) -> Option<Event> {
        if self.line.is_empty() {
            return self.take_line(end);
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(end);
        self.take_line(&line)
    }

    fn take_line(&mut self, line: &[u8]) -> Option<Event> {
        // What is text, as nearly everything is, is told so faster than with a look at every sign.
        let text = match str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        let text = match std::mem::take(&mut self.at_start) {
            true => text.strip_prefix('\u{feff}').unwrap_or(&text),
            false => &text,
        };
        if text.is_empty() {
            return self.dispatch();
        }
        self.is_bare |= !self.has_data && text.starts_with(['{', '[']);
        if self.is_bare {
            self.add_data(text);
            return None;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.add_data(value),
            "event" => value.clone_into(&mut self.event.name),
            // Comments have an empty field name; ids and retry times are of no use where nobody reconnects.
            _ => {}
        }
        None
    }

    fn add_data(&mut self, line: &str) {
        if std::mem::replace(&mut self.has_data, true) {
            self.event.data.push('\n');
        }
        self.event.data.push_str(line);
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.is_bare = false;
        let event = std::mem::take(&mut self.event);
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The events of chunks, up to the one that is too large; and whether there was none.
    fn decode(limit: usize, chunks: &[&[u8]]) -> (Vec<Event>, bool) {
        let mut decoder = Decoder::new(limit);
        let mut events = Vec::new();
        for chunk in chunks {
            if decoder.feed(chunk, &mut events).is_err() {
                return (events, false);
            }
        }
        events.extend(decoder.finish());
        (events, true)
    }

    #[test]
    fn streams_are_read_as_the_standard_says() {
        let cases: [(&str, &[(&str, &str)]); 17] = [
            ("", &[]),
            ("data: a\n\n", &[("", "a")]),
            ("data:a\r\n\r\ndata: b\r\r", &[("", "a"), ("", "b")]),
            ("data: a\ndata: b\n\n", &[("", "a\nb")]),
            ("data\ndata\n\n", &[("", "\n")]),
            ("data\n\n", &[("", "")]),
            ("event: x\ndata:  a\n\n", &[("x", " a")]),
            ("event: x\n\ndata: a\n\n", &[("", "a")]),
            (": comment\n\ndata: a\n\n", &[("", "a")]),
            ("\u{feff}data: a\n\n", &[("", "a")]),
            ("data: a\n\n\u{feff}data: b\n\n", &[("", "a")]),
            ("data: a", &[("", "a")]),
            ("id: 1\nretry: 5\nunknown: 2\n\n", &[]),
            ("data: ü€𝄞\n\n", &[("", "ü€𝄞")]),
            ("data: a\n\n{\n  \"error\": 1\n}\n", &[("", "a"), ("", "{\n  \"error\": 1\n}")]),
            ("[{}]\n\ndata: a\n\n", &[("", "[{}]"), ("", "a")]),
            ("data: a\n{}\n\n", &[("", "a")]),
        ];
        for (text, expected) in cases {
            let event = |(name, data): &(&str, &str)| Event { name: (*name).into(), data: (*data).into() };
            let expected = expected.iter().map(event).collect();
            assert_eq!(decode(1_000, &[text.as_bytes()]), (expected, true), "{text:?}");
        }
    }

    #[test]
    fn an_event_has_a_largest_size() {
        for chunk in [vec![b'x'; 1_001], b"data: 0123456789\n".repeat(101)] {
            assert!(Decoder::new(1_000).feed(&chunk, &mut Vec::new()).is_err());
        }
        let mut events = Vec::new();
        Decoder::new(1_000).feed(&b": ping\n\n".repeat(1_000), &mut events).unwrap();
        assert_eq!(events, []);
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"data: ".to_vec()),
            Just(b"event:".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b":".to_vec()),
            Just(b"{".to_vec()),
            Just("\u{feff}".as_bytes().to_vec()),
            Just("ä€".as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn chunks_never_change_the_result(
            bytes in stream(),
            cuts in prop::collection::vec(0usize..100, 0..8),
            limit in prop_oneof![Just(1_000usize), 0usize..40],
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let whole = decode(limit, &[&bytes]);
            prop_assert_eq!(&decode(limit, &chunks), &whole);
            prop_assert_eq!(&decode(limit, &bytes.chunks(1).collect::<Vec<_>>()), &whole);
            let size: usize = whole.0.iter().map(|event| event.name.len() + event.data.len()).sum();
            // A byte that is no text becomes a sign of three.
            prop_assert!(size <= 3 * bytes.len());
        }
    }
}
