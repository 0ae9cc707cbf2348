//! [`Folder`]: the files of one session.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind, Read, Seek};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use adjutant_core::hash::{Digest, Hasher};
use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::{Code, Error, Result};

use super::artifact::{self, Artifact};
use super::launch::NOBODY;
use super::{machine, tree};

/// Whose files they are: all turns of a session share a folder, and a run that belongs to none has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A session.
    Session(SessionId),
    /// A run without a session.
    Run(RunId),
    /// A server that works for many of them, by its name.
    Server(String),
}

/// The files of one session, or of a run without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder of `owner` in `work`, which holds those of all. Nothing is made.
    pub fn of(work: &Path, scope: &Scope, owner: &Owner) -> Self {
        let name = match owner {
            Owner::Session(session) => format!("session-{}", component(session.as_str())),
            Owner::Run(run) => format!("run-{}", component(run.as_str())),
            Owner::Server(server) => format!("server-{}", component(server)),
        };
        Self { path: of_scope(work, scope).join(name) }
    }

    /// Every folder of a scope.
    pub fn all(work: &Path, scope: &Scope) -> Result<Vec<Self>> {
        let scope = of_scope(work, scope);
        let entries = match std::fs::read_dir(&scope) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(&scope, &error)),
        };
        let paths = entries.map(|entry| entry.map(|entry| Self { path: entry.path() }));
        paths.collect::<io::Result<_>>().map_err(|error| fault(&scope, &error))
    }

    /// The folder that holds those of all sessions, of every scope.
    pub(super) fn work(&self) -> &Path {
        self.path.ancestors().nth(3).unwrap_or(&self.path)
    }

    /// The files themselves.
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Answers of services that cannot be asked for again. No sandbox sees them.
    pub(crate) fn answers(&self) -> PathBuf {
        self.path.join("answers")
    }

    /// Where each call keeps what it needs only while it runs.
    pub(super) fn calls(&self) -> PathBuf {
        self.path.join("calls")
    }

    /// Makes the folder, where it is not there. Nobody but this user reaches it, and what runs in the sandbox reaches
    /// the files in it.
    pub(super) fn create(&self) -> Result<()> {
        [self.files(), self.calls()]
            .iter()
            .try_for_each(|path| make(path))
            .and_then(|()| give(&self.files()))
            .map_err(|error| fault(&self.path, &error))
    }

    /// The files that tools have left, by their paths; the first ten thousand.
    pub fn artifacts(&self) -> Result<Vec<Artifact>> {
        let files = self.files();
        artifact::list(&files).map_err(|error| fault(&files, &error))
    }

    /// One of the files. Fails with [`Code::NotFound`] when there is none, and as [`open`](Self::open) does.
    pub fn artifact(&self, path: &Path) -> Result<Artifact> {
        let files = self.files();
        let root = tree::open(&files).map_err(|error| self.missing(path, &error))?;
        let metadata = root.metadata(path).map_err(|error| self.missing(path, &error))?;
        match metadata.is_file() {
            true => Ok(Artifact::of(path, &metadata)),
            false => Err(no_file(path)),
        }
    }

    /// The hash of one of the files. Reads all of it.
    pub fn digest(&self, path: &Path) -> Result<Digest> {
        let (mut file, mut hasher, mut chunk) = (self.open(path)?, Hasher::default(), vec![0; 64 << 10]);
        loop {
            match file.read(&mut chunk).map_err(|error| fault(&self.files().join(path), &error))? {
                0 => return Ok(hasher.digest()),
                count => hasher.update(chunk.get(..count).unwrap_or_default()),
            }
        }
    }

    fn missing(&self, path: &Path, error: &io::Error) -> Error {
        // The library reports an escape as an error of its own, without a number of the system.
        let escapes = error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none();
        match error.kind() {
            _ if escapes => {
                Error::new(Code::InputInvalid, format!("`{}` leads outside of the folder", path.display()))
            }
            ErrorKind::NotFound => {
                Error::new(Code::NotFound, format!("there is no file `{}`", path.display()))
            }
            _ => fault(&self.files().join(path), error),
        }
    }

    /// Opens one of the files for reading. Fails with [`Code::NotFound`] when there is none. A link that leads out of the
    /// folder is not followed; a pipe and a device are refused with [`Code::InputInvalid`].
    pub fn open(&self, path: &Path) -> Result<impl Read + Seek + use<>> {
        let files = self.files();
        let wrong = |error: &io::Error| self.missing(path, error);
        let mut options = cap_std::fs::OpenOptions::new();
        options.read(true);
        // Without it, opening a pipe waits for somebody to write to it.
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        cap_std::fs::OpenOptionsExt::custom_flags(&mut options, i32::try_from(flags).unwrap_or(0));
        let root = tree::open(&files).map_err(|error| wrong(&error))?;
        let file = root.open_with(path, &options).map_err(|error| wrong(&error))?;
        match file.metadata().map_err(|error| wrong(&error))?.is_file() {
            true => Ok(file),
            false => Err(no_file(path)),
        }
    }

    /// Removes the folder with all that is in it.
    pub fn erase(&self) -> Result<()> {
        tree::remove(&self.path).map_err(|error| fault(&self.path, &error))
    }
}

