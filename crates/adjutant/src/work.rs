//! The files that tools leave, which live as long as the runs they belong to.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use adjutant_agent::files;
use adjutant_core::id::Scope;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Engine, RunInfo};
use adjutant_tool::artifact::Work;
use adjutant_tool::sandbox::{Config, Folder};

/// The files of all runs of one store and scope.
#[derive(Debug)]
pub(crate) struct Files {
    work: Work,
    scope: Scope,
    /// Whether they end with this value.
    passing: bool,
}

impl Files {
    /// Those of a project, where its configuration says.
    pub(crate) fn of_project(config: &Config, scope: Scope) -> Self {
        Self { work: Work::new(config), scope, passing: false }
    }

    /// Those of a store that is not the project's own: in a folder beside it.
    pub(crate) fn beside(store: &Path, config: &Config, scope: Scope) -> Self {
        let mut name = store.as_os_str().to_owned();
        name.push("-files");
        let path = std::path::absolute(&name).unwrap_or_else(|_| PathBuf::from(name));
        Self { work: Work::new(config).within(path), scope, passing: false }
    }

    /// Those of runs that end with this process: in a temporary folder, which goes with this value.
    pub(crate) fn passing(config: &Config, scope: Scope) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let name = format!("adjutant-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { work: Work::new(config).within(path), scope, passing: true }),
                // One that a process with the same number has left, or somebody who wants to read along.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let message =
                        format!("no temporary folder can be made in `{}`", std::env::temp_dir().display());
                    return Err(Error::new(Code::FileUnreadable, message).caused_by(&error));
                }
            }
        }
    }

    /// Where they are, as tools are told.
    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// The folder of a run's tools.
    pub(crate) async fn of(&self, engine: &dyn Engine, info: &RunInfo) -> Result<Folder> {
        let owner = files::owner(engine, &info.run, info.session.as_ref(), info.origin.as_ref()).await?;
        Ok(Folder::of(self.work.path(), &self.scope, &owner))
    }

    /// Erases the folders that no run belongs to any more.
    pub(crate) async fn sweep(&self, engine: &dyn Engine) -> Result<()> {
        // Listed before the runs are, so that the folder of a run that begins meanwhile is not among them.
        let there = Folder::all(self.work.path(), &self.scope)?;
        if there.is_empty() {
            return Ok(());
        }
        let runs = engine.runs(usize::MAX).await?;
        let mut kept = BTreeSet::new();
        for info in &runs {
            kept.insert(self.of(engine, info).await?);
        }
        let erase = move || there.iter().filter(|there| !kept.contains(there)).try_for_each(Folder::erase);
        tokio::task::spawn_blocking(erase)
            .await
            .map_err(|error| Error::new(Code::Internal, "files could not be erased").caused_by(&error))?
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.passing {
            let folders = Folder::all(self.work.path(), &self.scope).unwrap_or_default();
            // What cannot be removed is in the system's temporary folder, which is tidied up by others, too.
            folders.iter().for_each(|folder| drop(folder.erase()));
            drop(std::fs::remove_dir_all(self.work.path()));
        }
    }
}
