//! How one vendor's interface for embeddings is written down.

use std::fmt;
use std::sync::Arc;

use adjutant_core::Result;
use http::HeaderMap;

use super::embedder::Purpose;
use super::vector::Vector;
use crate::provider::{Config, Encoded};
use crate::transport::Authorize;

/// One vendor's interface for embeddings: pure functions from texts to what is sent, and from what arrives to vectors.
pub trait Wire: Send + Sync + fmt::Debug + 'static {
    /// How much it takes in one call.
    fn bounds(&self) -> Bounds;

    /// What the texts of one call send. They keep the [`bounds`](Wire::bounds).
    fn encode(&self, texts: &[String], purpose: Purpose) -> Encoded;

    /// What arrived for so many texts, read from a body that is not the provider's complaint. Fails with the reason, in
    /// words that go on from "the answer of the provider", where the body is not what the interface promises.
    fn decode(&self, body: &str, headers: &HeaderMap, texts: usize) -> Result<Answer, String>;
}

/// How much an interface takes in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most texts.
    pub texts: usize,
    /// The most tokens of all texts together, if there is such a bound. It is kept in bytes: no token is shorter than one.
    pub tokens: Option<usize>,
}

/// The answer to one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// One vector for each text, in their order. Nothing about them is certain yet.
    pub vectors: Vec<Vector>,
    /// How many tokens the texts had; none where the provider does not say it.
    pub tokens: Option<u64>,
}

/// Makes the interface for one embedding model, of so many dimensions where another number than the usual one is wanted.
pub type Open = fn(&Config, Option<usize>) -> Result<Interface>;

/// One vendor's interface for one embedding model: how it is written, and who asks.
#[derive(Clone, Debug)]
pub struct Interface {
    /// How it is written.
    pub wire: Arc<dyn Wire>,
    /// Who asks.
    pub authorize: Arc<dyn Authorize>,
}
