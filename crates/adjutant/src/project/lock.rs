//! `adjutant.lock`: what a person has accepted of others. It belongs into version control, beside `adjutant.toml`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use adjutant_core::{Code, Error, Result};
use adjutant_tool::mcp::Pin;
use serde::{Deserialize, Serialize};

use super::file;

/// The file.
const FILE: &str = "adjutant.lock";

/// The longest file, in bytes.
const LONGEST: u64 = 64 << 20;

/// The form of the file that is written now.
const VERSION: u32 = 1;

/// What a person has accepted of others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lock {
    path: PathBuf,
    servers: BTreeMap<String, Pin>,
}

/// The file as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    #[serde(default)]
    mcp: BTreeMap<String, Pin>,
}

impl Lock {
    /// Nothing is accepted yet.
    pub(super) fn empty(folder: &Path) -> Self {
        Self { path: folder.join(FILE), servers: BTreeMap::new() }
    }

    /// Reads the lock of a project; one that is not there holds nothing. `shown` is how the person named the folder.
    ///
    /// Fails with [`Code::FileUnreadable`] and with [`Code::ProjectInvalid`].
    pub(super) fn read(folder: &Path, shown: &Path) -> Result<Self> {
        let lock = Self::empty(folder);
        if !lock.path.exists() {
            return Ok(lock);
        }
        let text = file::read(&lock.path, LONGEST)?;
        let named = shown.join(FILE).to_string_lossy().into_owned();
        let invalid = |why: String, line: Option<usize>| {
            Error::new(Code::ProjectInvalid, why)
                .with_help(
                    "it is written by `adjutant tools trust`; bring it back as it was, or accept all anew",
                )
                .at(named.clone(), line, None)
        };
        let written: Written = serde_json::from_str(&text)
            .map_err(|error| invalid(format!("this is no lock file: {error}"), Some(error.line())))?;
        match written.version {
            VERSION => Ok(Self { servers: written.mcp, ..lock }),
            other => {
                Err(invalid(format!("the lock file has the version {other}, which is not known here"), None))
            }
        }
    }

    /// What was accepted of an MCP server.
    pub(super) fn server(&self, name: &str) -> Option<&Pin> {
        self.servers.get(name)
    }

    /// Accepts what servers offer, and forgets those that `keep` does not know. The file is replaced as a whole: who
    /// reads it meanwhile finds the old one or the new one.
    ///
    /// Fails with [`Code::FileUnreadable`].
    pub(super) fn accept(&self, pins: BTreeMap<String, Pin>, keep: impl Fn(&str) -> bool) -> Result<()> {
        // It may have been written since it was read.
        let folder = self.path.parent().unwrap_or(&self.path);
        let mut servers = Self::read(folder, folder)?.servers;
        servers.extend(pins);
        servers.retain(|name, _| keep(name));
        let unwritable = |error: &std::io::Error| {
            Error::new(Code::FileUnreadable, format!("`{}` cannot be written", self.path.display()))
                .caused_by(error)
        };
        let text =
            serde_json::to_string_pretty(&Written { version: VERSION, mcp: servers }).map_err(|error| {
                Error::new(Code::Internal, "the lock cannot be written as JSON").caused_by(&error)
            })?;
        let new = self.path.with_extension("lock.new");
        let write = || {
            let mut file = std::fs::File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)
        };
        write().map_err(|error| unwritable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::read(folder.path(), Path::new("")).unwrap();
        assert_eq!(lock.server("files"), None);
        let pin = Pin { server: "files 1".into(), ..Pin::default() };
        let pins = |name: &str| BTreeMap::from([(name.to_owned(), pin.clone())]);
        lock.accept(pins("files"), |_| true).unwrap();
        lock.accept(pins("memory"), |_| true).unwrap();
        let read = Lock::read(folder.path(), Path::new("")).unwrap();
        assert_eq!((read.server("files"), read.server("memory")), (Some(&pin), Some(&pin)));
        lock.accept(BTreeMap::new(), |name| name == "memory").unwrap();
        assert_eq!(Lock::read(folder.path(), Path::new("")).unwrap().server("files"), None);
    }

    #[test]
    fn a_damaged_lock_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("{\n \"version\": 1,\n \"mpc\": {} }", "this is no lock file: unknown field `mpc`"),
            ("{ \"version\": 2 }", "has the version 2"),
            ("", "this is no lock file"),
        ] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let error = Lock::read(folder.path(), Path::new("shop")).unwrap_err();
            assert!(error.code() == Code::ProjectInvalid && error.to_string().contains(expected), "{error}");
        }
    }
}
