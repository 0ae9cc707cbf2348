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
use super::seal::{Ring, Sealer, random};

/// How short a key may be that a person gives. Thirty-two characters of base 64 are 192 bits.
const SHORTEST: usize = 32;

/// The longest file with keys, in bytes.
const LONGEST: u64 = 4 << 10;

/// The most keys of one file.
const MOST: usize = 32;

/// What opens a vault: one key or several, the newest first.
pub(super) enum Key {
    Given(Ring),
    /// It is read when it is needed.
    File(PathBuf),
}

impl Key {
    /// Keys that a person gave as secrets, each with its name, the newest first.
    pub(super) fn given(secrets: &[(&str, Secret)]) -> Result<Self> {
        if let Some((name, _)) = secrets.iter().find(|(_, secret)| secret.expose().len() < SHORTEST) {
            let why = format!("the secret `{name}` is too short for the key of a vault");
            return Err(Error::new(Code::VaultUnreadable, why)
                .with_help(format!("take at least {SHORTEST} characters: `openssl rand -base64 32`")));
        }
        Ok(Self::Given(Ring::of(secrets.iter().map(|(_, secret)| secret))?))
    }

    /// A key in a file, which need not be there yet.
    pub(super) fn in_file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    /// What opens the entry that was sealed before.
    pub(super) fn to_open(&self, entry: &str) -> Result<Ring> {
        match self {
            Self::Given(ring) => Ok(ring.clone()),
            Self::File(path) => match read(path)? {
                Some(secrets) => Ring::of(&secrets),
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
            Self::Given(ring) => ring.newest().cloned(),
            Self::File(path) => match read(path)? {
                Some(secrets) => Ring::of(&secrets)?.newest().cloned(),
                None => Ring::of(&made(path)?)?.newest().cloned(),
            },
        }
    }

    /// Puts a new key before those that are there: from now on it seals, and the others still open. One that a person gave is new as
    /// soon as they say so.
    pub(super) fn renew(&self) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        let _alone = alone(path)?;
        let before = read(path)?.unwrap_or_default();
        let key = Secret::new(STANDARD.encode(random::<32>()?));
        if before.len() >= MOST {
            let why = format!("`{}` has {MOST} keys already", path.display());
            return Err(Error::new(Code::VaultUnreadable, why).with_help(
                "seal everything anew in every project, and then `adjutant secrets rotate --forget-old`",
            ));
        }
        write(path, std::iter::once(&key).chain(&before))
    }

    /// Forgets all keys but the newest. Returns how many.
    pub(super) fn forget_old(&self) -> Result<usize> {
        let Self::File(path) = self else { return Ok(0) };
        let _alone = alone(path)?;
        let keys = read(path)?.unwrap_or_default();
        if keys.len() > 1 {
            write(path, keys.iter().take(1))?;
        }
        Ok(keys.len().saturating_sub(1))
    }
}

/// Held while the keys of a file change.
fn alone(path: &Path) -> Result<fs::File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let locked = || -> io::Result<fs::File> {
        private_folder(folder)?;
        let mut options = OpenOptions::new();
        let lock =
            options.write(true).create(true).truncate(false).mode(0o600).open(path.with_extension("lock"))?;
        lock.lock()?;
        Ok(lock)
    };
    locked().map_err(|error| fault(path, "locked", &error))
}

/// Replaces the keys of a file: they are all there, or those before are.
fn write<'a>(path: &Path, keys: impl Iterator<Item = &'a Secret>) -> Result<()> {
    let beside = path.with_extension(format!("{:016x}.part", u64::from_ne_bytes(random()?)));
    let text = Secret::new(keys.fold(String::new(), |text, key| format!("{text}{}\n", key.expose())));
    let written = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.expose().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(|error| {
        let _ = fs::remove_file(&beside);
        fault(path, "written", &error)
    })
}

fn fault(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(Code::VaultUnreadable, format!("the key of the vault, `{}`, cannot be {what}", path.display()))
        .caused_by(error)
}

/// The keys in a file, a line each, the newest first; none where there is no file.
fn read(path: &Path) -> Result<Option<Vec<Secret>>> {
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
    let keys: Vec<&str> = text.expose().lines().map(str::trim).filter(|key| !key.is_empty()).collect();
    if keys.is_empty() || keys.iter().any(|key| key.len() < SHORTEST) {
        let why = format!("the key of the vault, `{}`, is too short", path.display());
        return Err(Error::new(Code::VaultUnreadable, why).with_help(format!(
            "it has at least {SHORTEST} characters; put the one back that was there before"
        )));
    }
    Ok(Some(keys.into_iter().map(Secret::new).collect()))
}

/// Makes a key. Where another process makes one at the same time, both take that which was first.
fn made(path: &Path) -> Result<Vec<Secret>> {
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
        let newest = || key.to_open("x").unwrap().newest().unwrap().id().to_owned();
        assert!(ids.iter().all(|id| *id == newest()), "{ids:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = key.to_open("x").err().unwrap();
        assert!(error.help().is_some_and(|help| help.starts_with("`chmod 600 ")), "{error}");
    }

    #[test]
    fn a_new_key_seals_and_those_before_still_open() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::in_file(&folder.path().join("vault.key"));
        let first = key.to_seal().unwrap().seal("x", &Secret::new("one")).unwrap();
        key.renew().unwrap();
        let second = key.to_seal().unwrap().seal("x", &Secret::new("two")).unwrap();
        let opens = |sealed: &str| key.to_open("x").unwrap().open("x", sealed);
        assert_eq!((opens(&first), opens(&second)), (Ok(Secret::new("one")), Ok(Secret::new("two"))));
        let signature = key.to_seal().unwrap().sign(b"text");
        key.renew().unwrap();
        assert!(key.to_open("x").unwrap().has_signed(b"text", &signature));
        assert_eq!(key.forget_old().unwrap(), 2);
        assert_eq!(key.forget_old().unwrap(), 0);
        assert!(opens(&first).is_err() && opens(&second).is_err());
        let path = folder.path().join("vault.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for _ in 1..MOST {
            key.renew().unwrap();
        }
        assert_eq!(key.renew().unwrap_err().code(), Code::VaultUnreadable);
    }

    #[test]
    fn a_short_key_is_refused() {
        for (secret, fits) in [("hunter2", false), ("0123456789012345678901234567890123", true)] {
            assert_eq!(Key::given(&[("k", Secret::new(secret))]).is_ok(), fits);
        }
    }
}
