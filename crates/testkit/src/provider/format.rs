//! What an interface must tell the mock about itself.

use serde_json::Value;

use super::answer::Answer;
use super::frame::{Frame, Framing};
use super::received::{Asked, Received};

/// An interface as it is on the wire: what it takes, what it calls wrong, and how it writes what the mock answers.
///
/// Faults need no code of an interface's own: they are done to what it writes.
pub(super) trait Format: Sync {
    /// The paths that it serves, as a person reads them, such as `/v1/chat/completions`.
    fn paths(&self) -> &'static [&'static str];

    /// Whether it serves a path, as it was sent: percent-encoded, without the query.
    fn serves(&self, path: &str) -> bool {
        self.paths().contains(&path)
    }

    /// The path that ends the address to configure, such as `/v1`.
    fn base(&self) -> &'static str;

    /// The most bytes that a body may have; a larger one is refused with status 413.
    fn most_bytes(&self) -> usize {
        256 << 20
    }

    /// The key that a request brings.
    fn key<'a>(&self, request: &'a Received) -> Option<&'a str>;

    /// Whether a request may come in, where the mock wants this key; where it wants none, none must be brought.
    fn authorize(&self, request: &Received, wanted: Option<&str>) -> Result<(), Refusal> {
        match self.key(request) == wanted {
            true => Ok(()),
            false => Err(Refusal::new(401, "Incorrect API key provided")),
        }
    }

    /// A body as the interface reads it, where it takes several spellings of the same.
    fn read(&self, body: Value) -> Value {
        body
    }

    /// What a request asks for. It need not be right.
    fn asked(&self, request: &Received) -> Asked;

    /// Everything that is wrong with the body and the headers of a request, as the strictest provider sees it.
    ///
    /// That the body is JSON, and said to be so, is known already.
    fn faults(&self, request: &Received) -> Vec<String>;

    /// How events are put on the wire.
    fn framing(&self) -> Framing {
        Framing::ServerSent
    }

    /// The events of a streamed answer. An answer of raw chunks never comes here.
    fn events(&self, answer: &Answer, request: &Received) -> Vec<Value>;

    /// An event as it is framed, raw ones too.
    fn frame(&self, event: &Value) -> Frame {
        Frame { name: None, data: event.to_string() }
    }

    /// What ends a stream and is no event, such as `[DONE]`.
    fn end(&self) -> Option<Frame> {
        None
    }

    /// An answer that is not streamed.
    fn whole(&self, answer: &Answer, request: &Received) -> Value;

    /// The beginning of a stream that never ends, and the event of a text that it repeats.
    fn endless(&self, text: &str, request: &Received) -> (Vec<Value>, Value);

    /// The body of a refusal.
    fn error(&self, status: u16, message: &str) -> Value;

    /// The headers of a refusal, beside the content type.
    fn error_headers(&self, _status: u16) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// An error within a stream.
    fn error_event(&self, status: u16, message: &str) -> Value {
        self.error(status, message)
    }

    /// The header that names a request.
    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }
}

/// Why a request does not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}
