//! Results that are put into the session's folder: what no model reads, and what is too long for one.

use std::fs::Permissions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use adjutant_core::hash::Digest;
use adjutant_core::{Code, Error, Result};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};

use super::artifact::{self, Artifact};
use super::config::Limits;
use super::folder::{Folder, fault};
use super::launch::NOBODY;
use super::machine;
use super::tree::{self, Size};

/// The folder in the session's one that results are put into.
const RESULTS: &str = "results";

/// How much of the name that somebody gave a file is kept, in characters.
const LONGEST_NAME: usize = 60;

/// How often another name is tried, where somebody in the sandbox is playing with them.
const TRIES: u32 = 5;

impl Folder {
    /// Puts a result into the folder, as a file of its own: its name is made of its content, so that the same result once
    /// more, after a crash, is the same file. `name` is what others call it, `media_type` what it is. It is on disk when
    /// this returns.
    ///
    /// Fails with [`Code::ToolFailed`] when it does not fit into `limits`, and with [`Code::ToolBroken`] when it cannot be
    /// written.
    pub fn keep(&self, name: &str, media_type: &str, content: &[u8], limits: &Limits) -> Result<Artifact> {
        self.create()?;
        self.check(content.len(), limits)?;
        let path = Path::new(RESULTS).join(file_name(name, media_type, content));
        let put = tree::open(&self.files()).and_then(|root| {
            let folder = results(&root)?;
            put(&folder, Path::new(path.file_name().unwrap_or_default()), content)
        });
        put.map_err(|error| {
            let message = format!("the result cannot be written to `{}`", self.files().join(&path).display());
            Error::new(Code::ToolBroken, message).caused_by(&error)
        })?;
        self.artifact(&path)
    }

    /// Whether there is room for a file.
    fn check(&self, bytes: usize, limits: &Limits) -> Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let most = Size { bytes: limits.folder_bytes, files: limits.folder_files, beyond: true };
        let held = tree::measure(&self.files(), &most);
        let fits = held.bytes.saturating_add(bytes) <= most.bytes && held.files < most.files;
        match fits && bytes <= limits.file_bytes {
            true => Ok(()),
            false => Err(Error::new(Code::ToolFailed, "the session's folder has no room for it")),
        }
    }

    /// The part of one of the files from a byte on, at most `most` bytes, and the size of the whole. Fails as
    /// [`open`](Self::open) does.
    pub fn read(&self, path: &Path, from: u64, most: usize) -> Result<(Vec<u8>, u64)> {
        use std::io::{Read, Seek, SeekFrom};
        let wrong = |error: &io::Error| fault(&self.files().join(path), error);
        let mut file = self.open(path)?;
        let whole = file.seek(SeekFrom::End(0)).map_err(|error| wrong(&error))?;
        file.seek(SeekFrom::Start(from)).map_err(|error| wrong(&error))?;
        let mut bytes = Vec::new();
        file.take(u64::try_from(most).unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)
            .map_err(|error| wrong(&error))?;
        Ok((bytes, whole))
    }
}

/// The name of a file: the beginning of its hash, and what others call it as far as it is harmless.
fn file_name(name: &str, media_type: &str, content: &[u8]) -> String {
    let harmless = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().map(harmless).collect();
    let name = name.trim_matches(['.', '-']);
    // The end says what it is.
    let skip = name.len().saturating_sub(LONGEST_NAME);
    let name = name.get(skip..).unwrap_or_default();
    let ending = match Path::new(name).extension() {
        Some(_) => String::new(),
        None => artifact::ending(media_type).map(|ending| format!(".{ending}")).unwrap_or_default(),
    };
    format!("{}-{}{ending}", Digest::of(content).short(), if name.is_empty() { "result" } else { name })
}

