//! Walks a folder.

use std::collections::BTreeMap;

use adjutant_core::Result;
use cap_std::fs::{Dir, FileType};
use tokio_util::sync::CancellationToken;

use super::root::{Root, fault};
use crate::builtin::blocking::stopped;
use crate::output::Output;

/// The most files of one answer.
const MOST_LISTED: usize = 500;

/// How deep folders are walked.
const DEEPEST: usize = 32;

/// Lists the files below a folder, each with its size.
pub(super) fn list(root: &Root, path: &str, stop: &CancellationToken) -> Result<Output> {
    root.check(path)?;
    let mut lines = Vec::new();
    let complete = walk(root, path, stop, &mut |entry| {
        if lines.len() == MOST_LISTED {
            return Ok(false);
        }
        lines.push(format!("{} ({})", entry.path, size(entry.bytes)));
        Ok(true)
    })?;
    if lines.is_empty() {
        return Ok(Output::text("there are no files"));
    }
    if !complete {
        lines.push(format!("[cut off after {MOST_LISTED} files: there are more; list one of the folders]"));
    }
    Ok(Output::text(lines.join("\n")))
}

/// A file that a walk came by.
pub(super) struct Entry {
    /// The path from the root, with `/` between its parts.
    pub(super) path: String,
    pub(super) bytes: u64,
}

/// Comes by every ordinary file below a folder, in the order of their paths, until `visit` says that it is enough.
/// Links are not followed. Says whether there was nothing more.
pub(super) fn walk(
    root: &Root,
    path: &str,
    stop: &CancellationToken,
    visit: &mut dyn FnMut(Entry) -> Result<bool>,
) -> Result<bool> {
    let folder = root.folder.open_dir(path).map_err(|error| fault(path, &error))?;
    let path = path.trim_start_matches("./").trim_end_matches('/');
    descend(&folder, if path == "." { "" } else { path }, 0, stop, visit)
}

fn descend(
    folder: &Dir,
    path: &str,
    depth: usize,
    stop: &CancellationToken,
    visit: &mut dyn FnMut(Entry) -> Result<bool>,
) -> Result<bool> {
    for (name, kind) in names(folder, path)? {
        if stop.is_cancelled() {
            return Err(stopped());
        }
        let inner = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if kind.is_file() {
            // A file that is gone or closed to us by now is no reason to give up on the others.
            let Ok(metadata) = folder.symlink_metadata(&name) else { continue };
            if !visit(Entry { path: inner, bytes: metadata.len() })? {
                return Ok(false);
            }
        } else if kind.is_dir() && depth < DEEPEST {
            let Ok(next) = folder.open_dir(&name) else { continue };
            if !descend(&next, &inner, depth + 1, stop, visit)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The names in a folder in order, without those that begin with a point or are no text.
fn names(folder: &Dir, path: &str) -> Result<BTreeMap<String, FileType>> {
    let entries = folder.entries().map_err(|error| fault(path, &error))?;
    let mut names = BTreeMap::new();
    for entry in entries.flatten() {
        if let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type())
            && !name.starts_with('.')
        {
            names.insert(name, kind);
        }
    }
    Ok(names)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
