//! A project as another tenant has it.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_core::id::Scope;
use adjutant_core::secret::Secrets;
use adjutant_core::{Code, Error, Result};
use adjutant_tool::library::Library;
use adjutant_tool::mcp::Transport;

use super::around::Around;
use super::colleagues;
use super::load::{Project, defaults};
use super::secrets::ProjectSecrets;
use super::settings::Settings;
use super::tools::ToolKind;
use super::unread::Unread;

/// The folder of what tenants have beside the project's own, within that of the project.
pub(super) const FOLDER: &str = ".adjutant/tenants";

/// The folder of its vault, within that of a tenant.
pub(super) const VAULT: &str = "vault";

impl Project {
    /// The project as a tenant has it, for those who work with what is the tenant's own without its runs, such as its logins.
    ///
    /// Fails with [`Code::InputInvalid`] for what is no name of a tenant, and where a folder of its own cannot be made.
    pub fn for_tenant(self, tenant: &str) -> Result<Self> {
        let scope = Scope::new(tenant, &self.settings.scope.project)?;
        if scope == self.settings.scope { Ok(self) } else { self.of_tenant(scope) }
    }

    /// The same project for another tenant. What is written in the project's folder is the same: agents, skills, policies, and the
    /// tools of its library. What comes from working with it is the tenant's own: connections to servers and logins, tools that its
    /// agents make, files that tools write, and answers and vectors that are kept.
    ///
    /// Fails where a folder of its own cannot be made.
    pub(crate) fn of_tenant(&self, scope: Scope) -> Result<Self> {
        let own = self.folder.join(FOLDER).join(&*scope.tenant);
        let models = self.models.of(&scope, &self.settings.store);
        let settings = settings_of(&self.settings, scope, &own)?;
        let secrets = Arc::<ProjectSecrets>::clone(&self.secrets) as Arc<dyn Secrets>;
        let library = Library::new(&own, settings.vault.clone(), secrets);
        let toolsets = self.toolsets.of_tenant(&settings.tools, &self.lock, &library)?;
        let around = Around {
            defaults: defaults(&settings, &self.skills),
            settings: &settings,
            toolsets: &toolsets,
            models: &models,
            unread: Unread::default(),
        };
        let mut errors = Vec::new();
        let definitions = colleagues::define(&self.agents, |source| around.define(source), &mut errors);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        Ok(Self {
            folder: self.folder.clone(),
            settings,
            agents: self.agents.clone(),
            definitions,
            toolsets,
            skills: self.skills.clone(),
            lock: self.lock.clone(),
            library,
            models,
            policies: self.policies.clone(),
            has_files: self.has_files,
            secrets: Arc::clone(&self.secrets),
            reading: self.reading.clone(),
            number: Arc::clone(&self.number),
            is_of_tenant: true,
            named: self.named.clone(),
        })
    }
}

impl Project {
    /// Where that is which tenants have beside the project's own; none of a project without files.
    pub(crate) fn tenants_folder(&self) -> Option<PathBuf> {
        self.has_files.then(|| self.folder.join(FOLDER))
    }
}

/// The settings with the places of another tenant in them.
fn settings_of(settings: &Settings, scope: Scope, own: &Path) -> Result<Settings> {
    let vault = settings.vault.within(own.join(VAULT));
    // What comes due, or comes into a folder, comes once: to the project's own tenant.
    let triggers = BTreeMap::new();
    let mut settings = Settings { scope, vault: vault.clone(), triggers, ..settings.clone() };
    for (name, tool) in &mut settings.tools {
        match &mut tool.kind {
            ToolKind::Mcp(server) => match &mut server.transport {
                Transport::Http(http) => {
                    http.auth.iter_mut().for_each(|auth| auth.vault = vault.clone());
                }
                Transport::Process(process) => {
                    process.sandbox.iter_mut().for_each(|sandbox| sandbox.work = own.join("servers"));
                }
            },
            ToolKind::Files { root, write: true, shared: false } => {
                *root = made(own.join("files").join(name))?;
            }
            _ => {}
        }
    }
    Ok(settings)
}

/// A folder that is there, and that only this user can read.
fn made(folder: PathBuf) -> Result<PathBuf> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| {
        let message = format!("the folder `{}` cannot be made", folder.display());
        Error::new(Code::FileUnreadable, message).caused_by(&error)
    })?;
    Ok(folder)
}