/// The folder for results. What else has its name is moved out of the way: a program in the sandbox may have made
/// anything of it.
fn results(root: &Dir) -> io::Result<Dir> {
    for _ in 0..TRIES {
        match root.create_dir(RESULTS) {
            Ok(()) => {
                let folder = root.open_dir(RESULTS)?;
                give(&itself(&folder)?)?;
                return Ok(folder);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match root.symlink_metadata(RESULTS) {
            Ok(metadata) if metadata.is_dir() => return root.open_dir(RESULTS),
            Ok(_) => root.rename(RESULTS, root, unused(RESULTS))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("its folder does not stay"))
}

/// Writes a file beside its place and moves it there: it is whole or not there, and nothing that has its name is opened.
fn put(folder: &Dir, name: &Path, content: &[u8]) -> io::Result<()> {
    let beside = PathBuf::from(unused(".part"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let mut file = folder.open_with(&beside, &options)?.into_std();
    let written = file
        .write_all(content)
        .and_then(|()| file.set_permissions(Permissions::from_mode(0o644)))
        .and_then(|()| give(&file))
        .and_then(|()| file.sync_all())
        .and_then(|()| folder.rename(&beside, folder, name));
    if written.is_err() {
        let _ = folder.remove_file(&beside);
    }
    written?;
    // The name is on disk, too.
    itself(folder)?.sync_all()
}

/// A folder as a file: the handle that paths are opened from is good for nothing else.
fn itself(folder: &Dir) -> io::Result<std::fs::File> {
    folder.open(".").map(cap_std::fs::File::into_std)
}

/// A name that nothing else has.
fn unused(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Gives what is open to the user that sandboxed programs are.
fn give(file: &std::fs::File) -> io::Result<()> {
    if machine::is_root() {
        std::os::unix::fs::fchown(file, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::{RunId, Scope};

    use super::*;
    use crate::sandbox::Owner;

    fn folder() -> (tempfile::TempDir, Folder) {
        let work = tempfile::tempdir().unwrap();
        let folder = Folder::of(work.path(), &Scope::default(), &Owner::Run(RunId::from_bytes([1; 10])));
        (work, folder)
    }

    #[test]
    fn a_result_is_one_file_however_often_it_is_kept() {
        let (_work, folder) = folder();
        let keep = |name: &str, media_type: &str, content: &[u8]| {
            let kept = folder.keep(name, media_type, content, &Limits::default()).unwrap();
            kept.path.to_str().unwrap().to_owned()
        };
        let digest = Digest::of(b"PK").short();
        assert_eq!(keep("a.zip", "application/zip", b"PK"), format!("results/{digest}-a.zip"));
        assert_eq!(keep("a.zip", "application/zip", b"PK"), format!("results/{digest}-a.zip"));
        assert_eq!(folder.artifacts().unwrap().len(), 1);
        assert_eq!(keep("../../etc/x\n", "text/csv", b"PK"), format!("results/{digest}-x.csv"));
        assert_eq!(keep("..", "", b"PK"), format!("results/{digest}-result"));
        assert!(keep(&"long".repeat(100), "x/y", b"PK").len() < 100);
        assert_eq!(
            folder.read(Path::new(&format!("results/{digest}-a.zip")), 1, 9).unwrap(),
            (b"K".to_vec(), 2)
        );
    }

    #[test]
    fn what_a_program_puts_in_the_way_is_not_followed() {
        let (work, folder) = folder();
        folder.create().unwrap();
        let outside = work.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let results = folder.files().join(RESULTS);
        std::os::unix::fs::symlink(&outside, &results).unwrap();
        let kept = folder.keep("a", "text/plain", b"text", &Limits::default()).unwrap();
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        assert!(results.symlink_metadata().unwrap().is_dir());
        // The place of the file itself leads elsewhere, or waits for a reader.
        let target = folder.files().join(&kept.path);
        std::fs::write(outside.join("victim"), "whole").unwrap();
        std::fs::remove_file(&target).unwrap();
        std::os::unix::fs::symlink(outside.join("victim"), &target).unwrap();
        folder.keep("a", "text/plain", b"text", &Limits::default()).unwrap();
        assert_eq!(std::fs::read_to_string(outside.join("victim")).unwrap(), "whole");
        std::fs::remove_file(&target).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&target).status().unwrap();
        assert!(made.success());
        folder.keep("a", "text/plain", b"text", &Limits::default()).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "text");
    }

    #[test]
    fn a_full_folder_takes_no_more() {
        let (_work, folder) = folder();
        let limits = Limits { folder_bytes: 40_000, folder_files: 4, ..Limits::default() };
        let keep = |content: &[u8]| folder.keep("a", "", content, &limits).map_err(|error| error.code());
        assert_eq!(keep(&[1; 50_000]), Err(Code::ToolFailed));
        assert_eq!(keep(&[1; 2]).map(|kept| kept.bytes), Ok(2));
        assert_eq!(keep(&[2; 38_000]), Err(Code::ToolFailed));
        for content in [[3; 2], [4; 2]] {
            keep(&content).unwrap();
        }
        assert_eq!(keep(&[5; 2]), Err(Code::ToolFailed));
    }
}
