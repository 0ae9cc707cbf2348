//! Secrets that come while the program runs, such as the tokens of a login, kept encrypted on disk.
//!
//! A [`Vault`] is a folder with one sealed file for each entry (AES-256-GCM), which only this user can read. Its key is a
//! secret of the project, or a file outside of it, so that a copy of the project's folder opens nothing. An entry is
//! replaced at once or not at all, and whoever changes one holds its lock over all processes.

mod entry;
mod key;
mod seal;
mod secrets;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_core::secret::Secret;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};

pub(crate) use entry::{Locked, private_folder};
use key::Key;
pub(crate) use seal::random;

/// Where secrets are kept, and the clock that says how old they are. Nothing is read or made before it is needed.
#[derive(Clone)]
pub struct Vault {
    folder: PathBuf,
    key: KeyPlace,
    /// The secrets that were its key before that one.
    previous: Vec<String>,
    clock: Arc<dyn Clock>,
}

/// Where the key of a vault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// It is the secret of that name: at least 32 characters.
    Secret(String),
    /// It is a file of this user, which is made when something is first kept.
    File(PathBuf),
    /// Nobody knows a folder of this user, so there is none.
    Nowhere,
}

impl Vault {
    /// A vault in a folder.
    pub fn new(folder: impl Into<PathBuf>, key: KeyPlace, clock: Arc<dyn Clock>) -> Self {
        Self { folder: folder.into(), key, previous: Vec::new(), clock }
    }

    /// The same, where other secrets were its key before: what they sealed still opens.
    #[must_use]
    pub fn with_previous(self, secrets: Vec<String>) -> Self {
        Self { previous: secrets, ..self }
    }

    /// Where its key is.
    pub fn key(&self) -> &KeyPlace {
        &self.key
    }

    /// Another vault under the same key, in another folder.
    #[must_use]
    pub fn within(&self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self.clone() }
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The vault with its key. Fails where the key is a secret that cannot be had or is too short.
    pub(crate) fn open(&self, secret: &(dyn Fn(&str) -> Result<Secret> + Sync)) -> Result<OpenVault> {
        let key = match &self.key {
            KeyPlace::Secret(name) => {
                let names = std::iter::once(name).chain(&self.previous);
                let keys = names.map(|name| Ok((name.as_str(), secret(name)?)));
                Key::given(&keys.collect::<Result<Vec<_>>>()?)?
            }
            KeyPlace::File(path) => Key::in_file(path),
            KeyPlace::Nowhere => {
                let why =
                    "there is no place for the key of the vault: neither HOME nor XDG_CONFIG_HOME is set";
                return Err(Error::new(Code::VaultUnreadable, why)
                    .with_help("set one, or name a secret: `[vault]` and `key = \"name\"`"));
            }
        };
        Ok(OpenVault { folder: self.folder.clone(), key: Arc::new(key) })
    }
}

impl PartialEq for Vault {
    fn eq(&self, other: &Self) -> bool {
        (&self.folder, &self.key, &self.previous) == (&other.folder, &other.key, &other.previous)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("folder", &self.folder).field("key", &self.key).finish_non_exhaustive()
    }
}

/// A vault with its key.
#[derive(Clone)]
pub(crate) struct OpenVault {
    folder: PathBuf,
    key: Arc<Key>,
}

impl OpenVault {
    /// The signature of a text that anybody may read. The key is made where there is none yet.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<String> {
        Ok(self.key.to_seal()?.sign(text))
    }

    /// Whether a signature is that of this text, by this key. Where there is no key, nothing is signed.
    pub(crate) fn has_signed(&self, text: &[u8], signature: &str) -> bool {
        self.key.to_open("library").is_ok_and(|sealer| sealer.has_signed(text, signature))
    }
}
