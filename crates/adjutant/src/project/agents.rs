//! The agents of a project, `agents/*.md`, and its workflows, `workflows/*.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use adjutant_agent::definition::{Gaps, Source, check_name, markdown};
use adjutant_core::{Code, Error, Result};
use adjutant_workflow::plan;

use super::file;

/// How many agents one project may have.
const MOST: usize = 1_000;

/// The agents of a project, as far as they are right.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// Those with which nothing is wrong, by their names.
    pub(super) whole: BTreeMap<String, Source>,
    /// Those with which something is wrong.
    pub(super) parts: Vec<(Source, Gaps)>,
    /// Names of those of which nothing could be read.
    pub(super) unread: Vec<String>,
    /// The first that was read.
    pub(super) first: Option<String>,
}

impl Agents {
    /// Reads every agent of the folder, and reports all that is wrong with them. `shown` is how the person named the
    /// folder. A folder that is not there holds no agents.
    pub(super) fn read_all(folder: &Path, shown: &Path, errors: &mut Vec<Error>) -> Self {
        let mut agents = Self::default();
        match list(folder, &["md"]) {
            Ok(paths) => {
                for path in paths {
                    let name = path.file_name().map_or(path.as_path(), Path::new);
                    agents.read(&path, &shown.join(name), errors);
                }
            }
            Err(error) => errors.push(error),
        }
        agents
    }

    /// Reads every workflow of the folder, as [`read_all`](Self::read_all) does agents.
    pub(super) fn read_workflows(&mut self, folder: &Path, shown: &Path, errors: &mut Vec<Error>) {
        match list(folder, &["yaml", "yml"]) {
            Ok(paths) => {
                for path in paths {
                    let name = path.file_name().map_or(path.as_path(), Path::new);
                    self.read_workflow(&path, &shown.join(name), errors);
                }
            }
            Err(error) => errors.push(error),
        }
    }

    /// Reads one workflow. Where something is wrong with it, nothing is known of it but its name.
    pub(super) fn read_workflow(&mut self, path: &Path, shown: &Path, errors: &mut Vec<Error>) {
        let (read, found) = match file::read(path, plan::LONGEST as u64) {
            Ok(text) => plan::parse_in_part(&shown.to_string_lossy(), &text),
            Err(error) => (None, vec![error]),
        };
        let gaps = (!found.is_empty()).then(Gaps::default);
        errors.extend(found);
        match read {
            Some(parsed) => self.take(parsed.source, gaps, errors),
            None => self.unread.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned)),
        }
    }

    /// Reads one agent. `shown` is how the person named the file.
    pub(super) fn read(&mut self, path: &Path, shown: &Path, errors: &mut Vec<Error>) {
        let (read, found) = match file::read(path, markdown::LONGEST as u64) {
            Ok(text) => markdown::parse_in_part(&shown.to_string_lossy(), &text),
            Err(error) => (None, vec![error]),
        };
        let is_whole = found.is_empty();
        errors.extend(found);
        let Some((source, gaps)) = read else {
            self.unread.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
            return;
        };
        self.take(source, (!is_whole).then_some(gaps), errors);
    }

    /// Takes in what was read, with its gaps where something is wrong with it.
    fn take(&mut self, source: Source, gaps: Option<Gaps>, errors: &mut Vec<Error>) {
        self.first.get_or_insert_with(|| source.name.clone());
        let other = self.all().find(|other| other.name == source.name);
        if let Some(first) = other.map(|other| other.file.clone()) {
            let message = format!("there is a second agent or workflow called `{}`", source.name);
            let help = format!("the first is {}", first.as_deref().unwrap_or("another"));
            let file = source.file.clone().unwrap_or_default();
            errors.push(Error::new(Code::ProjectInvalid, message).with_help(help).at(file, None, None));
            self.parts.push((source, gaps.unwrap_or_default()));
        } else if let Some(gaps) = gaps {
            self.parts.push((source, gaps));
        } else {
            self.whole.insert(source.name.clone(), source);
        }
    }

    /// Reads the agents that those that were read ask, and those that these ask, from the files beside them that are
    /// called like them.
    pub(super) fn read_asked(&mut self, path: &Path, shown: &Path, errors: &mut Vec<Error>) {
        let mut tried = BTreeSet::new();
        loop {
            let asked = self.all().flat_map(|source| {
                let handed = source.handoffs.iter().map(|to| to.agent.name.clone());
                source.agents.iter().map(|asked| asked.agent.name.clone()).chain(handed)
            });
            let next: Vec<String> = asked.filter(|name| tried.insert(name.clone())).collect();
            if next.is_empty() {
                return;
            }
            for name in next {
                let file = format!("{name}.md");
                let beside = path.with_file_name(&file);
                let is_known = self.all().any(|source| source.name == name);
                if !is_known && check_name(&name).is_ok() && beside.exists() {
                    self.read(&beside, &shown.with_file_name(&file), errors);
                }
            }
        }
    }

    /// All that could be read, the whole ones first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Source> {
        self.whole.values().chain(self.parts.iter().map(|(source, _)| source))
    }
}

/// The files of a folder with one of these extensions, sorted; hidden ones and `README.md` are left out.
fn list(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
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
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let is_one = path.extension().is_some_and(|own| extensions.iter().any(|wanted| own == *wanted));
        if is_one && !name.starts_with('.') && name != "README.md" {
            paths.push(path);
        }
        if paths.len() > MOST {
            let message = format!("`{}` holds more than {MOST} files", folder.display());
            return Err(Error::new(Code::ProjectInvalid, message));
        }
    }
    paths.sort();
    Ok(paths)
}
