//! Which project a command is about.

use std::path::{Path, PathBuf};

use adjutant::project::Environment;
use adjutant::{Adjutant, Project};
use adjutant_core::{Code, Error, Result};

use crate::arguments::Shared;
use crate::exit::Ended;
use crate::person;
use crate::screen::{Output, count};

/// Opens the project that was typed, or the one around the current folder, with its store.
pub(crate) fn open(positional: Option<&Path>, shared: &Shared) -> Ended<Adjutant> {
    whose(load(positional, shared)?)
}

/// Opens a project for a command: whole where runs go on by it, and otherwise as much of it as is right.
pub(crate) fn open_for(makes_progress: bool, shared: &Shared, output: Output) -> Ended<Adjutant> {
    if makes_progress { open(None, shared) } else { open_in_part(shared, output) }
}

/// Opens the store of the project around the current folder for those who look at runs or end them: what is wrong with
/// the project is no reason not to.
pub(crate) fn open_in_part(shared: &Shared, output: Output) -> Ended<Adjutant> {
    let (project, errors) = Project::load_in_part(find(None, shared)?, environment(shared))?;
    if errors.is_empty() {
        return whose(project);
    }
    // Where the store is may be what is wrong; a new one would say that there are no runs.
    if !project.settings().store.exists() {
        return Err(errors.into());
    }
    let faults = count(errors.len() as u64, "fault");
    let check = format!("adjutant check{}", typed(None, shared));
    output.talk(&format!(
        "warning: the project has {faults}, which `{check}` tells; its runs are there all the same"
    ));
    whose(project)
}

/// The project in the hands of whoever sits in front of the program.
fn whose(project: Project) -> Ended<Adjutant> {
    Ok(Adjutant::of(project)?.by(&person::named(None)))
}

/// Reads the project that was typed, or the one around the current folder.
pub(crate) fn load(positional: Option<&Path>, shared: &Shared) -> Ended<Project> {
    Ok(Project::load_with(find(positional, shared)?, environment(shared))?)
}

/// Reads as much of the project as is right, for those who mend it, with what is wrong.
pub(crate) fn load_in_part(shared: &Shared) -> Ended<(Project, Vec<Error>)> {
    Ok(Project::load_in_part(find(None, shared)?, environment(shared))?)
}

/// The environment of this process, with the settings that were typed.
pub(crate) fn environment(shared: &Shared) -> Environment {
    let typed = shared.settings.iter();
    typed.fold(Environment::process(), |environment, (key, value)| environment.setting(key, value))
}

/// Finds the folder or the file of the project.
pub(crate) fn find(positional: Option<&Path>, shared: &Shared) -> Result<PathBuf> {
    match positional.or(shared.project.as_deref()) {
        Some(path) => exists(path),
        None => around(),
    }
}

fn exists(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path.to_owned());
    }
    Err(Error::new(Code::NotFound, format!("there is no project `{}`", path.display())).with_help(
        "name a folder with an `adjutant.toml` or an `agents` folder, or an agent's Markdown file",
    ))
}

/// The nearest folder with an `adjutant.toml`, from the current one upwards; otherwise the current one, if it has
/// agents.
fn around() -> Result<PathBuf> {
    let current = std::env::current_dir().map_err(|error| {
        Error::new(Code::FileUnreadable, "the current folder cannot be read").caused_by(&error)
    })?;
    if let Some(folder) = current.ancestors().find(|folder| folder.join("adjutant.toml").is_file()) {
        // The way people would write it makes shorter messages.
        return Ok(if folder == current { PathBuf::from(".") } else { folder.to_owned() });
    }
    if current.join("agents").is_dir() {
        return Ok(PathBuf::from("."));
    }
    Err(Error::new(
        Code::NotFound,
        "there is no project here: neither `adjutant.toml` nor `agents`, nor above",
    )
    .with_help("name one (`--project FOLDER`), or make one: `adjutant new FOLDER`"))
}

/// What must be typed after a command to mean this project; nothing where it is found without.
pub(crate) fn typed(positional: Option<&Path>, shared: &Shared) -> String {
    let path = positional.or(shared.project.as_deref());
    path.map(|path| format!(" --project {}", quoted(path))).unwrap_or_default()
}

/// A path as it can be typed into a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_typed_as_it_is_shown() {
        assert_eq!(quoted(Path::new("examples/desk")), "examples/desk");
        assert_eq!(quoted(Path::new("my desk's")), r"'my desk'\''s'");
    }
}