fn no_file(path: &Path) -> Error {
    Error::new(Code::InputInvalid, format!("`{}` is no ordinary file", path.display()))
}

/// Makes a folder that only this user can open, and those above it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Gives a folder to the user that sandboxed programs are. Without root, they are this user.
pub(super) fn give(path: &Path) -> io::Result<()> {
    if machine::is_root() {
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// Writes a file that sandboxed programs may read.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o444))
}

fn of_scope(work: &Path, scope: &Scope) -> PathBuf {
    work.join(component(&scope.tenant)).join(component(&scope.project))
}

/// The name as one component of a path; one that could be something else is hashed.
fn component(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with("hash-") {
        true => name.to_owned(),
        false => format!("hash-{}", Digest::of_parts(&[name.as_bytes()])),
    }
}

pub(super) fn fault(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        _ => Code::FileUnreadable,
    };
    Error::new(code, format!("`{}` cannot be used", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        let folder = |session: &str| {
            Folder::of(Path::new("/w"), &Scope::default(), &Owner::Session(SessionId::new(session))).path
        };
        assert_eq!(folder("desk-7"), Path::new("/w/local/local/session-desk-7"));
        let hashed = ["../../x", "", ".", "a/b", "ä", &"a".repeat(65), "hash-1"].map(folder);
        for path in &hashed {
            assert!(path.starts_with("/w/local/local") && path.components().count() == 5, "{path:?}");
            assert_eq!(hashed.iter().filter(|other| *other == path).count(), 1);
        }
    }

    #[test]
    fn files_are_listed_and_nothing_outside_is_opened() {
        let work = tempfile::tempdir().unwrap();
        let owner = Owner::Run(RunId::from_bytes([1; 10]));
        let folder = Folder::of(work.path(), &Scope::default(), &owner);
        assert_eq!(folder.artifacts().unwrap(), []);
        folder.create().unwrap();
        std::fs::create_dir(folder.files().join("charts")).unwrap();
        std::fs::write(folder.files().join("charts/a.svg"), "<svg/>").unwrap();
        std::fs::write(work.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(work.path().join("secret"), folder.files().join("link")).unwrap();
        let listed = folder.artifacts().unwrap();
        let shown: Vec<_> = listed.iter().map(|found| (found.path.to_str().unwrap(), found.bytes)).collect();
        assert_eq!(shown, [("charts/a.svg", 6)]);
        assert_eq!(folder.artifact(Path::new("charts/a.svg")).unwrap(), listed[0]);
        assert_eq!(folder.digest(Path::new("charts/a.svg")).unwrap(), Digest::of(b"<svg/>"));
        for wrong in ["nothing", "charts/nothing", "charts", "link", "../../secret", "/etc/passwd", ""] {
            assert!(folder.artifact(Path::new(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(folder.open(Path::new("nothing")).err().unwrap().code(), Code::NotFound);
        let mut text = String::new();
        folder.open(Path::new("charts/a.svg")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "<svg/>");
        assert!(folder.open(Path::new("link")).is_err());
        assert!(folder.open(Path::new("../../secret")).is_err());
        assert!(folder.open(Path::new("charts")).is_err());
        assert_eq!(Folder::all(work.path(), &Scope::default()).unwrap(), std::slice::from_ref(&folder));
        folder.erase().unwrap();
        assert_eq!(Folder::all(work.path(), &Scope::default()).unwrap(), []);
    }
}
