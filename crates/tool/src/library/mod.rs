//! Tools that agents made: a library of the project, in files that a person can read.
//!
//! Each tool is a folder of the library with what it says of itself (`tool.json`), its program, its test, and a signature.
//! An agent proposes one; its test is run, a person approves it, and then it is signed and written. From then on it is
//! a tool like any other, a pure function in code mode that can call nothing.
//!
//! **What the signature protects from.** It is made over all of these files with a key that is not in the project's
//! folder, so whatever can write to that folder and no further (an agent with a tool for files, a change that somebody
//! sends in) adds no tool and changes none: what is not signed as it stands is not run, until a person has looked at it
//! and signs it. It does not protect from whoever has the key.

mod entry;
mod made;
mod proposal;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_core::secret::Secrets;
use adjutant_core::{Code, Error, Result};

use crate::Tool;
use crate::vault::Vault;

pub use entry::{Entry, Manifest, Origin, Standing};
pub use proposal::Proposal;

/// The folder of the library within that of a project.
pub const FOLDER: &str = "tools/library";

/// The tools that agents of a project have made.
#[derive(Clone)]
pub struct Library {
    folder: PathBuf,
    vault: Vault,
    secrets: Arc<dyn Secrets>,
}

/// What of a library can be used.
#[derive(Default)]
pub struct Usable {
    /// The tools that are signed as they stand.
    pub tools: Vec<Arc<dyn Tool>>,
    /// Why each of the others is not run, by its name.
    pub refused: BTreeMap<String, Error>,
}

impl Library {
    /// The library of the project in `folder`, signed with the key of its vault.
    pub fn new(folder: &Path, vault: Vault, secrets: Arc<dyn Secrets>) -> Self {
        Self { folder: folder.join(FOLDER), vault, secrets }
    }

    /// All tools in it, in the order of their names, also those that are not run.
    ///
    /// Fails like [`entry`](Self::entry).
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.names()?.iter().map(|name| self.entry(name)).collect()
    }

    /// The folders of the library that hold a tool.
    fn names(&self) -> Result<Vec<String>> {
        let listed = match fs::read_dir(&self.folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(&self.folder, &error)),
        };
        let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| self.folder.join(name).join(entry::MANIFEST).is_file()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The tool of that name. Fails with [`Code::NotFound`] when there is none, and with [`Code::ProjectInvalid`] when
    /// its files cannot be understood.
    pub fn entry(&self, name: &str) -> Result<Entry> {
        let folder = self.folder_of(name)?;
        let signs = |text: &[u8], signature: &str| Ok(self.open()?.has_signed(text, signature));
        Entry::read(name, &folder, signs)
    }

    /// Writes a proposal that a person has approved, signed, as the next version of its name. The same step again
    /// changes nothing. Returns the version.
    ///
    /// Fails with [`Code::FileUnreadable`] when it cannot be written.
    pub fn add(&self, proposal: &Proposal, origin: &Origin) -> Result<u32> {
        let before = match self.entry(&proposal.name) {
            Ok(entry) => Some(entry),
            Err(error) if error.code() == Code::NotFound => None,
            Err(error) => return Err(error),
        };
        let same = before.as_ref().filter(|entry| entry.manifest.made == *origin);
        if let Some(same) = same.filter(|entry| entry.standing != Standing::Unsigned) {
            return Ok(same.manifest.version);
        }
        // One that the same step has begun to write and not signed is written again, as the same version.
        let version = match same {
            Some(same) => same.manifest.version,
            None => before.map_or(0, |entry| entry.manifest.version) + 1,
        };
        let manifest = Manifest::of(proposal, version, origin.clone());
        let entry = Entry::unsigned(manifest, proposal.program.clone(), proposal.test.clone());
        self.write(&entry)?;
        Ok(version)
    }

    /// Signs a tool as it stands, also one that was withdrawn.
    pub fn sign(&self, name: &str) -> Result<()> {
        self.sign_shown(self.entry(name)?)
    }

    /// Signs a tool as a person was shown it, whatever its files have become since.
    pub fn sign_shown(&self, mut entry: Entry) -> Result<()> {
        entry.manifest.withdrawn = false;
        self.write(&entry)
    }

    /// Signs anew, with the key of now, each tool that is signed as it stands. Returns how many.
    pub fn sign_anew(&self) -> Result<usize> {
        let signed = self.entries()?.into_iter().filter(|entry| entry.standing == Standing::Signed);
        let mut count = 0;
        for entry in signed {
            self.write(&entry)?;
            count += 1;
        }
        Ok(count)
    }

    /// Withdraws a tool: it stays to be looked at, and is not run any more.
    pub fn withdraw(&self, name: &str) -> Result<()> {
        let mut entry = self.entry(name)?;
        entry.manifest.withdrawn = true;
        entry.write(&self.folder_of(name)?, None)
    }

    /// The tools that are signed as they stand, and why each of the others is not run.
    ///
    /// Fails with [`Code::FileUnreadable`] when nobody can say which there are.
    pub fn tools(&self) -> Result<Usable> {
        let mut usable = Usable::default();
        for name in self.names()? {
            let why = match self.entry(&name) {
                Ok(entry) if entry.standing == Standing::Signed => {
                    usable.tools.push(made::tool(entry));
                    continue;
                }
                Ok(entry) => not_run(&name, entry.standing),
                Err(error) => error,
            };
            usable.refused.insert(name, why);
        }
        Ok(usable)
    }

    fn write(&self, entry: &Entry) -> Result<()> {
        let signature = self.open()?.sign(&entry.signed())?;
        entry.write(&self.folder_of(&entry.manifest.name)?, Some(&signature))
    }

    fn open(&self) -> Result<crate::vault::OpenVault> {
        self.vault.open(&|name| self.secrets.get(name))
    }

    fn folder_of(&self, name: &str) -> Result<PathBuf> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            true => Ok(self.folder.join(name)),
            false => Err(Error::new(Code::NotFound, format!("there is no tool `{name}` in the library"))),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("`{}` cannot be read", path.display())).caused_by(error)
}

/// Why a tool is not run that is there.
fn not_run(name: &str, standing: Standing) -> Error {
    let why = match standing {
        Standing::Withdrawn => "was withdrawn",
        _ => "is not signed as it stands: its files were changed, or it was signed with another key",
    };
    Error::new(Code::ProjectInvalid, format!("the tool `{name}` of the library {why}")).with_help(format!(
        "look at it with `adjutant tools library show {name}`, and sign it with `adjutant tools library sign {name}`"
    ))
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("folder", &self.folder).finish_non_exhaustive()
    }
}
