//! Sealing: a text so that only whoever has the key can read it, and so that any change is noticed.

use std::sync::Arc;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// The form that is written now.
const VERSION: u32 = 1;

/// A sealed text as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    version: u32,
    /// Which key it was, without saying what it is.
    key: String,
    nonce: String,
    sealed: String,
}

/// Only the version, which says whether the rest can be understood.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Why a sealed text cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// It is no sealed text, or was changed.
    Changed,
    /// It was sealed with another key.
    OtherKey,
    /// A later version of this program wrote it.
    Newer(u32),
}

/// Seals and opens with one key.
#[derive(Clone)]
pub(super) struct Sealer {
    key: Arc<LessSafeKey>,
    signing: hmac::Key,
    id: String,
}

impl Sealer {
    /// The key of a secret. Each purpose has one derived from it (HKDF, RFC 5869): to seal, to sign, and its name.
    pub(super) fn of(secret: &Secret) -> Result<Self> {
        let derive = || -> Result<Self, Unspecified> {
            let root = Salt::new(HKDF_SHA256, b"adjutant vault").extract(secret.expose().as_bytes());
            let mut id = [0; 32];
            root.expand(&[b"id"], HKDF_SHA256)?.fill(&mut id)?;
            let key = UnboundKey::from(root.expand(&[b"seal"], &AES_256_GCM)?);
            let id = id.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let signing = hmac::Key::from(root.expand(&[b"sign"], hmac::HMAC_SHA256)?);
            Ok(Self { key: Arc::new(LessSafeKey::new(key)), signing, id })
        };
        derive().map_err(|_| Error::new(Code::Internal, "no key of the vault can be derived"))
    }

    /// The name of the key.
    #[cfg(test)]
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The signature of a text that anybody may read (HMAC-SHA256).
    pub(super) fn sign(&self, text: &[u8]) -> String {
        STANDARD.encode(hmac::sign(&self.signing, text))
    }

    /// Whether a signature is that of this text, by this key.
    pub(super) fn has_signed(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        hmac::verify(&self.signing, text, &signature).is_ok()
    }

    /// Seals the text of an entry. Moved to another entry it does not open.
    pub(super) fn seal(&self, entry: &str, text: &Secret) -> Result<String> {
        // A vault is written some thousand times in its life: chance does not give the same nonce twice.
        let nonce = random::<NONCE_LEN>()?;
        let mut bytes = text.expose().as_bytes().to_vec();
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about(entry)),
            &mut bytes,
        );
        sealed.map_err(|_| Error::new(Code::Internal, "the entry of the vault cannot be sealed"))?;
        let sealed = Sealed {
            version: VERSION,
            key: self.id.clone(),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(bytes),
        };
        serde_json::to_string(&sealed).map_err(|error| {
            Error::new(Code::Internal, "the entry of the vault cannot be written").caused_by(&error)
        })
    }

    /// Opens what was sealed as the text of an entry.
    pub(super) fn open(&self, entry: &str, written: &str) -> Result<Secret, Unopened> {
        let changed = |_| Unopened::Changed;
        let versioned: Versioned = serde_json::from_str(written).map_err(|_| Unopened::Changed)?;
        if versioned.version > VERSION {
            return Err(Unopened::Newer(versioned.version));
        }
        let sealed: Sealed = serde_json::from_str(written).map_err(|_| Unopened::Changed)?;
        if sealed.key != self.id {
            return Err(Unopened::OtherKey);
        }
        let nonce = STANDARD.decode(sealed.nonce).map_err(changed)?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| Unopened::Changed)?;
        let mut bytes = STANDARD.decode(sealed.sealed).map_err(changed)?;
        let opened = self.key.open_in_place(nonce, Aad::from(about(entry)), &mut bytes);
        let opened = opened.map_err(|_| Unopened::Changed)?;
        let text = std::str::from_utf8(opened).map(Secret::new).map_err(|_| Unopened::Changed);
        bytes.fill(0);
        text
    }
}

/// Keys, the newest first. What is kept anew is sealed and signed by that one; what was before opens with any of them, so a key can be
/// replaced while things that it sealed are still there.
#[derive(Clone)]
pub(super) struct Ring(Vec<Sealer>);

impl Ring {
    /// The keys of secrets, the newest first.
    pub(super) fn of<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Result<Self> {
        secrets.into_iter().map(Sealer::of).collect::<Result<_>>().map(Self)
    }

    /// The newest key.
    pub(super) fn newest(&self) -> Result<&Sealer> {
        self.0.first().ok_or_else(|| Error::new(Code::Internal, "the vault has no key"))
    }

    /// Whether a signature is that of this text, by any of the keys.
    pub(super) fn has_signed(&self, text: &[u8], signature: &str) -> bool {
        self.0.iter().any(|sealer| sealer.has_signed(text, signature))
    }

    /// Opens what was sealed as the text of an entry, by any of the keys.
    pub(super) fn open(&self, entry: &str, written: &str) -> Result<Secret, Unopened> {
        let opened = self.0.iter().map(|sealer| sealer.open(entry, written));
        opened
            .into_iter()
            .find(|opened| *opened != Err(Unopened::OtherKey))
            .unwrap_or(Err(Unopened::OtherKey))
    }
}

/// What is sealed along: which entry it is, of which form.
fn about(entry: &str) -> String {
    format!("adjutant vault {VERSION} {entry}")
}

/// Random bytes, for keys and nonces.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::new(Code::Internal, "the machine has no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secret: &str) -> Sealer {
        Sealer::of(&Secret::new(secret)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_and_not_otherwise() {
        let (key, text) = (sealer("one"), Secret::new("a-token"));
        let written = key.seal("tracker", &text).unwrap();
        assert!(!written.contains("a-token"));
        assert_eq!(key.open("tracker", &written), Ok(text.clone()));
        assert_eq!(key.open("other", &written), Err(Unopened::Changed));
        assert_eq!(sealer("two").open("tracker", &written), Err(Unopened::OtherKey));
        assert_ne!(key.seal("tracker", &text).unwrap(), written);
        assert_eq!(key.open("tracker", &written.replace(":1", ":9")), Err(Unopened::Newer(9)));
    }

    #[test]
    fn any_change_is_noticed() {
        let key = sealer("one");
        let written = key.seal("tracker", &Secret::new("a-token")).unwrap();
        for place in 0..written.len() {
            let mut bytes = written.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert!(key.open("tracker", &String::from_utf8(bytes).unwrap()).is_err(), "{place}");
            assert!(key.open("tracker", &written[..place]).is_err(), "{place}");
        }
    }
}
