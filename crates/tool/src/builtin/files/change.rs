//! Writes and edits files. A file is replaced as a whole, so nobody ever sees half of it.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::PoisonError;

use adjutant_core::hash::Digest;
use adjutant_core::{Code, Error, Result};
use serde_json::Value;

use super::root::{Root, fault};
use crate::output::Output;
use crate::tool::Reconciled;

/// The largest file that is edited, in bytes.
const LARGEST: u64 = 16 << 20;

pub(super) fn write(root: &Root, path: &str, content: &str, key: &str) -> Result<Output> {
    root.check(path)?;
    let _alone = root.changing.lock().unwrap_or_else(PoisonError::into_inner);
    replace(root, path, content, key)?;
    Ok(Output::text(format!("wrote {} bytes to {path}", content.len())))
}

pub(super) fn edit(root: &Root, path: &str, old: &str, new: &str, key: &str) -> Result<Output> {
    let _alone = root.changing.lock().unwrap_or_else(PoisonError::into_inner);
    let before = load(root, path)?;
    let refuse = |why: String, help: &str| Err(Error::new(Code::ToolFailed, why).with_help(help));
    if old.is_empty() {
        return refuse("the passage is empty".to_owned(), "to write a whole file, use `write_file`");
    }
    match before.matches(old).count() {
        1 => {}
        0 => {
            let help = "read the file and copy the passage exactly, with its spaces and line breaks";
            return refuse(format!("the passage is not in `{path}`"), help);
        }
        count => {
            let help = "give more of the lines around it, so that it is there once";
            return refuse(format!("the passage is in `{path}` {count} times"), help);
        }
    }
    replace(root, path, &before.replacen(old, new, 1), key)?;
    let line = before.split(old).next().unwrap_or_default().matches('\n').count() + 1;
    Ok(Output::text(format!("edited {path} at line {line}")))
}

/// Whether an edit was made: its new passage is there, or its old one still is.
pub(super) fn edited(root: &Root, arguments: &Value) -> Result<Reconciled> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let (path, old, new) = (text("path"), text("old"), text("new"));
    let now = load(root, path)?;
    let (old_there, new_there) = (now.contains(old), !new.is_empty() && now.contains(new));
    Ok(match (old_there, new_there) {
        (false, true) => Reconciled::Happened(Output::text(format!("edited {path}"))),
        // A new passage that holds the old one leaves both there.
        (true, true) if new.contains(old) => Reconciled::Happened(Output::text(format!("edited {path}"))),
        (true, false) => Reconciled::NotHappened,
        _ => Reconciled::Unknown,
    })
}

fn load(root: &Root, path: &str) -> Result<String> {
    let file = root.file(path)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| fault(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("`{path}` is larger than the {LARGEST} bytes that can be edited");
        return Err(Error::new(Code::ToolFailed, message));
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Code::ToolFailed, format!("`{path}` holds no UTF-8 text")))
}

fn replace(root: &Root, path: &str, content: &str, key: &str) -> Result<()> {
    let target = Path::new(path);
    let Some(name) = target.file_name().and_then(|name| name.to_str()) else {
        return Err(Error::new(Code::ToolFailed, format!("`{path}` is no path of a file")));
    };
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let io = |error: std::io::Error| fault(path, &error);
    let folder = match parent {
        Some(parent) => {
            root.folder.create_dir_all(parent).map_err(io)?;
            root.folder.open_dir(parent).map_err(io)?
        }
        None => root.folder.try_clone().map_err(io)?,
    };
    let existing = folder.symlink_metadata(name).ok();
    if existing.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Err(Error::new(Code::ToolFailed, format!("`{path}` is no ordinary file")));
    }
    let temporary = format!(".{}.tmp", Digest::of_parts(&[path.as_bytes(), key.as_bytes()]).short());
    let written = (|| {
        // A leftover of an attempt that was killed, or a link that somebody put there.
        let _ = folder.remove_file(&temporary);
        let mut file =
            folder.open_with(&temporary, cap_std::fs::OpenOptions::new().write(true).create_new(true))?;
        file.write_all(content.as_bytes())?;
        if let Some(metadata) = existing {
            file.set_permissions(metadata.permissions())?;
        }
        file.sync_all()?;
        folder.rename(&temporary, &folder, name)
    })();
    written.map_err(|error| {
        let _ = folder.remove_file(&temporary);
        io(error)
    })
}
