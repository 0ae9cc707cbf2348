//! The folder that the tools may see, and the errors of what is in it.

use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Mutex;

use adjutant_core::{Code, Error, Result};
use cap_std::fs::{Dir, File, OpenOptions};

/// The folder of a project in which its store, its vault and the files of sessions are.
const OWN: &str = ".adjutant";

/// How much of a file is looked at to tell text from binary data, in bytes.
const SAMPLE: u64 = 8_192;

/// An open folder. What it is called may change; the tools stay in it.
pub(super) struct Root {
    pub(super) folder: Dir,
    /// Held while a file is changed, so that no change is lost to another one.
    pub(super) changing: Mutex<()>,
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let folder = Dir::open_ambient_dir(path, cap_std::ambient_authority()).map_err(|error| {
            Error::new(Code::ToolInvalid, format!("the folder `{}` cannot be opened", path.display()))
                .caused_by(&error)
        })?;
        Ok(Self { folder, changing: Mutex::new(()) })
    }

    /// Refuses what no file system has, and what the program keeps for itself: records of all runs, files of other sessions, keys.
    pub(super) fn check(&self, path: &str) -> Result<()> {
        check(path)?;
        // Of a file that is yet to be made, the folder that it comes into.
        let resolved = Path::new(path).ancestors().find_map(|path| self.folder.canonicalize(path).ok());
        let resolved = resolved.unwrap_or_default();
        if is_the_programs(Path::new(path)) || is_the_programs(&resolved) {
            let message = format!("`{path}` belongs to the program, and no tool may use it");
            return Err(Error::new(Code::ToolFailed, message).with_help("use other files"));
        }
        Ok(())
    }

    /// Opens a file for reading. A pipe or a device is refused, and never waited for.
    pub(super) fn file(&self, path: &str) -> Result<File> {
        self.check(path)?;
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            // Without it, opening a pipe waits for somebody to write to it.
            let flags = rustix::fs::OFlags::NONBLOCK.bits();
            options.custom_flags(i32::try_from(flags).unwrap_or(0));
        }
        let file = self.folder.open_with(path, &options).map_err(|error| fault(path, &error))?;
        let kind = file.metadata().map_err(|error| fault(path, &error))?.file_type();
        match (kind.is_file(), kind.is_dir()) {
            (true, _) => Ok(file),
            (_, true) => Err(Error::new(Code::ToolFailed, format!("`{path}` is a folder"))
                .with_help("list it with `list_files`")),
            _ => Err(Error::new(Code::ToolFailed, format!("`{path}` is no ordinary file"))),
        }
    }
}

/// Whether a path leads into the folder in which a project keeps what is no file of anybody's.
fn is_the_programs(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().eq_ignore_ascii_case(OWN))
}

/// Refuses what no file system has, before it is asked.
fn check(path: &str) -> Result<()> {
    if path.is_empty() || path.contains('\0') || path.len() > 4_096 {
        return Err(Error::new(Code::ToolFailed, "this is no path")
            .with_help("give a path from the root, such as `notes/a.md`"));
    }
    Ok(())
}

/// Whether the file holds binary data, by its beginning. The file is read from its start afterwards.
pub(super) fn is_binary(file: &mut File) -> io::Result<bool> {
    let mut sample = Vec::new();
    file.by_ref().take(SAMPLE).read_to_end(&mut sample)?;
    file.rewind()?;
    Ok(sample.contains(&0))
}

/// What went wrong with a path, for the model.
pub(super) fn fault(path: &str, error: &io::Error) -> Error {
    // The library reports an escape as an error of its own, without a number of the system.
    let escapes = error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    if escapes || Path::new(path).is_absolute() {
        return Error::new(Code::ToolFailed, format!("`{path}` leads outside of the folder"))
            .with_help("give a path from the root, such as `notes/a.md`");
    }
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(Code::ToolFailed, format!("there is no `{path}`"))
            .with_help("`list_files` shows what there is"),
        io::ErrorKind::NotADirectory => Error::new(Code::ToolFailed, format!("`{path}` is no folder")),
        _ => Error::new(Code::ToolFailed, format!("`{path}` cannot be used")).caused_by(error),
    }
}
