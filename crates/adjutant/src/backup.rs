//! Backups: the store as it is at one moment, and the files that its runs refer to.
//!
//! The store is copied first and the files last. What a record refers to is on disk before the record is, so whatever the copy of
//! the store refers to is there when the files are copied, and what was erased meanwhile is not copied any more.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use adjutant_core::hash::{Digest, Hasher};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_store::{Store, SystemClock, backup as store};
use serde::{Deserialize, Serialize};

use crate::project::Project;

pub use adjutant_store::backup::check;

/// The version of what a backup looks like.
const FORMAT: u32 = 1;
const STORE: &str = "store.db";
const FILES: &str = "files";
const MANIFEST: &str = "backup.json";

/// What a backup says of itself; it is written last, so a backup without it is not whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    format: u32,
    /// When it was made.
    pub made: Timestamp,
    /// Who made it.
    pub by: String,
    /// The hash of the copy of the store.
    pub store: Digest,
    /// How many files of runs are with it.
    pub files: u64,
}

/// What was put back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Restored {
    /// What was restored.
    pub backup: Backup,
    /// Where the store is that was there before, if one was.
    pub store: Option<PathBuf>,
    /// Where the files are that were there before, if some were.
    pub files: Option<PathBuf>,
}

/// Makes a backup in a folder that is not there yet.
pub(crate) async fn make(store: &Store, work: &Path, folder: &Path, by: &str) -> Result<Backup> {
    if folder.exists() {
        return Err(Error::new(Code::Conflict, format!("`{}` is there already", folder.display()))
            .with_help("name a folder that is not there yet"));
    }
    let part = beside(folder, "part");
    let made = fill(store, work, &part, by).await.and_then(|backup| {
        std::fs::rename(&part, folder).map_err(|error| file(folder, &error))?;
        Ok(backup)
    });
    if made.is_err() {
        // Half a backup is none.
        let _ = std::fs::remove_dir_all(&part);
    }
    made
}

async fn fill(store: &Store, work: &Path, part: &Path, by: &str) -> Result<Backup> {
    let made = SystemClock.now();
    let begun = match std::fs::remove_dir_all(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => make_folder(part),
    };
    begun.map_err(|error| file(part, &error))?;
    let copy = part.join(STORE);
    store.back_up(&copy).await?;
    let (work, part, by) = (work.to_owned(), part.to_owned(), by.to_owned());
    let rest = tokio::task::spawn_blocking(move || {
        let files = copy_folder(&work, &part.join(FILES)).map_err(|error| file(&work, &error))?;
        let store = hash(&copy).map_err(|error| file(&copy, &error))?;
        let backup = Backup { format: FORMAT, made, by, store, files };
        let text = serde_json::to_string_pretty(&backup).unwrap_or_default();
        let manifest = part.join(MANIFEST);
        let written =
            std::fs::write(&manifest, text).and_then(|()| sync(&manifest)).and_then(|()| sync(&part));
        written.map_err(|error| file(&manifest, &error)).map(|()| backup)
    });
    rest.await.map_err(|error| Error::new(Code::Internal, "the copying broke off").caused_by(&error))?
}

/// Reads what a backup says of itself, and checks that its store is the one that it was made with.
pub fn read(folder: &Path) -> Result<Backup> {
    let damaged = |why: &str| {
        Error::new(Code::StoreCorrupt, format!("`{}` is not a whole backup: {why}", folder.display()))
            .with_help("use another one; nothing was changed")
    };
    let text = match std::fs::read_to_string(folder.join(MANIFEST)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(damaged("it has no `backup.json`")),
        Err(error) => return Err(file(&folder.join(MANIFEST), &error)),
    };
    let backup: Backup =
        serde_json::from_str(&text).map_err(|_| damaged("its `backup.json` cannot be read"))?;
    if backup.format > FORMAT {
        let message = format!("`{}` was made by a newer version of adjutant", folder.display());
        return Err(Error::new(Code::StoreNewer, message).with_help("use that version; nothing was changed"));
    }
    let copy = folder.join(STORE);
    if hash(&copy).map_err(|error| file(&copy, &error))? != backup.store {
        return Err(damaged("its store is not the one that it was made with"));
    }
    Ok(backup)
}

/// The copy of the store in a backup, if it is the one that it was made with. Fails as [`read`] does.
pub fn store_of(folder: &Path) -> Result<PathBuf> {
    read(folder).map(|_| folder.join(STORE))
}

impl Project {
    /// Puts a backup in the place of the project's store and files. Those that are there are kept under other names.
    ///
    /// Fails with [`Code::StoreCorrupt`] and [`Code::StoreNewer`] for what cannot be restored, and with [`Code::Conflict`] while a
    /// process works on the store; then nothing was changed.
    pub fn restore(&self, folder: &Path) -> Result<Restored> {
        let backup = read(folder)?;
        let stamp = SystemClock.now().0.to_string();
        let work = &self.settings().sandbox.work;
        let arriving = beside(work, "restoring");
        let prepared = match std::fs::remove_dir_all(&arriving) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => copy_folder(&folder.join(FILES), &arriving),
        };
        prepared.map_err(|error| file(&arriving, &error))?;
        // The store decides: where it cannot be replaced, the files stay as they are.
        let store = store::restore(&folder.join(STORE), &self.settings().store, &stamp);
        let store = match store {
            Ok(store) => store,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&arriving);
                return Err(error);
            }
        };
        let files = work.exists().then(|| beside(work, &format!("before-{stamp}")));
        let moved = match &files {
            Some(kept) => std::fs::rename(work, kept),
            None => Ok(()),
        };
        let moved = moved.and_then(|()| match arriving.exists() {
            true => std::fs::rename(&arriving, work),
            false => Ok(()),
        });
        moved.map_err(|error| file(work, &error))?;
        Ok(Restored { backup, store, files })
    }
}

/// Copies a folder with all that is in it; a file that goes meanwhile is left out. Links stay links and lead nowhere else than before:
/// what they lead to is not copied. Returns how many files there were; none where there is no such folder.
fn copy_folder(from: &Path, to: &Path) -> io::Result<u64> {
    let entries = match std::fs::read_dir(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    make_folder(to)?;
    let mut count = 0;
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let copied = match entry.file_type()? {
            kind if kind.is_dir() => copy_folder(&source, &target),
            kind if kind.is_file() => copy_file(&source, &target).map(|()| 1),
            kind if kind.is_symlink() => std::fs::read_link(&source)
                .and_then(|leads_to| std::os::unix::fs::symlink(leads_to, &target))
                .map(|()| 1),
            // A socket or a pipe has no content.
            _ => Ok(0),
        };
        match copied {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => count += copied?,
        }
    }
    sync(to)?;
    Ok(count)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    // A tool may put a link in the place of a file at any moment; it must not lead out of its folder.
    let mut source =
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(from)?;
    let metadata = source.metadata()?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_permissions(metadata.permissions())?;
    target.sync_all()
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

fn hash(path: &Path) -> io::Result<Digest> {
    let mut source = std::fs::File::open(path)?;
    let mut hasher = Hasher::default();
    let mut piece = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut source, &mut piece)? {
            0 => return Ok(hasher.digest()),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.components().as_path().as_os_str().to_owned();
    name.push(format!(".{ending}"));
    PathBuf::from(name)
}

fn file(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StoreFull,
        _ => Code::FileUnreadable,
    };
    Error::new(code, format!("`{}` cannot be copied", path.display())).caused_by(error)
}
