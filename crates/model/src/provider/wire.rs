//! How one vendor's interface is written down.

use std::fmt;

use adjutant_core::Result;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use url::Url;

use crate::delta::Delta;
use crate::request::Request;
use crate::sse::Event;
use crate::transport::Peer;

/// One vendor's interface: pure functions from a request to what is sent, and from what arrives to deltas.
pub trait Wire: Send + Sync + fmt::Debug + 'static {
    /// What a request sends.
    ///
    /// Fails with `model-unsupported` where the interface cannot carry a part of it, and with `input-invalid` where
    /// the request contradicts itself.
    fn encode(&self, request: &Request) -> Result<Encoded>;

    /// The same request for an answer that comes whole; as it is where the interface has no such answers.
    fn at_once(&self, encoded: Encoded) -> Encoded {
        encoded
    }

    /// Whether the form of this answer must be asked for by a tool: some models know schemas, but not beside tools.
    fn asks_by_tool(&self, _request: &Request) -> bool {
        false
    }

    /// The header in which the interface takes a key that is the same over every attempt of one call; none where it knows
    /// none, as Anthropic's, OpenAI's, Google's and Amazon's do not: their own clients send none.
    fn idempotency_header(&self) -> Option<HeaderName> {
        None
    }

    /// A decoder for the answer to that request.
    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode>;
}

/// A request as an interface has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Where it goes.
    pub url: Url,
    /// Headers that the interface wants beside those of every request; none of them is secret.
    pub headers: HeaderMap,
    /// The body.
    pub body: Value,
}

/// Decodes one answer: a state machine without I/O.
///
/// Each function adds the deltas that it has made before it fails, so that no part of an answer is lost with the
/// rest. A delta [`Start`](crate::Start) holds what the body says; the headers' part is added by the reader.
pub trait Decode: Send + 'static {
    /// Whether an event of that name is one of the interface's own, so that its data must be JSON; the name is empty where
    /// none is given. Gateways send events of theirs between, such as a heartbeat.
    fn knows(&self, name: &str) -> bool;

    /// Takes one event of a stream. Fails with `model-answer-invalid` where it breaks the interface's promises, and
    /// with the code that fits an error that the provider reports in it.
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<()>;

    /// Takes an answer that came whole, whether or not a stream was asked for. Fails like [`event`](Decode::event).
    fn whole(&mut self, body: &str, deltas: &mut Vec<Delta>) -> Result<()>;

    /// Takes the end of the connection. Fails with `model-answer-invalid` where the answer is not complete.
    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<()>;

    /// Whether the answer is complete: nothing more is read then.
    fn is_complete(&self) -> bool;
}
