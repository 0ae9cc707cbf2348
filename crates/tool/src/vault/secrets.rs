//! Secrets that a person puts into the vault.

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};

use super::Vault;

/// How their entries begin. No server has a name like that, so they are never taken for a login.
pub(super) const PREFIX: &str = "secret.";

/// The longest secret, in bytes.
const LONGEST: usize = 64 << 10;

/// Finds the secret that is the key, by its name.
type Keys<'a> = &'a (dyn Fn(&str) -> Result<Secret> + Sync);

impl Vault {
    /// A secret that is kept here; none where there is none of that name. Fails with [`Code::VaultUnreadable`].
    pub fn secret(&self, name: &str, keys: Keys<'_>) -> Result<Option<Secret>> {
        let entry = entry(name)?;
        // Who keeps nothing needs no key.
        if !self.folder.join(format!("{entry}.sealed")).exists() {
            return Ok(None);
        }
        self.open(keys)?.read(&entry)
    }

    /// Keeps a secret under a name, in the place of one that is there. It is on disk when this returns.
    ///
    /// Fails with [`Code::InputInvalid`] for a name that cannot be one and for a text that is empty or too long.
    pub async fn keep_secret(&self, name: &str, text: &Secret, keys: Keys<'_>) -> Result<()> {
        let entry = entry(name)?;
        if text.expose().trim().is_empty() || text.expose().len() > LONGEST {
            let message = format!("a secret has 1 to {LONGEST} bytes");
            return Err(Error::new(Code::InputInvalid, message));
        }
        self.open(keys)?.lock(&entry).await?.write(text)
    }

    /// Removes a secret. Returns whether there was one.
    pub async fn remove_secret(&self, name: &str, keys: Keys<'_>) -> Result<bool> {
        self.open(keys)?.lock(&entry(name)?).await?.remove()
    }

    /// The names of the secrets that are kept here.
    pub fn secret_names(&self, keys: Keys<'_>) -> Result<Vec<String>> {
        let entries = self.open(keys)?.entries()?;
        Ok(entries.iter().filter_map(|entry| entry.strip_prefix(PREFIX)).map(str::to_owned).collect())
    }

    /// Makes a new key where it is a file, and does nothing where a person gives it. What was sealed before still opens.
    pub fn renew_key(&self, keys: Keys<'_>) -> Result<()> {
        self.open(keys)?.key.renew()
    }

    /// Forgets all keys of its file but the newest: nothing that they sealed opens any more. Returns how many.
    pub fn forget_old_keys(&self, keys: Keys<'_>) -> Result<usize> {
        self.open(keys)?.key.forget_old()
    }

    /// Seals every entry anew, logins too, with the newest key. Each is replaced at once or not at all, so whoever dies in the middle
    /// has lost nothing and may begin again. Returns how many.
    pub async fn seal_anew(&self, keys: Keys<'_>) -> Result<usize> {
        let vault = self.open(keys)?;
        let mut sealed = 0;
        for entry in vault.entries()? {
            let locked = vault.lock(&entry).await?;
            if let Some(text) = locked.read()? {
                locked.write(&text)?;
                sealed += 1;
            }
        }
        Ok(sealed)
    }
}

fn entry(name: &str) -> Result<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match (1..=100).contains(&name.len()) && name.bytes().all(fits) {
        true => Ok(format!("{PREFIX}{name}")),
        false => Err(Error::new(Code::InputInvalid, format!("`{name}` cannot be the name of a secret"))
            .with_help("use 1 to 100 characters of a-z, A-Z, 0-9, - and _")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use adjutant_core::time::{Clock, Timestamp};

    use super::super::KeyPlace;
    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    fn key(name: &str) -> Result<Secret> {
        Ok(Secret::new(name.repeat(32)))
    }

    #[tokio::test]
    async fn secrets_are_kept_sealed_anew_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let vault =
            |name: &str| Vault::new(folder.path(), KeyPlace::Secret(name.to_owned()), Arc::new(Still));
        let old = vault("a");
        assert_eq!(old.secret("token", &key).unwrap(), None);
        old.keep_secret("token", &Secret::new("hunter2hunter2"), &key).await.unwrap();
        old.keep_secret("other", &Secret::new("12345678"), &key).await.unwrap();
        assert_eq!(old.secret_names(&key).unwrap(), ["other", "token"]);
        // Another key opens nothing, unless it is said which one was before.
        assert_eq!(vault("b").secret("token", &key).unwrap_err().code(), Code::VaultUnreadable);
        let both = vault("b").with_previous(vec!["a".to_owned()]);
        assert_eq!(both.secret("token", &key).unwrap(), Some(Secret::new("hunter2hunter2")));
        // Whoever dies in the middle has one of each.
        both.keep_secret("other", &Secret::new("87654321"), &key).await.unwrap();
        assert_eq!(both.seal_anew(&key).await.unwrap(), 2);
        assert_eq!(vault("b").secret("token", &key).unwrap(), Some(Secret::new("hunter2hunter2")));
        assert_eq!(vault("b").secret("other", &key).unwrap(), Some(Secret::new("87654321")));
        assert!(old.secret("token", &key).is_err());
        assert!(both.remove_secret("token", &key).await.unwrap());
        assert!(!both.remove_secret("token", &key).await.unwrap());
        for wrong in ["", "a/b", "..", "a.b"] {
            assert_eq!(
                both.keep_secret(wrong, &Secret::new("x"), &key).await.unwrap_err().code(),
                Code::InputInvalid
            );
        }
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains("hunter2") && !text.contains("87654321"), "{text}");
        }
    }
}
