//! The entries of a vault: reading one, and changing one while nobody else does.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};

use super::OpenVault;
use super::seal::Unopened;

/// How the files of entries end.
const SUFFIX: &str = ".sealed";

/// The longest entry, in bytes.
const LONGEST: u64 = 1 << 20;

/// How long another may hold the lock of an entry: the time for a token, which is longer than that for any of its
/// requests.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long is waited before the lock is tried again.
const PAUSE: Duration = Duration::from_millis(20);

impl OpenVault {
    /// The text of an entry; none where nothing is kept under its name. Fails with [`Code::VaultUnreadable`].
    pub(crate) fn read(&self, entry: &str) -> Result<Option<Secret>> {
        let path = self.path(entry);
        let written = match File::open(&path) {
            Ok(file) => text(file).map_err(|error| fault(&path, "read", &error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(&path, "read", &error)),
        };
        let opened = self.key.to_open(entry)?.open(entry, &written);
        opened.map(Some).map_err(|unopened| explained(&path, entry, &unopened))
    }

    /// Waits until nobody else changes an entry, in this process or in another. Fails with [`Code::ToolBusy`] where that
    /// takes too long.
    pub(crate) async fn lock(&self, entry: &str) -> Result<Locked<'_>> {
        private_folder(&self.folder).map_err(|error| fault(&self.folder, "made", &error))?;
        let path = self.folder.join(format!("{entry}.lock"));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| fault(&path, "made", &error))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked { vault: self, entry: entry.to_owned(), _lock: file }),
                Err(TryLockError::Error(error)) => return Err(fault(&path, "locked", &error)),
                Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                    let why = format!("another process has held `{entry}` of the vault for too long");
                    return Err(Error::new(Code::ToolBusy, why)
                        .with_help("it is renewing a token; end it if it hangs"));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The names of all entries. Fails with [`Code::FileUnreadable`].
    pub(super) fn entries(&self) -> Result<Vec<String>> {
        let listed = match fs::read_dir(&self.folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(&self.folder, "read", &error)),
        };
        let names = listed.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter_map(|name| name.strip_suffix(SUFFIX).map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, entry: &str) -> PathBuf {
        self.folder.join(format!("{entry}{SUFFIX}"))
    }
}

/// An entry that nobody else changes. The lock ends with it, however the process ends.
pub(crate) struct Locked<'a> {
    vault: &'a OpenVault,
    entry: String,
    _lock: File,
}

impl Locked<'_> {
    /// The text as it is now.
    pub(crate) fn read(&self) -> Result<Option<Secret>> {
        self.vault.read(&self.entry)
    }

    /// Puts a text in its place. It is on disk when this returns.
    pub(crate) fn write(&self, text: &Secret) -> Result<()> {
        let path = self.vault.path(&self.entry);
        let sealed = self.vault.key.to_seal()?.seal(&self.entry, text)?;
        replace(&path, sealed.as_bytes()).map_err(|error| fault(&path, "written", &error))
    }

    /// Removes the text. Gives whether there was one.
    pub(crate) fn remove(&self) -> Result<bool> {
        let path = self.vault.path(&self.entry);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(fault(&path, "removed", &error)),
        }
    }
}

/// Makes a folder that only this user can open, and those above it.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("part");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// What can be done where an entry cannot be opened any more.
pub(super) fn anew(entry: &str) -> String {
    if let Some(secret) = entry.strip_prefix(super::secrets::PREFIX) {
        return format!("`adjutant secrets set {secret}`");
    }
    format!("`adjutant tools logout {entry}`, then `adjutant tools login {entry}`")
}

fn explained(path: &Path, entry: &str, unopened: &Unopened) -> Error {
    let shown = path.display();
    let anew = anew(entry);
    let (why, help) = match unopened {
        Unopened::Changed => (
            format!("`{shown}` was changed or is damaged, and does not open"),
            format!("put back what was there before, or begin anew: {anew}"),
        ),
        Unopened::OtherKey => (
            format!("`{shown}` was sealed with another key"),
            format!("give the key that the vault had before, or begin anew: {anew}"),
        ),
        Unopened::Newer(version) => (
            format!("`{shown}` has the form {version}, which a later version of Adjutant writes"),
            "use that version, or a later one".to_owned(),
        ),
    };
    Error::new(Code::VaultUnreadable, why).with_help(help)
}

fn fault(path: &Path, what: &str, error: &io::Error) -> Error {
    let code = match error.kind() {
        // It is not text at all.
        ErrorKind::InvalidData => Code::VaultUnreadable,
        _ => Code::FileUnreadable,
    };
    Error::new(code, format!("`{}` cannot be {what}", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::super::key::Key;
    use super::*;

    fn vault(folder: &Path, key: &str) -> OpenVault {
        let key = Key::given(&[("key", Secret::new(key.repeat(32)))]).unwrap();
        OpenVault { folder: folder.join("vault"), key: Arc::new(key) }
    }

    #[tokio::test]
    async fn entries_are_kept_and_say_why_they_do_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let kept = vault(folder.path(), "a");
        assert_eq!(kept.read("tracker").unwrap(), None);
        let locked = kept.lock("tracker").await.unwrap();
        locked.write(&Secret::new("first")).unwrap();
        locked.write(&Secret::new("second")).unwrap();
        assert_eq!(kept.read("tracker").unwrap(), Some(Secret::new("second")));
        let path = kept.path("tracker");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&kept.folder).unwrap().permissions().mode() & 0o777, 0o700);

        let message = |vault: &OpenVault| vault.read("tracker").unwrap_err().message().to_owned();
        assert!(message(&vault(folder.path(), "b")).ends_with("was sealed with another key"));
        let written = fs::read(&path).unwrap();
        fs::write(&path, &written[..written.len() / 2]).unwrap();
        assert!(message(&kept).ends_with("was changed or is damaged, and does not open"));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(message(&kept).ends_with("cannot be read"));
        assert!(locked.remove().unwrap() && !locked.remove().unwrap());
        assert_eq!(kept.read("tracker").unwrap(), None);
    }

    #[tokio::test]
    async fn one_changes_an_entry_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let kept = vault(folder.path(), "a");
        kept.lock("count").await.unwrap().write(&Secret::new("0")).unwrap();
        let add = || async {
            let locked = kept.lock("count").await.unwrap();
            let before: u32 = locked.read().unwrap().unwrap().expose().parse().unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
            locked.write(&Secret::new((before + 1).to_string())).unwrap();
        };
        futures::future::join_all((0..10).map(|_| add())).await;
        assert_eq!(kept.read("count").unwrap(), Some(Secret::new("10")));
    }
}
