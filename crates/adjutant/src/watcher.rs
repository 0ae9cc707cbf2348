//! [`Watcher`]: notices that the files of a project have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use adjutant_core::hash::Digest;
use adjutant_core::time::Clock;
use adjutant_store::SystemClock;

use crate::project::Project;

/// What of a project's folder is read when it is loaded.
const PARTS: [&str; 7] =
    ["adjutant.toml", "adjutant.lock", "agents", "workflows", "policies", "skills", "tools/library"];

/// The most files that are looked at.
const MOST: usize = 20_000;

/// How deep folders are looked into.
const DEEPEST: usize = 8;

/// The largest file that is read, in bytes. A larger one is known by its size and its time.
const LARGEST: u64 = 16 << 20;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Whatever was written so lately may be written once more without another time.
const TICK: Duration = Duration::from_secs(3);

/// Notices that the files of a project have changed, by what they say: a file that is written anew as it was is no change. Files
/// that are being written are waited for, until all stay as they are between two looks.
#[derive(Debug)]
pub struct Watcher {
    parts: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Seen>,
    /// What the files said when they were last told of.
    told: BTreeMap<PathBuf, Digest>,
    /// What they said at the last look.
    last: BTreeMap<PathBuf, Digest>,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    size: u64,
    modified: Option<SystemTime>,
    says: Digest,
    /// Whether whatever is written after this has another time.
    is_settled: bool,
}

impl Watcher {
    /// Begins to watch the files of a project as they are now.
    pub fn new(project: &Project) -> Self {
        let mut parts: Vec<PathBuf> = PARTS.iter().map(|part| project.folder().join(part)).collect();
        parts.extend(project.further_files());
        let mut watcher =
            Self { parts, files: BTreeMap::new(), told: BTreeMap::new(), last: BTreeMap::new() };
        watcher.told = watcher.read();
        watcher.last = watcher.told.clone();
        watcher
    }

    /// Waits until files have changed and stay as they are, and says which: those that are new, other ones, or gone.
    pub async fn changed(mut self) -> (Self, BTreeSet<PathBuf>) {
        loop {
            tokio::time::sleep(PERIOD).await;
            let looked = tokio::task::spawn_blocking(move || {
                let changed = self.look();
                (self, changed)
            });
            // A look cannot fail; where the runtime ends, so does whoever waits.
            let Ok((watcher, changed)) = looked.await else { return std::future::pending().await };
            if !changed.is_empty() {
                return (watcher, changed);
            }
            self = watcher;
        }
    }

    /// Looks once. Says what has changed since it last said something, if nothing has changed since the last look.
    pub fn look(&mut self) -> BTreeSet<PathBuf> {
        let now = self.read();
        let is_quiet = now == self.last;
        self.last = now;
        if !is_quiet || self.last == self.told {
            return BTreeSet::new();
        }
        let differs = |(path, says): &(&PathBuf, &Digest)| self.told.get(*path) != Some(*says);
        let gone = self.told.keys().filter(|path| !self.last.contains_key(*path));
        let changed = self.last.iter().filter(differs).map(|(path, _)| path).chain(gone).cloned().collect();
        self.told = self.last.clone();
        changed
    }

    /// What each file says. One that looks as it did is not read again.
    fn read(&mut self) -> BTreeMap<PathBuf, Digest> {
        let mut paths = Vec::new();
        self.parts.iter().for_each(|part| list(part, DEEPEST, &mut paths));
        let now = u64::try_from(SystemClock.now().0).unwrap_or_default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now);
        let mut files = BTreeMap::new();
        for path in paths {
            if let Some(seen) = see(&path, self.files.get(&path), now) {
                files.insert(path, seen);
            }
        }
        self.files = files;
        self.files.iter().map(|(path, seen)| (path.clone(), seen.says)).collect()
    }
}

/// Looks at one file; none where it is gone or cannot be read.
fn see(path: &Path, before: Option<&Seen>, now: SystemTime) -> Option<Seen> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let (size, modified) = (metadata.len(), metadata.modified().ok());
    if let Some(before) = before.filter(|before| before.is_settled)
        && (before.size, before.modified) == (size, modified)
    {
        return Some(before.clone());
    }
    let says = match size > LARGEST {
        true => Digest::of(format!("{size} {modified:?}").as_bytes()),
        false => Digest::of(&std::fs::read(path).ok()?),
    };
    let age = modified.and_then(|modified| now.duration_since(modified).ok());
    Some(Seen { size, modified, says, is_settled: age.is_some_and(|age| age > TICK) })
}

/// The files at a path and below it. What begins with a point is an editor's.
fn list(path: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    if files.len() >= MOST {
        return;
    }
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => files.push(path.to_owned()),
        Ok(metadata) if metadata.is_dir() && depth > 0 => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let shown = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
            let mut paths: Vec<_> = shown.map(|entry| entry.path()).collect();
            paths.sort_unstable();
            paths.iter().for_each(|path| list(path, depth - 1, files));
        }
        _ => {}
    }
}
