//! The skills of a project: `skills/*/SKILL.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_agent::definition::skill;
use adjutant_core::{Code, Error, Result};
use adjutant_tool::skill::{Content, File, Skill};

use super::file;

/// Where the skills of a project are.
pub(super) const FOLDER: &str = "skills";
/// What makes a folder a skill.
const FILE: &str = "SKILL.md";
/// How many skills one project may have.
const MOST: usize = 200;
/// How many files a skill may have besides.
const MOST_FILES: usize = 256;
/// How deep its folders may be.
const DEEPEST: usize = 8;
/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;
/// What all files of a skill may have together, in bytes: a run that has it keeps all of it.
const LARGEST_SKILL: u64 = 4 << 20;

/// The skills of a project by their folders; none for one with which something is wrong.
pub(super) type Skills = BTreeMap<String, Option<Skill>>;

/// Reads every skill of the folder, and reports all that is wrong with them. `shown` is how the person named the folder. A folder
/// that is not there holds no skills.
pub(super) fn read_all(folder: &Path, shown: &Path, errors: &mut Vec<Error>) -> Skills {
    let folders = match list(folder) {
        Ok(folders) => folders,
        Err(error) => {
            errors.push(error);
            return Skills::new();
        }
    };
    let read = folders.into_iter().map(|name| {
        let skill = read(&folder.join(&name), &shown.join(&name), &name);
        (name, skill.map_err(|mut found| errors.append(&mut found)).ok())
    });
    read.collect()
}

/// Reads the skills of the project in a folder, and reports all that is wrong with them.
pub fn read_skills(project: &Path, errors: &mut Vec<Error>) -> Vec<Skill> {
    let shown = if project == Path::new(".") { Path::new("") } else { project };
    read_all(&project.join(FOLDER), &shown.join(FOLDER), errors).into_values().flatten().collect()
}

/// Reads one skill from its folder, with all of its files.
///
/// Reports all that is wrong with it, each error with its file and, in `SKILL.md`, with line and column.
pub fn read_skill(folder: impl AsRef<Path>) -> Result<Skill, Vec<Error>> {
    let folder = folder.as_ref();
    let absolute = std::fs::canonicalize(folder).map_err(|error| vec![unreadable(folder, &error)])?;
    let name = absolute.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    read(folder, folder, name)
}

fn read(folder: &Path, shown: &Path, name: &str) -> Result<Skill, Vec<Error>> {
    let (path, shown_file) = (folder.join(FILE), shown.join(FILE));
    let mut errors = Vec::new();
    let skill = match plain(&path, &shown_file).and_then(|()| file::read(&path, LARGEST)) {
        Ok(text) => skill::parse(&shown_file.to_string_lossy(), name, &text)
            .map_err(|mut found| errors.append(&mut found))
            .ok(),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let mut gathered = Gathered { files: Vec::new(), bytes: 0, errors: &mut errors };
    gathered.folder(folder, shown, "", 0);
    let files = gathered.files;
    match skill.filter(|_| errors.is_empty()) {
        Some(skill) => Ok(Skill { files, ..skill }),
        None => Err(errors),
    }
}

/// The files of a skill, as far as they are read.
struct Gathered<'a> {
    files: Vec<File>,
    bytes: u64,
    errors: &'a mut Vec<Error>,
}

impl Gathered<'_> {
    /// Reads a folder and those in it; `inside` is its path in the skill, with a `/` at its end.
    fn folder(&mut self, folder: &Path, shown: &Path, inside: &str, depth: usize) {
        let names = match names(folder) {
            Ok(names) => names,
            Err(error) => return self.errors.push(unreadable(shown, &error)),
        };
        for name in names {
            let (path, shown, inside) = (folder.join(&name), shown.join(&name), format!("{inside}{name}"));
            if inside == FILE {
                continue;
            }
            match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() && depth < DEEPEST => {
                    self.folder(&path, &shown, &format!("{inside}/"), depth + 1);
                }
                Ok(found) if found.is_dir() => {
                    self.refuse(&shown, format!("a skill has at most {DEEPEST} folders in each other"));
                }
                Ok(_) if self.files.len() >= MOST_FILES => {
                    return self.refuse(&shown, format!("a skill has at most {MOST_FILES} files"));
                }
                Ok(found) => match read_file(&path, &shown, inside, &found) {
                    Ok(file) => {
                        self.bytes += found.len();
                        self.files.push(file);
                    }
                    Err(error) => self.errors.push(error),
                },
                Err(error) => self.errors.push(unreadable(&shown, &error)),
            }
            if self.bytes > LARGEST_SKILL {
                return self.refuse(
                    &shown,
                    format!("the files of a skill have at most {LARGEST_SKILL} bytes together"),
                );
            }
        }
    }

    fn refuse(&mut self, shown: &Path, why: String) {
        let error = Error::new(Code::ProjectInvalid, why)
            .with_help("put data elsewhere, and let `read` of the sandbox show it to scripts");
        self.errors.push(error.at(shown.to_string_lossy(), None, None));
    }
}

fn read_file(path: &Path, shown: &Path, inside: String, found: &std::fs::Metadata) -> Result<File> {
    plain(path, shown)?;
    if found.len() > LARGEST {
        let message = format!("a file of a skill has at most {LARGEST} bytes, not {}", found.len());
        return Err(Error::new(Code::ProjectInvalid, message)
            .with_help("put data elsewhere, and let `read` of the sandbox show it to scripts")
            .at(shown.to_string_lossy(), None, None));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(shown, &error))?;
    Ok(File { path: inside, content: Content::of(bytes), executable: is_executable(found) })
}

/// Refuses what is no ordinary file: a link may lead anywhere, and a pipe never ends.
fn plain(path: &Path, shown: &Path) -> Result<()> {
    let found = std::fs::symlink_metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let message =
                format!("the skill has no `{}`", shown.file_name().unwrap_or_default().to_string_lossy());
            let folder = shown.parent().unwrap_or(shown);
            Error::new(Code::ProjectInvalid, message)
                .with_help("write it, with a name, a description and instructions, or move the folder away")
                .at(folder.to_string_lossy(), None, None)
        }
        _ => unreadable(shown, &error),
    })?;
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_symlink() { "a link" } else { "no ordinary file" };
    let message = format!("this is {what}: a skill holds its files itself");
    Err(Error::new(Code::ProjectInvalid, message).with_help("copy the file into the folder of the skill").at(
        shown.to_string_lossy(),
        None,
        None,
    ))
}

/// The folders of skills, by their names. Hidden ones and files beside them are none.
fn list(folder: &Path) -> Result<Vec<String>> {
    let names = match names(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    let folders: Vec<String> = names.into_iter().filter(|name| folder.join(name).is_dir()).collect();
    match folders.len() > MOST {
        true => Err(Error::new(
            Code::ProjectInvalid,
            format!("`{}` holds more than {MOST} skills", folder.display()),
        )),
        false => Ok(folders),
    }
}

/// What is in a folder, sorted, without what is hidden and what Python leaves behind.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "__pycache__" {
            names.push(name);
        }
        if names.len() > 10_000 {
            return Err(std::io::Error::other("there are too many files"));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(unix)]
fn is_executable(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("`{}` cannot be read: {error}", PathBuf::from(path).display()))
}
