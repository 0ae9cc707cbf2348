//! The files that sandboxed tools leave, which live as long as the runs they belong to.

use std::collections::BTreeSet;

use adjutant_agent::files;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Engine, RunInfo};
use adjutant_tool::sandbox::Folder;

use crate::project::Settings;

/// The folder of a run's tools.
pub(crate) async fn folder(settings: &Settings, engine: &dyn Engine, info: &RunInfo) -> Result<Folder> {
    let owner = files::owner(engine, &info.run, info.session.as_ref(), info.origin.as_ref()).await?;
    Ok(Folder::of(&settings.sandbox.work, &settings.scope, &owner))
}

/// Erases the folders that no run belongs to any more.
pub(crate) async fn sweep(settings: &Settings, engine: &dyn Engine) -> Result<()> {
    // Listed before the runs are, so that the folder of a run that begins meanwhile is not among them.
    let there = Folder::all(&settings.sandbox.work, &settings.scope)?;
    if there.is_empty() {
        return Ok(());
    }
    let runs = engine.runs(usize::MAX).await?;
    let mut kept = BTreeSet::new();
    for info in &runs {
        kept.insert(folder(settings, engine, info).await?);
    }
    let erase = move || there.iter().filter(|there| !kept.contains(there)).try_for_each(Folder::erase);
    tokio::task::spawn_blocking(erase)
        .await
        .map_err(|error| Error::new(Code::Internal, "files could not be erased").caused_by(&error))?
}
