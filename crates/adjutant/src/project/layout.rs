//! Where the parts of a project are.

use std::path::{Path, PathBuf};

use adjutant_core::{Code, Error, Result};

use super::load::{AGENTS, FILE};

/// Where the parts of a project are, and how the person who named it knows them.
pub(super) struct Layout {
    /// Absolute.
    pub(super) folder: PathBuf,
    /// As the person named it.
    pub(super) shown: PathBuf,
    /// The one agent that was named, if one was.
    pub(super) agent: Option<(PathBuf, PathBuf)>,
}

impl Layout {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let unreadable = |error: &std::io::Error| {
            Error::new(Code::FileUnreadable, format!("`{}` cannot be read: {error}", path.display()))
        };
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
        let absolute = std::path::absolute(path).map_err(|error| unreadable(&error))?;
        let shown = if path == Path::new(".") { PathBuf::new() } else { path.to_owned() };
        if metadata.is_dir() {
            return Ok(Self { folder: absolute, shown, agent: None });
        }
        if path.file_name() == Some(FILE.as_ref()) {
            let parent = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
            return Ok(Self { folder: parent(&absolute), shown: parent(path), agent: None });
        }
        if path.extension().is_none_or(|extension| extension != "md") {
            return Err(Error::new(Code::InputInvalid, format!("`{}` is no project", path.display()))
                .with_help("name a folder, or a Markdown file with an agent"));
        }
        let beside = absolute.parent().unwrap_or(&absolute);
        let above = beside.parent().filter(|above| {
            beside.file_name() == Some(AGENTS.as_ref())
                && !beside.join(FILE).exists()
                && above.join(FILE).exists()
        });
        let folder = above.unwrap_or(beside).to_owned();
        let levels = if above.is_some() { 2 } else { 1 };
        let shown = path.ancestors().nth(levels).map_or_else(|| folder.clone(), Path::to_owned);
        Ok(Self { folder, shown, agent: Some((absolute.clone(), path.to_owned())) })
    }
}
