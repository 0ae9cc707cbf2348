//! Who asks: keys and signatures.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

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

    /// Gets another key after one was refused, such as a token that lives for an hour. Whether there is another now.
    fn renew(&self) -> BoxFuture<'_, Result<bool>> {
        std::future::ready(Ok(false)).boxed()
    }
}

/// Gets a key once more from where it came. It may take a while, so it is called where waiting is allowed.
#[derive(Clone)]
pub struct Renewal(Arc<dyn Fn() -> Result<Secret> + Send + Sync>);

impl Renewal {
    /// Gets keys in this way.
    pub fn new(get: impl Fn() -> Result<Secret> + Send + Sync + 'static) -> Self {
        Self(Arc::new(get))
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

/// A key in a header, or nothing for a server that wants none.
pub struct KeyHeader {
    name: &'static str,
    /// What stands before the key.
    scheme: &'static str,
    key: RwLock<Option<Key>>,
    renew: Option<Renewal>,
}

#[derive(Clone)]
struct Key {
    header: (HeaderName, HeaderValue),
    secret: Secret,
}

impl KeyHeader {
    /// No key.
    pub fn none() -> Self {
        Self { name: "", scheme: "", key: RwLock::new(None), renew: None }
    }

    /// `Authorization: Bearer KEY`. Fails with `input-invalid` where the key cannot stand in a header.
    pub fn bearer(key: Option<&Secret>) -> Result<Self> {
        Self::new("authorization", "Bearer ", key)
    }

    /// The key alone in a header of that name. Fails with `input-invalid` where the key cannot stand in a header.
    pub fn named(name: &'static str, key: Option<&Secret>) -> Result<Self> {
        Self::new(name, "", key)
    }

    /// Gets another key in this way after one was refused.
    #[must_use]
    pub fn renewed_by(mut self, renew: Option<Renewal>) -> Self {
        self.renew = renew;
        self
    }

    fn new(name: &'static str, scheme: &'static str, key: Option<&Secret>) -> Result<Self> {
        let header = Self { name, scheme, ..Self::none() };
        let key = key.map(|key| header.key(key)).transpose()?;
        Ok(Self { key: RwLock::new(key), ..header })
    }

    fn key(&self, secret: &Secret) -> Result<Key> {
        let header = secret_header(self.name, &format!("{}{}", self.scheme, secret.expose().trim()))?;
        Ok(Key { header, secret: secret.clone() })
    }

    fn current(&self) -> Option<Key> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Authorize for KeyHeader {
    fn authorize<'a>(&'a self, outgoing: &'a mut Outgoing) -> BoxFuture<'a, Result<()>> {
        // What a person configured as a header of that name comes first.
        if let Some(Key { header: (name, value), .. }) = self.current()
            && !outgoing.headers.contains_key(&name)
        {
            outgoing.headers.insert(name, value);
        }
        std::future::ready(Ok(())).boxed()
    }

    fn secrets(&self) -> Vec<Secret> {
        self.current().map(|key| key.secret).into_iter().collect()
    }

    fn renew(&self) -> BoxFuture<'_, Result<bool>> {
        let (Some(renew), Some(old)) = (self.renew.clone(), self.current()) else {
            return std::future::ready(Ok(false)).boxed();
        };
        async move {
            let got = tokio::task::spawn_blocking(move || renew.0()).await;
            let Ok(secret) = got else { return Ok(false) };
            let key = self.key(&secret?)?;
            let is_another = key.secret != old.secret;
            *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
            Ok(is_another)
        }
        .boxed()
    }
}

impl fmt::Debug for KeyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHeader").field("name", &self.name).finish_non_exhaustive()
    }
}
