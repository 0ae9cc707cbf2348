//! [`Artifact`]: a file that a tool has left, and what has changed among them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use adjutant_core::time::Timestamp;
use cap_std::fs::{Metadata, MetadataExt};

use super::tree;

/// How many files are listed.
const MOST_LISTED: usize = 10_000;

/// How many changes are told.
const MOST_TOLD: usize = 20;

/// How much of a path is told, in characters.
const LONGEST_PATH: usize = 200;

/// What names of files end with, and what that says of them.
const TYPES: [(&str, &str); 30] = [
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("py", "text/x-python"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("zip", "application/zip"),
];

/// The type of a file of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// A file that a tool has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its path from the folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last written to.
    pub modified: Timestamp,
}

impl Artifact {
    pub(super) fn of(path: &Path, metadata: &Metadata) -> Self {
        let path = path.strip_prefix(".").unwrap_or(path).to_owned();
        let (seconds, rest) = (metadata.mtime(), metadata.mtime_nsec() / 1_000_000);
        let modified = Timestamp(seconds.saturating_mul(1_000).saturating_add(rest));
        Self { path, bytes: metadata.len(), modified }
    }

    /// What its name says that it is: an IANA media type.
    pub fn media_type(&self) -> &'static str {
        let end = self.path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
        TYPES.iter().find(|(name, _)| *name == end).map_or(UNKNOWN, |(_, media_type)| media_type)
    }
}

/// What the names of files of that media type end with; none where nothing is known of it.
pub(super) fn ending(media_type: &str) -> Option<&'static str> {
    // Of two endings for one type, the last is the usual one.
    TYPES.iter().rev().find(|(_, known)| *known == media_type).map(|(name, _)| *name)
}

/// The files below a folder, by their paths; those that can be reached.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    walk(folder, &mut |path, metadata| artifacts.push(Artifact::of(path, metadata)))?;
    artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(artifacts)
}

fn walk(folder: &Path, each: &mut dyn FnMut(&Path, &Metadata)) -> io::Result<()> {
    let root = match tree::open(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        root => root?,
    };
    let mut count = 0;
    let walked = tree::walk(&root, &mut |path, entry, kind| {
        if kind.is_file()
            && let Ok(metadata) = entry.metadata()
        {
            each(path, &metadata);
            count += 1;
        }
        if count < MOST_LISTED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    // A program may have hidden files from everybody; that hides none of the others.
    drop(walked);
    Ok(())
}

/// What tells whether a file was written to, as far as the file system says it.
type Stamp = (u64, u64, i64, i64, i64, i64);

/// The files of a folder at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot(BTreeMap<PathBuf, (Stamp, Artifact)>);

impl Snapshot {
    /// Looks at a folder; at as much of it as can be looked at.
    pub(super) fn of(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        let looked = walk(folder, &mut |path, metadata| {
            let stamp = (
                metadata.ino(),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            );
            let artifact = Artifact::of(path, metadata);
            files.insert(artifact.path.clone(), (stamp, artifact));
        });
        // What cannot be looked at is not told.
        drop(looked);
        Self(files)
    }

    /// What is new and what was changed since `before`, in words.
    pub(super) fn changes(&self, before: &Self) -> Vec<String> {
        let mut changes = self.0.iter().filter_map(|(path, (stamp, artifact))| match before.0.get(path) {
            Some((old, _)) if old == stamp => None,
            Some(_) => Some(told("changed", artifact)),
            None => Some(told("new", artifact)),
        });
        let mut some: Vec<String> = changes.by_ref().take(MOST_TOLD).collect();
        match changes.count() {
            0 => {}
            rest => some.push(format!("and {rest} more new or changed files")),
        }
        some
    }
}

/// A file in a few words. Its name may be anything, and says no more than that it is a name.
fn told(how: &str, artifact: &Artifact) -> String {
    format!("{how} file {}, {}, {} bytes", quoted(&artifact.path), artifact.media_type(), artifact.bytes)
}

/// A path in one line, and not too long.
pub(super) fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let short: String = path.chars().take(LONGEST_PATH).collect();
    let end = if short.len() < path.len() { "..." } else { "" };
    format!("`{}{end}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_in_order_and_go_both_ways() {
        assert!(TYPES.is_sorted_by_key(|(name, _)| *name));
        let of = |path: &str| Artifact { path: path.into(), bytes: 0, modified: Timestamp(0) }.media_type();
        assert_eq!(
            (of("a/b.SVG"), of("a.tar.gz"), of("csv"), of("")),
            ("image/svg+xml", "application/gzip", UNKNOWN, UNKNOWN)
        );
        assert_eq!(
            (ending("image/jpeg"), ending("text/html"), ending("x/y")),
            (Some("jpg"), Some("html"), None)
        );
    }

    #[test]
    fn new_and_changed_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("kept", "k");
        write("changed.csv", "a");
        let before = Snapshot::of(folder.path());
        assert_eq!(before.changes(&before), [""; 0]);
        write("changed.csv", "b");
        write("new\n[forged]", "12");
        std::os::unix::fs::symlink("kept", folder.path().join("link")).unwrap();
        assert_eq!(
            Snapshot::of(folder.path()).changes(&before),
            [
                "changed file `changed.csv`, text/csv, 1 bytes",
                "new file `new\\n[forged]`, application/octet-stream, 2 bytes"
            ]
        );
        (0..30).for_each(|number| write(&format!("more{number}"), ""));
        let told = Snapshot::of(folder.path()).changes(&before);
        assert_eq!((told.len(), told.last().unwrap().as_str()), (21, "and 12 more new or changed files"));
    }
}
