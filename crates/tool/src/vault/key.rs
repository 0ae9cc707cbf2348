//! [`Key`]: what opens a vault.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::entry::{anew, private_folder};
use super::seal::{Sealer, random};

/// How short a key may be that a person gives. Thirty-two characters of base 64 are 192 bits.
const SHORTEST: usize = 32;

/// The longest file with a key, in bytes.
const LONGEST: u64 = 4 << 10;

/// What opens a vault.
pub(super) enum Key {
    Given(Sealer),
    /// It is read when it is needed.
    File(PathBuf),
}

impl Key {
    /// A key that a person gave as a secret.
    pub(super) fn given(name: &str, secret: &Secret) -> Result<Self> {
        if secret.expose().len() < SHORTEST {
            let why = format!("the secret `{name}` is too short for the key of a vault");
            return Err(Error::new(Code::VaultUnreadable, why)
                .with_help(format!("take at least {SHORTEST} characters: `openssl rand -base64 32`")));
        }
        Ok(Self::Given(Sealer::of(secret)?))
    }

    /// A key in a file, which need not be there yet.
    pub(super) fn in_file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    /// What opens the entry that was sealed before.
    pub(super) fn to_open(&self, entry: &str) -> Result<Sealer> {
        match self {
            Self::Given(sealer) => Ok(sealer.clone()),
            Self::File(path) => match read(path)? {
                Some(secret) => Sealer::of(&secret),
                None => Err(Error::new(
                    Code::VaultUnreadable,
                    format!("the key of the vault, `{}`, is not there", path.display()),
                )
                .with_help(format!("put it back, or log in anew: {}", anew(entry)))),
            },
        }
    }

    /// What seals. The file is made where it is not there.
    pub(super) fn to_seal(&self) -> Result<Sealer> {
        match self {
            Self::Given(sealer) => Ok(sealer.clone()),
            Self::File(path) => match read(path)? {
                Some(secret) => Sealer::of(&secret),
                None => Sealer::of(&made(path)?),
            },
        }
    }
}

fn fault(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(Code::VaultUnreadable, format!("the key of the vault, `{}`, cannot be {what}", path.display()))
        .caused_by(error)
}

/// The key in a file; none where there is no file.
fn read(path: &Path) -> Result<Option<Secret>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(path, "read", &error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let why = format!("the key of the vault, `{}`, can be read by other users", path.display());
        return Err(
            Error::new(Code::VaultUnreadable, why).with_help(format!("`chmod 600 {}`", path.display()))
        );
    }
    if !metadata.is_file() || metadata.len() > LONGEST {
        let why = format!("the key of the vault, `{}`, is no file with a key", path.display());
        return Err(Error::new(Code::VaultUnreadable, why));
    }
    let text = Secret::new(fs::read_to_string(path).map_err(|error| fault(path, "read", &error))?);
    let key = text.expose().trim();
    if key.len() < SHORTEST {
        let why = format!("the key of the vault, `{}`, is too short", path.display());
        return Err(Error::new(Code::VaultUnreadable, why).with_help(format!(
            "it has at least {SHORTEST} characters; put the one back that was there before"
        )));
    }
    Ok(Some(Secret::new(key)))
}

/// Makes a key. Where another process makes one at the same time, both take that which was first.
fn made(path: &Path) -> Result<Secret> {
    let key = Secret::new(STANDARD.encode(random::<32>()?));
    let folder = path.parent().unwrap_or(Path::new("."));
    // Of its own: others may make a key at the same time.
    let beside = path.with_extension(format!("{:016x}.part", u64::from_ne_bytes(random()?)));
    let write = || -> io::Result<()> {
        private_folder(folder)?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        writeln!(file, "{}", key.expose())?;
        file.sync_all()?;
        // Unlike renaming, it replaces nothing.
        match fs::hard_link(&beside, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    let written = write();
    let _ = fs::remove_file(&beside);
    written.map_err(|error| fault(path, "made", &error))?;
    read(path)?.ok_or_else(|| Error::new(Code::VaultUnreadable, "the key of the vault vanished"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_for_this_user() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/adjutant/vault.key");
        let key = Key::in_file(&path);
        assert_eq!(key.to_open("x").err().map(|error| error.code()), Some(Code::VaultUnreadable));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || Key::in_file(&path).to_seal().unwrap().id().to_owned())
            })
            .collect();
        let ids: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(ids.iter().all(|id| id == key.to_open("x").unwrap().id()), "{ids:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = key.to_open("x").err().unwrap();
        assert!(error.help().is_some_and(|help| help.starts_with("`chmod 600 ")), "{error}");
    }

    #[test]
    fn a_short_key_is_refused() {
        for (secret, fits) in [("hunter2", false), ("0123456789012345678901234567890123", true)] {
            assert_eq!(Key::given("k", &Secret::new(secret)).is_ok(), fits);
        }
    }
}
