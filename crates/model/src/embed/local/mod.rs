//! An embedder that works on this machine, out of a folder that its user gives; nothing is ever fetched.
//!
//! The folder is one as sentence-transformers writes it: `config.json`, `tokenizer.json` and `model.safetensors` of an
//! encoder of the families of BERT and RoBERTa, with the files beside them that say how a vector is made of its output.
//! Texts are read one by one, so the vector of a text does not depend on its neighbours.

mod encoder;
mod folder;
mod pooling;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use candle_core::Tensor;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokenizers::Tokenizer;
use tokio_util::sync::CancellationToken;

use super::batch;
use super::embedder::{Embedder, Embeddings, Purpose};
use super::profile::{Dimensions, Profile};
use super::vector::Vector;
use crate::model::Call;
use encoder::Encoder;
use folder::Folder;
use pooling::Pooling;

/// An embedder that works on this machine, on its processor.
#[derive(Clone)]
pub struct Local {
    inner: Arc<Inner>,
}

struct Inner {
    id: String,
    profile: Profile,
    folder: Folder,
    tokenizer: Tokenizer,
    encoder: Encoder,
}

impl Local {
    /// Reads the model in a folder into memory, which takes about as much of it as `model.safetensors` is large, and twice
    /// that where the numbers are stored in half precision.
    ///
    /// Fails with `file-unreadable` where a file is missing, with `input-invalid` where one is not what it should be, and
    /// with `model-unsupported` where the model is of another family, or where other dimensions are wanted than it has.
    pub fn open(id: impl Into<String>, folder: &Path, dimensions: Option<usize>) -> Result<Self> {
        let id = id.into();
        let folder = Folder::read(folder)?;
        Dimensions::Fixed(folder.config.hidden_size).asked(&id, dimensions)?;
        let tokenizer = folder.tokenizer()?;
        let encoder = Encoder::read(&folder)?;
        let profile = Profile {
            dimensions: Some(folder.config.hidden_size),
            most_texts: 1,
            most_tokens: Some(folder.most_tokens),
            prices: None,
        };
        Ok(Self { inner: Arc::new(Inner { id, profile, folder, tokenizer, encoder }) })
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl Embedder for Local {
    fn id(&self) -> &str {
        &self.inner.id
    }

    fn profile(&self) -> &Profile {
        &self.inner.profile
    }

    fn embed(
        &self,
        texts: Vec<String>,
        purpose: Purpose,
        call: Call,
    ) -> BoxFuture<'static, Result<Embeddings>> {
        let inner = Arc::clone(&self.inner);
        async move {
            let stop = call.cancel.child_token();
            // Whoever waits no longer needs no more vectors.
            let _stops = stop.clone().drop_guard();
            let work = tokio::task::spawn_blocking(move || inner.embed(&texts, purpose, &stop));
            work.await.unwrap_or_else(|error| {
                Err(Error::new(Code::Internal, "the work of the local model broke off").caused_by(&error))
            })
        }
        .boxed()
    }
}

impl Inner {
    fn embed(&self, texts: &[String], purpose: Purpose, stop: &CancellationToken) -> Result<Embeddings> {
        batch::check(&self.id, texts, None)?;
        // No vector is made before it is known that all can be.
        let mut read = Vec::with_capacity(texts.len());
        for (text, number) in texts.iter().zip(1..) {
            stopped(stop)?;
            read.push(self.tokens(text, purpose, || format!("text {number} of {}", texts.len()))?);
        }
        let mut embeddings = Embeddings { vectors: Vec::with_capacity(texts.len()), usage: None };
        let mut input = 0_u64;
        for (tokens, number) in read.iter().zip(1..) {
            stopped(stop)?;
            let vector =
                self.vector(tokens).map_err(|error| self.broken(number, texts.len(), &words_of(&error)))?;
            let vector = vector.checked(self.profile.dimensions);
            embeddings
                .vectors
                .push(vector.map_err(|why| self.broken(number, texts.len(), &format!("the vector {why}")))?);
            input = input.saturating_add(u64::try_from(tokens.len()).unwrap_or(u64::MAX));
        }
        embeddings.usage = Some(Usage { input, ..Usage::default() });
        Ok(embeddings)
    }

    fn tokens(&self, text: &str, purpose: Purpose, name: impl Fn() -> String) -> Result<Vec<u32>> {
        let text = self.folder.text(text, purpose);
        let encoding = self.tokenizer.encode(text.as_ref(), true).map_err(|error| {
            Error::new(
                Code::InputInvalid,
                format!("{} cannot be read by the model `{}`: {error}", name(), self.id),
            )
        })?;
        let (found, most) = (encoding.len(), self.folder.most_tokens);
        match u64::try_from(found).is_ok_and(|found| found <= most) {
            true => Ok(encoding.get_ids().to_vec()),
            false => Err(batch::too_long(&self.id, &name(), &found.to_string(), most)),
        }
    }

    fn vector(&self, tokens: &[u32]) -> candle_core::Result<Vector> {
        let output: Tensor = self.encoder.encode(tokens)?;
        let pooled = match self.folder.pooling {
            Pooling::FirstToken => output.get(0)?,
            Pooling::Mean => output.mean(0)?,
        };
        Ok(Vector(pooled.to_vec1()?))
    }

    fn broken(&self, number: usize, all: usize, why: &str) -> Error {
        let message = format!("the model `{}` makes no vector of text {number} of {all}: {why}", self.id);
        Error::new(Code::ModelAnswerInvalid, message).after_attempts(1)
    }
}

/// The error without the trace of calls that it brings where the environment asks for traces.
fn words_of(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn stopped(stop: &CancellationToken) -> Result<()> {
    match stop.is_cancelled() {
        true => Err(Error::new(Code::RunCancelled, "the call of the model was cancelled")),
        false => Ok(()),
    }
}
