//! A set of policies that is proposed, beside the one that decides.

use std::path::{Path, PathBuf};

use adjutant::policy::cedar::{File, Mode, Policies, Schema};
use adjutant_core::{Code, Error, Result};

use crate::exit::Ended;

/// Reads what is proposed: a folder is a whole set, a file is added to the set that decides, in place of a file of the
/// same name there.
pub(super) fn read(path: &Path, now: Option<&Policies>, schema: &Schema) -> Ended<Policies> {
    let files = match path.is_dir() {
        true => folder(path)?,
        false => {
            let added = file(path)?;
            let name = |name: &str| Path::new(name).file_name().map(ToOwned::to_owned);
            let kept = now.map(|now| now.pinned().files).unwrap_or_default();
            let others = kept.into_iter().filter(|kept| name(&kept.name) != name(&added.name));
            others.chain([added.clone()]).collect()
        }
    };
    let problems = |problems: Vec<_>| problems.into_iter().map(Error::from).collect::<Vec<_>>();
    Ok(Policies::parse(&files, Mode::Enforce, schema).map_err(problems)?)
}

/// All `*.cedar` of a folder, by their names.
fn folder(path: &Path) -> Result<Vec<File>> {
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(path, &error))?.path();
        if entry.extension().is_some_and(|extension| extension == "cedar") {
            paths.push(entry);
        }
    }
    if paths.is_empty() {
        return Err(Error::new(Code::NotFound, format!("`{}` has no `*.cedar`", path.display()))
            .with_help("name a folder with policies, or one file of them"));
    }
    paths.sort();
    paths.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(Code::NotFound, format!("there is no file `{}`", path.display()))
        }
        _ => unreadable(path, &error),
    })?;
    Ok(File { name: path.display().to_string(), text })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("`{}` cannot be read", path.display())).caused_by(error)
}
