//! [`Skills`]: the skills of an agent, as a folder for scripts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Content, Skill};

/// Where scripts in a sandbox find the folders of skills.
pub const FOLDER: &str = "/skills";
/// The environment variable that says where that is.
pub const VARIABLE: &str = "ADJUTANT_SKILLS";

/// The skills of an agent. As a resource of a call, scripts see them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Skills(Arc<[Skill]>);

impl Skills {
    /// These skills.
    pub fn new(skills: impl Into<Arc<[Skill]>>) -> Self {
        Self(skills.into())
    }

    /// All of them.
    pub fn all(&self) -> &[Skill] {
        &self.0
    }

    /// Writes the folders of the skills, where they are not there yet, below `work`, and says where they are: a place of their
    /// own for what is in them, so that what one run has unpacked never changes under another. Blocks for as long as the disk takes.
    ///
    /// Fails with [`Code::ToolBroken`] when the disk refuses, and with [`Code::ToolInvalid`] for a path that leads elsewhere.
    pub(crate) fn unpack(&self, work: &Path) -> Result<PathBuf> {
        let digest = self.digest()?;
        let shelf = work.join(".skills");
        let place = shelf.join(&digest);
        if place.is_dir() {
            return Ok(place);
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let aside = shelf.join(format!("{digest}.{}.{number}", std::process::id()));
        self.write(&aside)?;
        match std::fs::rename(&aside, &place) {
            Ok(()) => Ok(place),
            // Another call was faster, with the same.
            Err(_) if place.is_dir() => {
                let _ = std::fs::remove_dir_all(&aside);
                Ok(place)
            }
            Err(error) => Err(broken(&place, &error)),
        }
    }

    fn digest(&self) -> Result<String> {
        Ok(Digest::of(Json::of(self.all())?.as_str().as_bytes()).to_string())
    }

    fn write(&self, root: &Path) -> Result<()> {
        make(root).map_err(|error| broken(root, &error))?;
        for skill in self.all() {
            let folder = root.join(component(&skill.name)?);
            write(&folder.join("SKILL.md"), skill.body.as_bytes(), false)?;
            for file in &skill.files {
                let mut path = folder.clone();
                for part in file.path.split('/') {
                    path.push(component(part)?);
                }
                match &file.content {
                    Content::Text(text) => write(&path, text.as_bytes(), file.executable)?,
                    Content::Base64(text) => {
                        let bytes = STANDARD.decode(text).map_err(|_| {
                            Error::new(Code::ToolInvalid, format!("`{}` is no base 64", file.path))
                        })?;
                        write(&path, &bytes, file.executable)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A part of a path that stays below.
fn component(part: &str) -> Result<&str> {
    match part.is_empty() || part == "." || part == ".." || part.contains(['/', '\\', '\0']) {
        true => {
            Err(Error::new(Code::ToolInvalid, format!("`{part}` cannot stand in the path of a skill's file")))
        }
        false => Ok(part),
    }
}

fn make(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    permit(path, 0o755)
}

fn write(path: &Path, bytes: &[u8], executable: bool) -> Result<()> {
    let written = path.parent().map_or(Ok(()), make).and_then(|()| {
        std::fs::write(path, bytes)?;
        permit(path, if executable { 0o555 } else { 0o444 })
    });
    written.map_err(|error| broken(path, &error))
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permit(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

fn broken(path: &Path, error: &io::Error) -> Error {
    Error::new(Code::ToolBroken, format!("the skills cannot be laid out at `{}`", path.display()))
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::File;

    fn skill(path: &str, text: &str) -> Skills {
        let file = File { path: path.into(), content: Content::Text(text.into()), executable: true };
        Skills::new([Skill {
            name: "charts".into(),
            description: "Draws.".into(),
            body: "Draw.".into(),
            allowed_tools: Vec::new(),
            license: None,
            compatibility: None,
            metadata: Default::default(),
            files: vec![file],
        }])
    }

    #[test]
    fn other_content_has_another_place() {
        let work = tempfile::tempdir().unwrap();
        let place = skill("scripts/run.sh", "echo 1").unpack(work.path()).unwrap();
        assert_eq!(std::fs::read_to_string(place.join("charts/scripts/run.sh")).unwrap(), "echo 1");
        assert_eq!(std::fs::read_to_string(place.join("charts/SKILL.md")).unwrap(), "Draw.");
        assert_eq!(skill("scripts/run.sh", "echo 1").unpack(work.path()).unwrap(), place);
        assert_ne!(skill("scripts/run.sh", "echo 2").unpack(work.path()).unwrap(), place);
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        let work = tempfile::tempdir().unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "a//b", ".", ""] {
            let error = skill(path, "x").unpack(&work.path().join("inner")).unwrap_err();
            assert_eq!(error.code(), Code::ToolInvalid, "{path}");
        }
        assert!(!work.path().join("x").exists());
    }
}
