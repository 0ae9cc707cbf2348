//! Folders that a hostile program has filled: measured, listed and removed without being led out of them, and without a
//! limit on how deep they are.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, DirEntry, FileType, MetadataExt, Permissions, PermissionsExt};

/// Paths get no longer than the system takes (`PATH_MAX`).
const LONGEST: usize = 4_000;

/// How deep a folder may be while it is removed; what is deeper is moved up first.
const SHALLOW: usize = 12;

/// A block of a file as `stat` counts them, in bytes.
const BLOCK: u64 = 512;

/// How much a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// Whether there was something that could not be looked at, such as folders nested too deep.
    pub(super) beyond: bool,
}

impl Size {
    /// Whether it is more than that.
    pub(super) fn exceeds(&self, most: &Self) -> bool {
        self.bytes > most.bytes || self.files > most.files || (self.beyond && !most.beyond)
    }
}

/// How much a folder holds, as blocks on the disk. Stops counting when it is more than `most`.
pub(super) fn measure(folder: &Path, most: &Size) -> Size {
    let mut size = Size::default();
    let Ok(root) = open(folder) else { return size };
    let walked = walk(&root, &mut |_, entry, _| {
        size.files += 1;
        size.bytes += entry.metadata().map_or(0, |metadata| metadata.blocks() * BLOCK);
        if size.exceeds(most) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    size.beyond = walked.is_err();
    size
}

/// Shows every file and folder below `root`. Fails where something is too deep or refuses to be looked into, once all
/// else was shown.
pub(super) fn walk(
    root: &Dir,
    each: &mut dyn FnMut(&Path, &DirEntry, FileType) -> ControlFlow<()>,
) -> io::Result<()> {
    let (mut open, mut missed) = (vec![PathBuf::from(".")], None);
    while let Some(folder) = open.pop() {
        let entries = match enter(root, &folder).and_then(|folder| folder.entries()) {
            Ok(entries) => entries,
            // It was removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                missed = Some(error);
                continue;
            }
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if each(&path, &entry, kind).is_break() {
                return Ok(());
            }
            if kind.is_dir() {
                match path.as_os_str().len() > LONGEST {
                    true => missed = Some(io::Error::new(ErrorKind::InvalidFilename, "nested too deep")),
                    false => open.push(path),
                }
            }
        }
    }
    missed.map_or(Ok(()), Err)
}

/// Removes a folder with all that is in it. Somebody else may be removing it, too.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match empty(folder).and_then(|()| std::fs::remove_dir(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => match folder.symlink_metadata() {
            Ok(_) => remove(folder),
            Err(_) => Ok(()),
        },
        removed => removed,
    }
}

/// Removes all that is in a folder.
fn empty(folder: &Path) -> io::Result<()> {
    let root = open(folder)?;
    let (mut waiting, mut emptied, mut moved) = (vec![PathBuf::from(".")], Vec::new(), 0u64);
    while let Some(path) = waiting.pop() {
        let entered = enter(&root, &path)?;
        for entry in entered.entries()? {
            let entry = entry?;
            let below = path.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                false => entered.remove_file(entry.file_name())?,
                true if below.components().count() < SHALLOW => waiting.push(below),
                true => waiting.push(move_up(&root, &below, &mut moved)?),
            }
        }
        emptied.push(path);
    }
    // What was found later is further inside.
    emptied.iter().skip(1).rev().try_for_each(|path| root.remove_dir(path))
}

/// Moves a folder to the top, under a name that is free.
fn move_up(root: &Dir, path: &Path, moved: &mut u64) -> io::Result<PathBuf> {
    loop {
        *moved += 1;
        let name = PathBuf::from(format!("moved-{moved}"));
        if root.symlink_metadata(&name).is_err() {
            root.rename(path, root, &name)?;
            return Ok(name);
        }
    }
}

pub(super) fn open(folder: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(folder, cap_std::ambient_authority())
}

/// Opens a folder; one that its owner has closed is opened to the owner again.
fn enter(root: &Dir, path: &Path) -> io::Result<Dir> {
    let opened = root.open_dir(path).and_then(|folder| folder.entries().map(|_| folder));
    match opened {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_some() => {
            root.set_permissions(path, Permissions::from_mode(0o700))?;
            root.open_dir(path)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Size = Size { bytes: 1 << 30, files: 1_000, beyond: false };

    #[test]
    fn a_folder_is_measured_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("a")).unwrap();
        std::fs::write(path.join("a/b"), vec![1; 10_000]).unwrap();
        std::os::unix::fs::symlink("/usr", path.join("a/usr")).unwrap();
        let size = measure(path, &MOST);
        assert_eq!((size.files, size.beyond), (3, false));
        assert!((10_000..100_000).contains(&size.bytes), "{size:?}");
        assert!(measure(path, &Size { files: 2, ..MOST }).exceeds(&Size { files: 2, ..MOST }));
    }

    #[test]
    fn the_deepest_folder_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        std::fs::create_dir(&top).unwrap();
        std::fs::create_dir(top.join("moved-1")).unwrap();
        let name = "n".repeat(200);
        let mut dir = open(&top).unwrap();
        for _ in 0..500 {
            dir.create_dir(&name).unwrap();
            dir = dir.open_dir(&name).unwrap();
            dir.write("file", "text").unwrap();
        }
        drop(dir);
        assert!(measure(&top, &Size { files: 10_000, ..MOST }).beyond);
        std::os::unix::fs::symlink(folder.path(), top.join("link")).unwrap();
        std::fs::write(folder.path().join("kept"), "").unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
        assert!(folder.path().join("kept").exists());
        remove(&top).unwrap();
    }

    #[test]
    fn a_closed_folder_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        std::fs::create_dir_all(top.join("closed/below")).unwrap();
        std::fs::set_permissions(top.join("closed"), std::os::unix::fs::PermissionsExt::from_mode(0o0))
            .unwrap();
        assert_eq!(measure(&top, &MOST).files, 2);
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}
