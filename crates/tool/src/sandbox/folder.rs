//! [`Folder`]: the files of one session.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::{Code, Error, Result};

use super::launch::NOBODY;
use super::{machine, tree};

/// How many files are listed.
const MOST_LISTED: usize = 10_000;

/// Whose files they are: all turns of a session share a folder, and a run that belongs to none has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A session.
    Session(SessionId),
    /// A run without a session.
    Run(RunId),
}

/// The files of one session, or of a run without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    path: PathBuf,
}

/// A file that a tool has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its path from the folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Folder {
    /// The folder of `owner` in `work`, which holds those of all. Nothing is made.
    pub fn of(work: &Path, scope: &Scope, owner: &Owner) -> Self {
        let name = match owner {
            Owner::Session(session) => format!("session-{}", component(session.as_str())),
            Owner::Run(run) => format!("run-{}", component(run.as_str())),
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

    /// The files themselves.
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
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
        let root = match tree::open(&files) {
            Ok(root) => root,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(&files, &error)),
        };
        let mut artifacts = Vec::new();
        let walked = tree::walk(&root, &mut |path, entry, kind| {
            if kind.is_file() {
                let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
                artifacts.push(Artifact { path: path.strip_prefix(".").unwrap_or(path).to_owned(), bytes });
            }
            if artifacts.len() < MOST_LISTED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        walked.map_err(|error| fault(&files, &error))?;
        artifacts.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(artifacts)
    }

    /// Opens one of the files for reading. A link that leads out of the folder, a pipe and a device are refused with
    /// [`Code::InputInvalid`].
    pub fn open(&self, path: &Path) -> Result<impl Read + use<>> {
        let files = self.files();
        let wrong = |error: &io::Error| fault(&files.join(path), error);
        let mut options = cap_std::fs::OpenOptions::new();
        options.read(true);
        // Without it, opening a pipe waits for somebody to write to it.
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        cap_std::fs::OpenOptionsExt::custom_flags(&mut options, i32::try_from(flags).unwrap_or(0));
        let root = tree::open(&files).map_err(|error| fault(&files, &error))?;
        let file = root.open_with(path, &options).map_err(|error| wrong(&error))?;
        match file.metadata().map_err(|error| wrong(&error))?.is_file() {
            true => Ok(file),
            false => Err(Error::new(Code::InputInvalid, format!("`{}` is no ordinary file", path.display()))),
        }
    }

    /// Removes the folder with all that is in it.
    pub fn erase(&self) -> Result<()> {
        tree::remove(&self.path).map_err(|error| fault(&self.path, &error))
    }
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

fn fault(path: &Path, error: &io::Error) -> Error {
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
        assert_eq!(listed, [Artifact { path: "charts/a.svg".into(), bytes: 6 }]);
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
