//! [`Call`]: what one call needs only while it runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::folder::{self, Folder};
use super::launch::part;
use super::{filter, tree};

/// How often a folder is removed that something is still writing to.
const TRIES: u32 = 20;

/// The users that a sandboxed program knows.
const USERS: &str = "root:x:0:0:root:/:/bin/false\nsandbox:x:65534:65534:sandbox:/session:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nsandbox:x:65534:\n";

/// A folder that one call needs only while it runs. Removed when dropped.
#[derive(Debug)]
pub(super) struct Call {
    path: PathBuf,
}

impl Call {
    /// Makes the folder, and removes those that processes of the past have left.
    pub(super) fn begin(session: &Folder) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let calls = session.calls();
        sweep(&calls)?;
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let call = Self { path: calls.join(name) };
        // One with the same name is from a process that had the same number.
        tree::remove(&call.path)?;
        folder::make(&call.path)?;
        for part in [part::TEMPORARY, part::SHARED] {
            folder::make(&call.path.join(part))?;
            folder::give(&call.path.join(part))?;
        }
        call.write(part::USERS, USERS.as_bytes())?;
        call.write(part::GROUPS, GROUPS.as_bytes())?;
        call.write(part::FILTER, &filter::program())?;
        Ok(call)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.path
    }

    /// Puts a file there for the program to read.
    pub(super) fn write(&self, part: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(part);
        folder::write(&path, content)?;
        Ok(path)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        // What was just killed may still be writing, and the folder may be large: nobody waits for that. What is left
        // when this process ends, too, is swept up by the next call.
        std::thread::spawn(move || {
            for _ in 0..TRIES {
                if tree::remove(&path).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
    }
}

/// Removes the folders of processes that are gone.
fn sweep(calls: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(calls)? {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.split('-').next());
        if process.is_none_or(|process| !Path::new("/proc").join(process).exists()) {
            tree::remove(&entry.path())?;
        }
    }
    Ok(())
}
