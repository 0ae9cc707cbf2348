//! The agents of a project: `agents/*.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_agent::definition::{Source, markdown};
use adjutant_core::{Code, Error, Result};

use super::file;

/// How many agents one project may have.
const MOST: usize = 1_000;

/// Reads every agent of the folder, and reports all that is wrong with them. `shown` is how the person named the
/// folder. A folder that is not there holds no agents.
pub(super) fn read_all(folder: &Path, shown: &Path, errors: &mut Vec<Error>) -> BTreeMap<String, Source> {
    let mut agents = BTreeMap::new();
    let paths = match list(folder) {
        Ok(paths) => paths,
        Err(error) => {
            errors.push(error);
            return agents;
        }
    };
    for path in paths {
        let name = path.file_name().map_or(path.as_path(), Path::new);
        match read(&path, &shown.join(name)) {
            Err(found) => errors.extend(found),
            Ok(source) => {
                let file = source.file.clone().unwrap_or_default();
                if let Some(other) = agents.insert(source.name.clone(), source) {
                    let message = format!("there is a second agent called `{}`", other.name);
                    let help = format!("the first is {}", other.file.as_deref().unwrap_or("another"));
                    errors
                        .push(Error::new(Code::ProjectInvalid, message).with_help(help).at(file, None, None));
                }
            }
        }
    }
    agents
}

/// Reads one agent. `shown` is how the person named the file.
pub(super) fn read(path: &Path, shown: &Path) -> Result<Source, Vec<Error>> {
    let text = file::read(path, markdown::LONGEST as u64).map_err(|error| vec![error])?;
    markdown::parse(&shown.to_string_lossy(), &text)
}

/// The Markdown files of a folder, sorted; hidden ones and `README.md` are no agents.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: &std::io::Error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be read: {error}", folder.display()))
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".md") && !name.starts_with('.') && name != "README.md" {
            paths.push(path);
        }
        if paths.len() > MOST {
            let message = format!("`{}` holds more than {MOST} agents", folder.display());
            return Err(Error::new(Code::ProjectInvalid, message));
        }
    }
    paths.sort();
    Ok(paths)
}
