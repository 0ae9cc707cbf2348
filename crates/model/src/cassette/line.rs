//! The lines of a cassette.

use std::collections::BTreeMap;

use adjutant_core::Error;
use aws_smithy_types::base64;
use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::transport::Peer;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Line {
    /// The first one.
    Head {
        cassette: u32,
    },
    Request {
        exchange: u64,
        request: Request,
    },
    Response {
        exchange: u64,
        /// Milliseconds since the request.
        after_ms: u64,
        response: Response,
    },
    Text {
        exchange: u64,
        after_ms: u64,
        text: String,
    },
    /// A piece that is no text.
    Bytes {
        exchange: u64,
        after_ms: u64,
        base64: String,
    },
    /// The other side broke off, or never answered.
    Failure {
        exchange: u64,
        after_ms: u64,
        error: Error,
    },
    End {
        exchange: u64,
        after_ms: u64,
        end: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Response {
    pub(super) status: u16,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
}

/// The headers that mean something to whoever reads the exchange again. All others hold secrets, or differ from call to
/// call, or say nothing; so this is a list of what is kept, and not of what is left out.
const KEPT: [&str; 8] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "openai-beta",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
];

pub(super) fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = headers.iter().filter(|(name, value)| KEPT.contains(&name.as_str()) && !value.is_sensitive());
    kept.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// A piece as text where it is one, otherwise in base 64; without the secrets of its exchange.
pub(super) fn piece(exchange: u64, after_ms: u64, piece: &Bytes, peer: &Peer) -> Line {
    match std::str::from_utf8(piece) {
        Ok(text) => Line::Text { exchange, after_ms, text: peer.redact(text).into_owned() },
        Err(_) => Line::Bytes { exchange, after_ms, base64: base64::encode(peer.hidden().mask(piece)) },
    }
}
