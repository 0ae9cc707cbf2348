//! [`Entry`]: a tool of the library, as its files say.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::proposal::Proposal;
use super::unreadable;

pub(super) const MANIFEST: &str = "tool.json";
const PROGRAM: &str = "program.js";
const TEST: &str = "test.js";
const SIGNATURE: &str = "signature";

/// The form of the manifest that is written now.
const FORM: u32 = 1;

/// The longest file, in bytes.
const LONGEST: u64 = 1 << 20;

/// What a tool says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this file.
    pub form: u32,
    /// What models call it.
    pub name: String,
    /// What it does, for models.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
    /// Which version of the name it is, from 1.
    pub version: u32,
    /// Where it comes from.
    pub made: Origin,
    /// Whether a person has withdrawn it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// Where a tool comes from: the step whose approval made it one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The run.
    pub run: String,
    /// The step of the run that proposed it, and in which a person approved it.
    pub step: String,
    /// The agent.
    pub agent: String,
    /// The model.
    pub model: String,
    /// When it was approved.
    pub at: Timestamp,
}

impl Manifest {
    pub(super) fn of(proposal: &Proposal, version: u32, made: Origin) -> Self {
        Self {
            form: FORM,
            name: proposal.name.clone(),
            description: proposal.description.clone(),
            parameters: proposal.parameters.clone(),
            version,
            made,
            withdrawn: false,
        }
    }
}

/// Whether a tool is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is signed as it stands.
    Signed,
    /// It was changed since it was signed, or was signed with another key, or never.
    Unsigned,
    /// A person has withdrawn it.
    Withdrawn,
}

/// A tool of the library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its program: the body of a function of `input`.
    pub program: String,
    /// Its test: a program that calls `tool(input)`.
    pub test: String,
    /// Whether it is run.
    pub standing: Standing,
}

impl Entry {
    pub(super) fn unsigned(manifest: Manifest, program: String, test: String) -> Self {
        Self { manifest, program, test, standing: Standing::Unsigned }
    }

    pub(super) fn read(
        name: &str,
        folder: &Path,
        signs: impl Fn(&[u8], &str) -> Result<bool>,
    ) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text = match text(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(Code::NotFound, format!("there is no tool `{name}` in the library"))
                    .with_help("`adjutant tools library list` shows those that there are"));
            }
            read => read.map_err(|error| unreadable(&path, &error))?,
        };
        let invalid = |why: String| {
            Error::new(Code::ProjectInvalid, format!("`{}` describes no tool: {why}", path.display()))
                .with_help("bring it back as it was, or remove its folder")
        };
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if manifest.form != FORM {
            return Err(invalid(format!("its form {} is not known here", manifest.form)));
        }
        if manifest.name != name {
            return Err(invalid(format!("it says that it is `{}`", manifest.name)));
        }
        let read = |file: &str| {
            let path = folder.join(file);
            self::text(&path).map_err(|error| unreadable(&path, &error))
        };
        let mut entry = Self::unsigned(manifest, read(PROGRAM)?, read(TEST)?);
        let signature = read(SIGNATURE).unwrap_or_default();
        entry.standing = match entry.manifest.withdrawn {
            true => Standing::Withdrawn,
            false if !signature.is_empty() && signs(&entry.signed(), &signature)? => Standing::Signed,
            false => Standing::Unsigned,
        };
        Ok(entry)
    }

    /// What is signed: all of it, in a form in which nothing can pass for something else.
    pub(super) fn signed(&self) -> Vec<u8> {
        // Keys of a value are sorted, so the order in which they are written does not matter.
        let manifest = serde_json::to_value(&self.manifest).unwrap_or_default();
        serde_json::json!(["adjutant library", manifest, self.program, self.test]).to_string().into_bytes()
    }

    /// Writes the files; without a signature, one that is there is removed first.
    pub(super) fn write(&self, folder: &Path, signature: Option<&str>) -> Result<()> {
        let manifest = serde_json::to_string_pretty(&self.manifest).map_err(|error| {
            Error::new(Code::Internal, "the tool cannot be written as JSON").caused_by(&error)
        })?;
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            // Whatever happens in between, what is half written is not signed.
            match fs::remove_file(folder.join(SIGNATURE)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            put(&folder.join(PROGRAM), &self.program)?;
            put(&folder.join(TEST), &self.test)?;
            // Without it there is no tool, so the others are there where it is.
            put(&folder.join(MANIFEST), &format!("{manifest}\n"))?;
            signature.map_or(Ok(()), |signature| put(&folder.join(SIGNATURE), signature))
        };
        write().map_err(|error| {
            Error::new(Code::FileUnreadable, format!("`{}` cannot be written", folder.display()))
                .caused_by(&error)
        })
    }
}

/// Writes a file beside its place and moves it there: it is whole or as it was before.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("part");
    let mut file = fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}
