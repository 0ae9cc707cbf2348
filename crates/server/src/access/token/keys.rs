//! [`ProviderKeys`]: the keys of an identity provider, as it publishes them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use adjutant::project::Oidc;
use adjutant::tool::Documents;
use adjutant_core::{Code, Error, Result};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;
use url::Url;

/// For how long keys are used before it is looked whether there are others.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// For how long keys are used while the provider cannot be asked.
const USABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait before the provider is asked again: for a key that it may have made meanwhile, or where it did not answer. Whoever
/// makes tokens up must not have it asked for each.
const AGAIN: Duration = Duration::from_secs(10);

/// How long the keys of a file are used before it is read anew: it costs nothing, and whoever has replaced a key waits for it.
const FILE_FRESH: Duration = Duration::from_secs(2);

/// The most keys of a provider.
const MOST: usize = 100;

/// Where a provider says where its keys are.
const DISCOVERY: &str = ".well-known/openid-configuration";

/// The keys of an identity provider: fetched when they are needed, kept, and fetched anew now and then and for a key that is not
/// known. While the provider cannot be asked, those that there are hold.
pub(super) struct ProviderKeys {
    issuer: Url,
    place: Option<Url>,
    file: Option<PathBuf>,
    documents: Documents,
    held: Mutex<Option<Held>>,
    /// Held by whoever asks the provider.
    asking: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<[PublicKey]>,
    at: Instant,
}

/// A key of which the private half is the provider's.
pub(super) struct PublicKey {
    id: Option<String>,
    /// By which it signs alone, where it says so.
    algorithm: Option<String>,
    curve: Option<EllipticCurve>,
    pub(super) key: DecodingKey,
}

impl PublicKey {
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let curve = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => None,
            AlgorithmParameters::EllipticCurve(parameters) => Some(parameters.curve.clone()),
            AlgorithmParameters::OctetKeyPair(parameters) => Some(parameters.curve.clone()),
            // A secret that is published is none.
            _ => return None,
        };
        Some(Self {
            id: common.key_id.clone(),
            algorithm: common.key_algorithm.map(|algorithm| algorithm.to_string()),
            curve,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }

    /// Whether it can have signed a token that says that it was signed by such an algorithm with such a key.
    fn fits(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        let curve = match algorithm {
            Algorithm::ES256 => Some(EllipticCurve::P256),
            Algorithm::ES384 => Some(EllipticCurve::P384),
            Algorithm::EdDSA => Some(EllipticCurve::Ed25519),
            _ => None,
        };
        let family = match algorithm.family() {
            AlgorithmFamily::Hmac => return false,
            family => family,
        };
        self.key.family() == family
            && self.curve == curve
            && self.algorithm.as_ref().is_none_or(|own| *own == format!("{algorithm:?}"))
            && id.is_none_or(|id| self.id.as_deref() == Some(id))
    }
}

impl ProviderKeys {
    pub(super) fn new(oidc: &Oidc, private: bool) -> Result<Self> {
        let Oidc { issuer, jwks, jwks_file, .. } = oidc;
        let documents = Documents::new(jwks.as_ref().unwrap_or(issuer), private)?;
        Ok(Self {
            issuer: issuer.clone(),
            place: jwks.clone(),
            file: jwks_file.clone(),
            documents,
            held: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// For how long keys are used before it is looked whether there are others, and how long until it is looked once more.
    fn pace(&self) -> (Duration, Duration) {
        if self.file.is_some() { (FILE_FRESH, FILE_FRESH) } else { (FRESH, AGAIN) }
    }

    /// The keys that can have signed such a token. Fails with [`Code::Overloaded`] where there are none yet and the provider cannot be
    /// asked.
    pub(super) async fn of(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Vec<DecodingKey>> {
        let fitting = |held: &Held| -> Vec<DecodingKey> {
            let fits = held.keys.iter().filter(|key| key.fits(id, algorithm));
            fits.map(|key| key.key.clone()).collect()
        };
        if let Some(held) = self.held() {
            let found = fitting(&held);
            if !found.is_empty() && held.at.elapsed() < self.pace().0 {
                return Ok(found);
            }
        }
        let fetched = self.fetch_once().await;
        match (self.held(), fetched) {
            (Some(held), _) if held.at.elapsed() < USABLE => Ok(fitting(&held)),
            (_, Err(error)) => Err(error),
            (_, Ok(())) => {
                Err(Error::new(Code::Overloaded, "the identity provider could not be asked just now"))
            }
        }
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the keys, unless somebody has tried just now. Of several at once, one asks and the others wait.
    async fn fetch_once(&self) -> Result<()> {
        let before = Instant::now();
        let mut asked = self.asking.lock().await;
        if asked.is_some_and(|at| at > before || at.elapsed() < self.pace().1) {
            return Ok(());
        }
        let fetched = self.fetch().await;
        *asked = Some(Instant::now());
        match fetched {
            Ok(keys) => {
                let held = Held { keys: keys.into(), at: Instant::now() };
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
                Ok(())
            }
            Err(error) => {
                tracing::error!(target: "adjutant::service", %error, "the keys of the identity provider cannot be had");
                // Where it is and what is wrong with it is for the log: whoever asks has shown nothing yet.
                Err(Error::new(Code::Overloaded, "the identity provider cannot be asked"))
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<PublicKey>> {
        let (place, document) = match (&self.file, &self.place) {
            (Some(file), _) => (file.display().to_string(), read(file).await?),
            (None, Some(place)) => (place.to_string(), self.documents.get(place).await?),
            (None, None) => {
                let place = self.discover().await?;
                let document = self.documents.get(&place).await?;
                (place.to_string(), document)
            }
        };
        let keys = document.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // What is not understood is not used: a provider may have keys of kinds that came later.
        let read = keys
            .iter()
            .take(MOST)
            .filter_map(|key| PublicKey::of(&serde_json::from_value(key.clone()).ok()?));
        let keys: Vec<_> = read.collect();
        match keys.is_empty() {
            true => Err(Error::new(Code::InputInvalid, format!("`{place}` has no key that signs tokens"))),
            false => Ok(keys),
        }
    }

    /// Where the keys are, by what the issuer says of itself.
    async fn discover(&self) -> Result<Url> {
        let wrong =
            |why: &str| Error::new(Code::InputInvalid, format!("the description of `{}` {why}", self.issuer));
        let mut about = self.issuer.clone();
        about.set_path(&format!("{}/{DISCOVERY}", self.issuer.path().trim_end_matches('/')));
        let document = self.documents.get(&about).await?;
        let said = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if said.trim_end_matches('/') != self.issuer.as_str().trim_end_matches('/') {
            return Err(wrong("is another issuer's"));
        }
        let place = document.get("jwks_uri").and_then(Value::as_str).and_then(|place| place.parse().ok());
        place.ok_or_else(|| wrong("does not say where its keys are"))
    }
}

/// The keys as a file has them.
async fn read(file: &std::path::Path) -> Result<Value> {
    let shown = file.display();
    let bytes = tokio::fs::read(file).await.map_err(|error| {
        Error::new(Code::FileUnreadable, format!("`{shown}` cannot be read")).caused_by(&error)
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(Code::InputInvalid, format!("`{shown}` is no set of keys (RFC 7517)")).caused_by(&error)
    })
}
