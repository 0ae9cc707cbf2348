//! The programs that command tools are made of.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use adjutant_core::{Code, Error, Result};

/// Where the program of a command is, as a shell would find it. Fails with [`Code::ToolInvalid`] when it is not there or
/// must not be executed.
pub(super) fn locate(command: &[String]) -> Result<PathBuf> {
    let name = command.first().map(String::as_str).unwrap_or_default();
    let path = Path::new(name);
    if path.components().count() > 1 {
        return match (path.is_file(), is_executable(path)) {
            (true, true) => Ok(path.to_owned()),
            (true, false) => {
                Err(Error::new(Code::ToolInvalid, format!("the program `{name}` is not executable"))
                    .with_help(format!("make it so: `chmod +x {name}`")))
            }
            (false, _) => Err(not_there(name)),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| is_executable(path));
    found.ok_or_else(|| not_there(name))
}

fn not_there(name: &str) -> Error {
    Error::new(Code::ToolInvalid, format!("the program `{name}` is not there"))
        .with_help("install it, or correct `command`")
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let text = |path: &Path| vec![path.to_str().unwrap().to_owned()];
        assert!(locate(&["sh".to_owned()]).is_ok());
        assert!(locate(&["no-such-program".to_owned()]).unwrap_err().message().contains("is not there"));
        assert!(locate(&text(&plain)).unwrap_err().message().contains("is not executable"));
        assert!(locate(&text(folder.path())).unwrap_err().message().contains("is not there"));
        assert!(locate(&[]).is_err());
    }
}
