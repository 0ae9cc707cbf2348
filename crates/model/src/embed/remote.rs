//! An embedder behind a provider's interface.

use std::sync::Arc;

use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::batch::{self, Batch};
use super::embedder::{Embedder, Embeddings, Purpose};
use super::profile::{Known, Profile};
use super::wire::{Answer, Interface};
use crate::layer::breaker::{self, Fuse};
use crate::layer::limit::{self, Gates};
use crate::layer::retry;
use crate::model::Call;
use crate::provider::{Config, exchange};
use crate::token;
use crate::transport::{Complaint, Incoming, Outgoing, Peer, Transport, refusal};

/// How many calls of one request are made at the same time where nobody says it.
const USUAL_CONCURRENCY: usize = 8;

/// What is wanted of an embedding model, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many numbers a vector shall have; as many as usual where nothing is said.
    pub dimensions: Option<usize>,
    /// What is known of the model.
    pub known: Known,
    /// How often and how soon a call is made again.
    pub retry: retry::Policy,
    /// When the model is left alone.
    pub breaker: breaker::Policy,
    /// What the model may be asked. Where nothing is said, the texts of one request are sent in eight calls at a time.
    pub limits: limit::Policy,
}

/// An embedder behind a provider's interface.
#[derive(Clone, Debug)]
pub struct Remote {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    profile: Profile,
    interface: Interface,
    retry: retry::Policy,
    fuse: Fuse,
    /// How many calls of one request are under way at the same time.
    concurrency: usize,
    gates: Gates,
    peer: Peer,
    headers: HeaderMap,
    transport: Arc<dyn Transport>,
}

impl Remote {
    /// Makes the embedder; nothing is sent. Fails with `input-invalid` where the address or a header cannot be one.
    pub fn new(
        config: &Config,
        options: &Options,
        interface: Interface,
        transport: Arc<dyn Transport>,
    ) -> Result<Self> {
        let peer = config.peer(&config.address()?);
        let mut headers = config.header_map()?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let Known { dimensions, most_tokens, prices } = &options.known;
        let profile = Profile {
            dimensions: options.dimensions.or(dimensions.usual()),
            most_texts: interface.wire.bounds().texts,
            most_tokens: *most_tokens,
            prices: *prices,
        };
        let inner = Inner {
            id: config.id.clone(),
            profile,
            interface,
            retry: options.retry,
            fuse: Fuse::new(options.breaker),
            concurrency: options.limits.concurrency.map_or(USUAL_CONCURRENCY, slots),
            gates: Gates::new(options.limits),
            peer,
            headers,
            transport,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Embedder for Remote {
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
        async move { inner.embed(&texts, purpose, &call).await }.boxed()
    }
}

/// As many as there may be, and at least one.
fn slots(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).max(1)
}

impl Inner {
    async fn embed(&self, texts: &[String], purpose: Purpose, call: &Call) -> Result<Embeddings> {
        batch::check(&self.id, texts, self.profile.most_tokens)?;
        let batches = batch::split(texts, self.interface.wire.bounds());
        let calls: Vec<_> = batches.into_iter().map(|batch| self.insistently(batch, purpose, call)).collect();
        let calls = futures::stream::iter(calls).buffered(self.concurrency);
        self.joined(calls.try_collect().await?)
    }

    /// One call, made again where its failure passes by itself.
    async fn insistently(&self, batch: Batch<'_>, purpose: Purpose, call: &Call) -> Result<Embeddings> {
        let mut trial = self.fuse.enter(&self.id, call)?;
        let call = &trial.listening(call.clone());
        let made = retry::insist(&self.retry, &self.id, call, || self.ask(batch, purpose, call)).await;
        trial.close(made.as_ref().err());
        made.map_err(|error| if batch.is_whole() { error } else { error.within(batch) })
    }

    async fn ask(&self, batch: Batch<'_>, purpose: Purpose, call: &Call) -> Result<Embeddings> {
        let encoded = self.interface.wire.encode(batch.texts, purpose);
        let mut headers = self.headers.clone();
        headers.extend(encoded.headers);
        let outgoing = || Outgoing {
            method: Method::POST,
            url: encoded.url.clone(),
            peer: self.peer.clone(),
            headers: headers.clone(),
            body: encoded.body.to_string(),
            whole: false,
            cancel: call.cancel.clone(),
        };
        let tokens = batch.texts.iter().map(|text| token::estimate_text(text)).sum();
        let _slot = self.gates.admit(&self.id, tokens, call).await?;
        let incoming = exchange(self.interface.authorize.as_ref(), self.transport.as_ref(), outgoing).await?;
        self.read(incoming, batch).await
    }

    async fn read(&self, mut incoming: Incoming, batch: Batch<'_>) -> Result<Embeddings> {
        let mut bytes = Vec::new();
        while let Some(piece) = incoming.body.chunk().await? {
            bytes.extend_from_slice(&piece);
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_start_matches('\u{feff}');
        let decoded = self.interface.wire.decode(text, &incoming.headers, batch.texts.len());
        match decoded.and_then(|answer| self.checked(answer, batch)) {
            Ok(embeddings) => Ok(embeddings),
            Err(why) => Err(self.complaint(text).unwrap_or_else(|| self.invalid(&why))),
        }
    }

    /// The error that the provider reports with a status of success.
    fn complaint(&self, text: &str) -> Option<Error> {
        let complaint = Complaint::find(&serde_json::from_str::<Value>(text).ok()?)?;
        let status = complaint.status.unwrap_or(500);
        Some(refusal(&self.peer, status, &HeaderMap::new(), &complaint))
    }

    fn checked(&self, answer: Answer, batch: Batch<'_>) -> Result<Embeddings, String> {
        let (found, expected) = (answer.vectors.len(), batch.texts.len());
        if found != expected {
            return Err(format!("has {found} vectors for {expected} texts"));
        }
        let mut dimensions = self.profile.dimensions;
        let mut vectors = Vec::with_capacity(found);
        for (vector, number) in answer.vectors.into_iter().zip(batch.before + 1..) {
            let vector = vector
                .checked(dimensions)
                .map_err(|why| format!("is wrong: the vector of text {number} of {} {why}", batch.all))?;
            dimensions = Some(vector.len());
            vectors.push(vector);
        }
        let usage = answer.tokens.map(|input| Usage { input, ..Usage::default() });
        Ok(Embeddings { vectors, usage })
    }

    fn joined(&self, parts: Vec<Embeddings>) -> Result<Embeddings> {
        let mut whole = Embeddings { vectors: Vec::new(), usage: Some(Usage::default()) };
        for part in parts {
            if let (Some(first), Some(next)) = (whole.vectors.first(), part.vectors.first())
                && first.len() != next.len()
            {
                let (one, other) = (first.len(), next.len());
                return Err(self.invalid(&format!("has vectors of {one} and of {other} dimensions")));
            }
            whole.vectors.extend(part.vectors);
            match (&mut whole.usage, part.usage) {
                (Some(sum), Some(usage)) => *sum += usage,
                (sum, _) => *sum = None,
            }
        }
        Ok(whole)
    }

    fn invalid(&self, why: &str) -> Error {
        let message =
            format!("the answer of the provider at `{}` {}", self.peer.name(), self.peer.clean(why));
        let error = Error::new(Code::ModelAnswerInvalid, message);
        match why.contains("dimensions and not") {
            true => {
                error.with_help("some servers ignore `dimensions`: leave it out, or write what the model has")
            }
            false => error,
        }
    }
}
