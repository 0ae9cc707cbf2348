//! [`Inbox`]: the files of a folder, once nobody writes them any more.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use adjutant_core::hash::{Digest, Hasher};
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};

/// How long a file must have stayed as it is.
const SETTLED: Duration = Duration::from_secs(2);

/// The longest file whose text is given to a template, in bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// A file that is complete.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrived {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) digest: Digest,
    /// What stands in it, where that is text and not too long.
    pub(super) text: Option<String>,
}

/// What is known of the files of a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox(BTreeMap<String, Seen>);

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    size: u64,
    modified: Option<SystemTime>,
    since: Timestamp,
    is_done: bool,
}

impl Seen {
    fn is_like(&self, metadata: &Metadata) -> bool {
        self.size == metadata.len() && self.modified == metadata.modified().ok()
    }
}

impl Inbox {
    /// The names of files that have settled and are not done with, in their order. Fails with [`Code::FileUnreadable`].
    pub(super) fn settled(&mut self, folder: &Path, pattern: &str, now: Timestamp) -> Result<Vec<String>> {
        let unreadable = |error: &std::io::Error| {
            let message = format!("the folder `{}` cannot be read", folder.display());
            Error::new(Code::FileUnreadable, message)
                .caused_by(error)
                .with_help("make it, or turn the trigger off with `enabled = false`")
        };
        let mut there = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A link could lead anywhere. A file may be gone by now.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && is_meant(&name, pattern) {
                let before = self.0.remove(&name).filter(|seen| seen.is_like(&metadata) && seen.since <= now);
                let new = || Seen {
                    size: metadata.len(),
                    modified: metadata.modified().ok(),
                    since: now,
                    is_done: false,
                };
                there.insert(name, before.unwrap_or_else(new));
            }
        }
        self.0 = there;
        let settled = self.0.iter().filter(|(_, seen)| !seen.is_done && now.since(seen.since) >= SETTLED);
        Ok(settled.map(|(name, _)| name.clone()).collect())
    }

    /// Notes that a file as it is now needs to be looked at no more.
    pub(super) fn done(&mut self, name: &str) {
        if let Some(seen) = self.0.get_mut(name) {
            seen.is_done = true;
        }
    }
}

/// The largest file that is taken, in bytes: all of it is read, for its hash.
const LARGEST: u64 = 256 << 20;

/// Reads a file. None where it changes meanwhile, or is gone.
pub(super) fn read(folder: &Path, name: &str) -> Result<Option<Arrived>> {
    let path = folder.join(name);
    let look = |path: &PathBuf| fs::symlink_metadata(path).ok().filter(Metadata::is_file);
    let Some(before) = look(&path) else { return Ok(None) };
    let failed = |error: &std::io::Error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be read", path.display())).caused_by(error)
    };
    if before.len() > LARGEST {
        let message = format!("`{}` has more than {} MiB", path.display(), LARGEST >> 20);
        return Err(Error::new(Code::InputInvalid, message)
            .with_help("put it elsewhere, and a small file that names it here"));
    }
    // A pipe that was put in its place just now must not be waited for.
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let mut file = options.open(&path).map_err(|error| failed(&error))?;
    // Whoever may write there could put a link in its place just now.
    let opened = file.metadata().map_err(|error| failed(&error))?;
    if (opened.dev(), opened.ino()) != (before.dev(), before.ino()) {
        return Ok(None);
    }
    let (mut hasher, mut begun, mut size, mut buffer) =
        (Hasher::default(), Vec::new(), 0_u64, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).map_err(|error| failed(&error))?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        hasher.update(piece);
        size = size.saturating_add(piece.len() as u64);
        if begun.len() <= LONGEST_TEXT {
            begun.extend_from_slice(piece);
        }
    }
    let is_same = look(&path).is_some_and(|after| {
        after.len() == size && before.len() == size && after.modified().ok() == before.modified().ok()
    });
    let text = Some(begun)
        .filter(|bytes| bytes.len() <= LONGEST_TEXT)
        .and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(is_same.then(|| Arrived { name: name.to_owned(), size, digest: hasher.digest(), text }))
}

/// Whether a name is one that a pattern means: no hidden file, and none with characters that no name should have.
fn is_meant(name: &str, pattern: &str) -> bool {
    !name.starts_with('.') && !name.chars().any(char::is_control) && fits(name.as_bytes(), pattern.as_bytes())
}

/// Whether a text fits a pattern, in which `*` stands for any characters and `?` for one byte.
fn fits(text: &[u8], pattern: &[u8]) -> bool {
    // Where the last `*` stands, and how much of the text it has taken.
    let (mut at, mut place, mut star) = (0, 0, None);
    while let Some(byte) = text.get(at) {
        match pattern.get(place) {
            Some(b'*') => {
                star = Some((place, at));
                place += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => (at, place) = (at + 1, place + 1),
            _ => match star {
                Some((before, taken)) => {
                    (at, place) = (taken + 1, before + 1);
                    star = Some((before, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(place..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (name, pattern) in
            [("a.pdf", "*.pdf"), ("a.pdf", "*"), ("ab", "?b"), ("a.b.pdf", "a*b*.pdf"), ("", "*")]
        {
            assert!(fits(name.as_bytes(), pattern.as_bytes()), "{name} {pattern}");
        }
        for (name, pattern) in [("a.pdf.part", "*.pdf"), ("a", ""), ("abc", "a?"), ("b", "a*")] {
            assert!(!fits(name.as_bytes(), pattern.as_bytes()), "{name} {pattern}");
        }
        assert!(!is_meant(".hidden", "*") && !is_meant("a\nb", "*"));
    }

    #[test]
    fn a_file_is_taken_once_it_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        let mut inbox = Inbox::default();
        let mut at =
            |seconds: i64| inbox.settled(folder.path(), "*.txt", Timestamp(seconds * 1_000)).unwrap();
        assert!(at(0).is_empty());
        fs::write(&file, "one").unwrap();
        std::os::unix::fs::symlink(&file, folder.path().join("link.txt")).unwrap();
        assert!(at(1).is_empty());
        fs::write(&file, "one and two").unwrap();
        assert!(at(3).is_empty(), "it has grown");
        assert_eq!(at(5), ["a.txt"]);
        inbox.done("a.txt");
        let mut at =
            |seconds: i64| inbox.settled(folder.path(), "*.txt", Timestamp(seconds * 1_000)).unwrap();
        assert!(at(9).is_empty());
        fs::write(&file, "three").unwrap();
        at(10);
        assert_eq!(at(12), ["a.txt"]);
        let read = read(folder.path(), "a.txt").unwrap().unwrap();
        assert_eq!((read.text.as_deref(), read.digest), (Some("three"), Digest::of(b"three")));
    }
}
