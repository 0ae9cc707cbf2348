//! Making the folder of a store so that it is there after the power failed.

use std::io::Result;
use std::path::{Path, PathBuf};

/// Makes a folder and those above it, where they are not there, for this user alone: what people say stands in it. A new name is safe once the folder that holds it is on
/// disk; SQLite sees to that for its own files.
pub(crate) fn make(folder: &Path) -> Result<()> {
    let changed = holding_new(folder);
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    changed.iter().try_for_each(|folder| sync(folder))
}

/// Makes a file that is not there, for this user alone. SQLite gives those that it makes beside it the same mode.
pub(crate) fn make_file(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.write(true).create_new(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Sees to it that the name of a file is on disk.
pub(crate) fn sync_holding(file: &Path) -> Result<()> {
    let holding = file.parent().filter(|holding| !holding.as_os_str().is_empty());
    sync(holding.unwrap_or(Path::new(".")))
}

/// The folders that get a new folder in them when one is made, the innermost first.
fn holding_new(folder: &Path) -> Vec<PathBuf> {
    let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    missing
        .filter_map(Path::parent)
        .map(|parent| if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
        .collect()
}

#[cfg(unix)]
fn sync(folder: &Path) -> Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and the file system keeps its names by itself.
#[cfg(not(unix))]
fn sync(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_gets_a_new_name_is_synced() {
        let there = tempfile::tempdir().unwrap();
        let there = there.path();
        assert_eq!(holding_new(there), [] as [PathBuf; 0]);
        assert_eq!(holding_new(&there.join("a/b")), [there.join("a"), there.to_owned()]);
        assert_eq!(holding_new(Path::new("not-there/b")), [Path::new("not-there"), Path::new(".")]);
        make(&there.join("a/b")).unwrap();
        assert!(there.join("a/b").is_dir());
        make_file(&there.join("a/b/file")).unwrap();
        #[cfg(unix)]
        for (path, mode) in [("a", 0o700), ("a/b", 0o700), ("a/b/file", 0o600)] {
            use std::os::unix::fs::PermissionsExt;
            let found = std::fs::metadata(there.join(path)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{path}");
        }
        std::fs::write(there.join("file"), "").unwrap();
        assert!(make(&there.join("file/b")).is_err());
    }
}
