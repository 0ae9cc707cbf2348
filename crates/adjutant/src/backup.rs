//! Backups: the store as it is at one moment, the files that its runs refer to, and what is kept beside both.
//!
//! The store is copied first and the rest after it. What a record refers to is on disk before the record is, so whatever the copy of
//! the store refers to is there when the files are copied, and what was erased meanwhile is not copied any more.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use adjutant_core::hash::{Digest, Hasher};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_store::{Store, SystemClock, backup as store};
use serde::{Deserialize, Serialize};

use crate::assembly::RESULTS;
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
    /// How many files of each folder that is kept beside them are with it: `vault`, `tenants` and `results`.
    #[serde(default)]
    pub kept: BTreeMap<String, u64>,
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
    /// Where that is which was there before of what is kept beside them.
    pub kept: Vec<PathBuf>,
}

/// A folder that belongs to a backup.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What it is called in the backup.
    name: &'static str,
    /// Where it is in use.
    path: PathBuf,
}

impl Part {
    /// The files of runs.
    pub(crate) fn files(work: &Path) -> Self {
        Self { name: FILES, path: work.to_owned() }
    }
}

impl Project {
    /// What is kept beside a store and the files of its runs: sealed secrets and logins, what other tenants have of their own, and
    /// results of workflows.
    pub(crate) fn parts_beside(&self, store: &Path) -> Vec<Part> {
        let results = Part { name: "results", path: store.with_file_name(RESULTS) };
        let own = [("vault", self.vault_folder()), ("tenants", self.tenants_folder())];
        let own = own.into_iter().filter_map(|(name, path)| Some(Part { name, path: path? }));
        own.chain([results]).collect()
    }
}

/// Makes a backup in a folder that is not there yet.
pub(crate) async fn make(store: &Store, parts: Vec<Part>, folder: &Path, by: &str) -> Result<Backup> {
    if folder.exists() {
        return Err(Error::new(Code::Conflict, format!("`{}` is there already", folder.display()))
            .with_help("name a folder that is not there yet"));
    }
    let part = beside(folder, "part");
    let made = fill(store, parts, &part, by).await.and_then(|backup| {
        std::fs::rename(&part, folder).map_err(|error| file(folder, &error))?;
        Ok(backup)
    });
    if made.is_err() {
        // Half a backup is none.
        let _ = std::fs::remove_dir_all(&part);
    }
    made
}

async fn fill(store: &Store, parts: Vec<Part>, part: &Path, by: &str) -> Result<Backup> {
    let made = SystemClock.now();
    let begun = match std::fs::remove_dir_all(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => make_folder(part),
    };
    begun.map_err(|error| file(part, &error))?;
    let copy = part.join(STORE);
    store.back_up(&copy).await?;
    let (part, by) = (part.to_owned(), by.to_owned());
    let rest = tokio::task::spawn_blocking(move || {
        let mut kept = BTreeMap::new();
        for Part { name, path } in parts {
            let count = copy_folder(&path, &part.join(name)).map_err(|error| file(&path, &error))?;
            kept.insert(name.to_owned(), count);
        }
        let files = kept.remove(FILES).unwrap_or_default();
        let store = hash(&copy).map_err(|error| file(&copy, &error))?;
        let backup = Backup { format: FORMAT, made, by, store, files, kept };
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
    /// Puts a backup in the place of the project's store and files, and of what is kept beside them. Those that are there are kept under
    /// other names; of what is not in the backup, nothing is changed.
    ///
    /// Fails with [`Code::StoreCorrupt`] and [`Code::StoreNewer`] for what cannot be restored, and with [`Code::Conflict`] while a
    /// process works on the store; then nothing was changed.
    pub fn restore(&self, folder: &Path) -> Result<Restored> {
        let backup = read(folder)?;
        let stamp = SystemClock.now().0.to_string();
        let place = &self.settings().store;
        let mut parts = self.parts_beside(place);
        parts.retain(|part| backup.kept.get(part.name).is_some_and(|files| *files > 0));
        parts.insert(0, Part::files(&self.settings().sandbox.work));
        let prepared = parts.iter().try_for_each(|part| part.prepare(folder));
        // The store decides: where it cannot be replaced, the files stay as they are.
        let store = prepared.and_then(|()| store::restore(&folder.join(STORE), place, &stamp));
        let store = match store {
            Ok(store) => store,
            Err(error) => {
                parts.iter().for_each(Part::give_up);
                return Err(error);
            }
        };
        let mut before = parts.iter().map(|part| part.put(&stamp)).collect::<Result<Vec<_>>>()?.into_iter();
        let files = before.next().flatten();
        Ok(Restored { backup, store, files, kept: before.flatten().collect() })
    }
}

impl Part {
    /// Copies it out of a backup, to beside its place.
    fn prepare(&self, backup: &Path) -> Result<()> {
        let arriving = self.arriving();
        let copied = match std::fs::remove_dir_all(&arriving) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => copy_folder(&backup.join(self.name), &arriving),
        };
        copied.map(drop).map_err(|error| file(&arriving, &error))
    }

    fn arriving(&self) -> PathBuf {
        beside(&self.path, "restoring")
    }

    fn give_up(&self) {
        let _ = std::fs::remove_dir_all(self.arriving());
    }

    /// Puts what was copied in its place. Returns where that is which was there before, if it was.
    fn put(&self, stamp: &str) -> Result<Option<PathBuf>> {
        let (path, arriving) = (&self.path, self.arriving());
        let kept = path.exists().then(|| beside(path, &format!("before-{stamp}")));
        let moved = match &kept {
            Some(kept) => std::fs::rename(path, kept),
            None => Ok(()),
        };
        let moved = moved.and_then(|()| match arriving.exists() {
            true => std::fs::rename(&arriving, path),
            false => Ok(()),
        });
        moved.map_err(|error| file(path, &error)).map(|()| kept)
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
