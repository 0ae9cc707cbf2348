//! The secrets that are kept in the vault of a project.

use std::path::PathBuf;
use std::sync::Arc;

use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error, Result};
use adjutant_tool::library::Library;
use serde::Serialize;

use super::load::Project;
use super::secrets::ProjectSecrets;
use super::tenant;

/// What was sealed and signed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Entries of vaults: secrets, and logins.
    pub sealed: usize,
    /// Tools of libraries.
    pub signed: usize,
    /// Keys that were forgotten.
    pub forgotten: usize,
}

impl Project {
    /// Keeps a secret in the vault of the project, encrypted. `[secrets]` names it with `{ vault = true }`.
    ///
    /// Fails with [`Code::VaultUnreadable`] where the vault has no key.
    pub async fn keep_secret(&self, name: &str, text: &Secret) -> Result<()> {
        self.settings.vault.keep_secret(name, text, &|key| self.secrets.key(key)).await
    }

    /// Removes a secret from the vault. Returns whether there was one.
    pub async fn remove_secret(&self, name: &str) -> Result<bool> {
        self.settings.vault.remove_secret(name, &|key| self.secrets.key(key)).await
    }

    /// The names of the secrets that the vault keeps.
    pub fn kept_secrets(&self) -> Result<Vec<String>> {
        self.settings.vault.secret_names(&|key| self.secrets.key(key))
    }

    /// Makes a new key for the vault, where its key is a file, and seals everything anew: secrets and logins of all tenants, and the
    /// signatures of tools that agents made. The old keys stay, and open what is sealed with them, until they are forgotten.
    ///
    /// Nothing is lost where the process dies in the middle: the next time does the rest.
    pub async fn rotate_vault(&self) -> Result<Rotated> {
        let keys = |name: &str| self.secrets.key(name);
        self.settings.vault.renew_key(&keys)?;
        let mut rotated =
            Rotated { sealed: self.settings.vault.seal_anew(&keys).await?, ..Rotated::default() };
        rotated.signed = self.library.sign_anew()?;
        for folder in self.tenants()? {
            let vault = self.settings.vault.within(folder.join(tenant::VAULT));
            rotated.sealed += vault.seal_anew(&keys).await?;
            let secrets = Arc::<ProjectSecrets>::clone(&self.secrets) as Arc<dyn Secrets>;
            rotated.signed += Library::new(&folder, vault, secrets).sign_anew()?;
        }
        Ok(rotated)
    }

    /// Forgets all keys of the vault but the newest. Returns how many. What other projects of this user have sealed with them, and have not
    /// sealed anew, is lost.
    pub fn forget_old_keys(&self) -> Result<usize> {
        self.settings.vault.forget_old_keys(&|name: &str| self.secrets.key(name))
    }

    /// The folders of tenants other than the project's own.
    fn tenants(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join(tenant::FOLDER);
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let message = format!("`{}` cannot be read", folder.display());
                return Err(Error::new(Code::FileUnreadable, message).caused_by(&error));
            }
        };
        let mut folders: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
        folders.retain(|folder| folder.is_dir());
        folders.sort_unstable();
        Ok(folders)
    }
}
