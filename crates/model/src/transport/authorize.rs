//! Who asks: keys and signatures.

use std::fmt;

use adjutant_core::Result;
use adjutant_core::secret::Secret;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue};

use super::client::secret_header;
use super::exchange::Outgoing;

/// Says to a provider who asks.
pub trait Authorize: Send + Sync + fmt::Debug + 'static {
    /// Adds a key or a signature to a request that is otherwise complete.
    ///
    /// Fails with `model-key-missing` where there is none.
    fn authorize<'a>(&'a self, outgoing: &'a mut Outgoing) -> BoxFuture<'a, Result<()>>;

    /// What no message, log or cassette may repeat.
    fn secrets(&self) -> Vec<Secret>;
}

/// A key in a header, or nothing for a server that wants none.
#[derive(Debug)]
pub struct KeyHeader {
    header: Option<(HeaderName, HeaderValue)>,
    secret: Option<Secret>,
}

impl KeyHeader {
    /// No key.
    pub fn none() -> Self {
        Self { header: None, secret: None }
    }

    /// `Authorization: Bearer KEY`. Fails with `input-invalid` where the key cannot stand in a header.
    pub fn bearer(key: Option<&Secret>) -> Result<Self> {
        let Some(key) = key else { return Ok(Self::none()) };
        let header = secret_header("authorization", &format!("Bearer {}", key.expose().trim()))?;
        Ok(Self { header: Some(header), secret: Some(key.clone()) })
    }

    /// The key alone in a header of that name. Fails with `input-invalid` where the key cannot stand in a header.
    pub fn named(name: &str, key: Option<&Secret>) -> Result<Self> {
        let Some(key) = key else { return Ok(Self::none()) };
        Ok(Self { header: Some(secret_header(name, key.expose())?), secret: Some(key.clone()) })
    }
}

impl Authorize for KeyHeader {
    fn authorize<'a>(&'a self, outgoing: &'a mut Outgoing) -> BoxFuture<'a, Result<()>> {
        // What a person configured as a header of that name comes first.
        if let Some((name, value)) = &self.header
            && !outgoing.headers.contains_key(name)
        {
            outgoing.headers.insert(name.clone(), value.clone());
        }
        std::future::ready(Ok(())).boxed()
    }

    fn secrets(&self) -> Vec<Secret> {
        self.secret.iter().cloned().collect()
    }
}
