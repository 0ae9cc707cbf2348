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
    /// Adds a key or a signature to a request that is otherwise complete. Gives the secrets that it used: what no message,
    /// log or cassette may repeat.
    ///
    /// Fails with `model-key-missing` where there is none.
    fn authorize<'a>(&'a self, outgoing: &'a mut Outgoing) -> BoxFuture<'a, Result<Vec<Secret>>>;

    /// Gets another key after these were refused, such as a token that lives for an hour. Whether there is another now.
    fn renew<'a>(&'a self, _refused: &'a [Secret]) -> BoxFuture<'a, Result<bool>> {
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
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Key {
    header: (HeaderName, HeaderValue),
    secret: Secret,
}

impl KeyHeader {
    /// No key.
    pub fn none() -> Self {
        Self {
            name: "",
            scheme: "",
            key: RwLock::new(None),
            renew: None,
            renewing: tokio::sync::Mutex::default(),
        }
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
    fn authorize<'a>(&'a self, outgoing: &'a mut Outgoing) -> BoxFuture<'a, Result<Vec<Secret>>> {
        let mut used = Vec::new();
        // What a person configured as a header of that name comes first.
        if let Some(Key { header: (name, value), secret }) = self.current()
            && !outgoing.headers.contains_key(&name)
        {
            outgoing.headers.insert(name, value);
            used.push(secret);
        }
        std::future::ready(Ok(used)).boxed()
    }

    fn renew<'a>(&'a self, refused: &'a [Secret]) -> BoxFuture<'a, Result<bool>> {
        let Some(renewal) = self.renew.clone() else { return std::future::ready(Ok(false)).boxed() };
        async move {
            // Of many calls that are refused together one gets the new key, and the others find it.
            let _turn = self.renewing.lock().await;
            if self.current().is_some_and(|key| !refused.contains(&key.secret)) {
                return Ok(true);
            }
            let got = tokio::task::spawn_blocking(move || renewal.0()).await;
            let Ok(secret) = got else { return Ok(false) };
            let key = self.key(&secret?)?;
            let is_another = !refused.contains(&key.secret);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn calls_that_are_refused_together_get_one_new_key() {
        let (old, asked) = (Secret::new("old-token"), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        let renewal = Renewal::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(Secret::new("new-token"))
        });
        let header = KeyHeader::bearer(Some(&old)).unwrap().renewed_by(Some(renewal));
        let refused = [old];
        let renewed = futures::future::join_all((0..4).map(|_| header.renew(&refused))).await;
        assert!(renewed.into_iter().all(|renewed| renewed == Ok(true)));
        let new = [header.current().unwrap().secret];
        assert_eq!((asked.load(Ordering::SeqCst), &new), (1, &[Secret::new("new-token")]));
        assert_eq!(header.renew(&new).await, Ok(false), "the same key again is no other");
    }

    #[tokio::test]
    async fn a_key_that_stays_the_same_is_not_tried_again() {
        let key = Secret::new("the-only-one");
        let header = KeyHeader::named("x-api-key", Some(&key)).unwrap();
        assert_eq!(header.renew(&[key]).await, Ok(false));
    }
}
