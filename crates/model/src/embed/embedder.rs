//! The contract of everything that makes vectors of texts.

use adjutant_core::Result;
use adjutant_core::usage::Usage;
use futures::future::BoxFuture;

use super::profile::Profile;
use crate::model::Call;

/// A model that makes vectors of texts.
pub trait Embedder: Send + Sync + 'static {
    /// What the model is called in configuration and on screens: `openai/text-embedding-3-small`.
    fn id(&self) -> &str;

    /// What it takes, what it gives and what it costs.
    fn profile(&self) -> &Profile;

    /// Makes a vector of each text, in their order. There may be any number of texts; each vector has the length 1, and
    /// all have the same dimensions.
    ///
    /// One text that fails fails them all. Fails with `input-invalid` for a text that is empty, with
    /// `model-context-exceeded` for one that is too long, both before anything is sent; with `model-answer-invalid` where
    /// the vectors are not what was asked for; with `run-cancelled`; and as a [`Model`](crate::Model) does where the
    /// provider fails.
    fn embed(
        &self,
        texts: Vec<String>,
        purpose: Purpose,
        call: Call,
    ) -> BoxFuture<'static, Result<Embeddings>>;
}

/// What vectors are for. Many models make other vectors of a question than of the text that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They are kept, to be found.
    Document,
    /// They look for those that are kept.
    Query,
}

/// The vectors of some texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// One for each text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// What they took; none where the provider does not say it of each call.
    pub usage: Option<Usage>,
}
