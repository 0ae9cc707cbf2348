//! A request that the mock got.

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::embeddings;
use super::interface::Interface;

/// A request that the mock got.
#[derive(Clone, Debug)]
pub struct Received {
    /// The interface that it is meant for.
    pub interface: Interface,
    /// The path as it was sent, percent-encoded, without the query.
    pub path: String,
    /// The query as it was sent, without the question mark; empty where there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON, as the interface reads it; `null` where it is none.
    pub body: Value,
    /// The body as it was sent.
    pub bytes: Bytes,
}

/// What a request asks for, in no interface's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model.
    pub model: String,
    /// Whether the answer shall be streamed.
    pub streams: bool,
    /// The names of the tools, in their order.
    pub tools: Vec<String>,
    /// How many calls of tools the whole conversation holds.
    pub calls: usize,
    /// How often the model has answered since a person last spoke; results of tools are no person's words.
    pub steps: usize,
}

impl Received {
    /// What it asks for.
    pub fn asked(&self) -> Asked {
        match embeddings::serving(&self.path) {
            Some((_, embed)) => Asked { model: embed.model(self), ..Asked::default() },
            None => self.interface.format().asked(self),
        }
    }

    /// Everything that is wrong with it.
    pub(super) fn faults(&self) -> Vec<String> {
        match embeddings::serving(&self.path) {
            Some((_, embed)) => embed.faults(self),
            None => self.interface.format().faults(self),
        }
    }

    /// A header's value; none where it is missing or no text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of an `Authorization: Bearer` header.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }
}

/// What stands at a place of a value; `null` where nothing does.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The elements of a list; none where the value is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
