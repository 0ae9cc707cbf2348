//! [`Builder`]: puts an Adjutant together.

use std::path::PathBuf;
use std::sync::Arc;

use adjutant_agent::Agent;
use adjutant_core::id::Scope;
use adjutant_core::secret::Secrets;
use adjutant_core::{Code, Error, Result};
use adjutant_model::Model;
use adjutant_store::{Options, Store};
use adjutant_tool::Resources;
use adjutant_tool::code::Interpreter;

use crate::adjutant::Adjutant;
use crate::assembly::Process;
use crate::keys::SeenKeys;
use crate::project::{Environment, Project};

/// Puts an [`Adjutant`] together: where runs are kept, which models there are, and what tools share.
///
/// ```
/// use adjutant::Adjutant;
/// use adjutant::model::offline::Offline;
///
/// # fn main() -> adjutant::Result<()> {
/// let adjutant = Adjutant::builder().in_memory().model("main", Offline::new()).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Builder {
    place: Where,
    scope: Option<Scope>,
    project: Option<Project>,
    models: Vec<(String, Arc<dyn Model>)>,
    agents: Vec<Agent>,
    secrets: Option<Arc<dyn Secrets>>,
    resources: Resources,
    interpreter: Interpreter,
    options: Options,
}

#[derive(Default)]
enum Where {
    /// Where the project says.
    #[default]
    Project,
    File(PathBuf),
    Memory,
}

impl Builder {
    /// Keeps runs in this file, which is made if it is not there. Several processes may share it.
    #[must_use]
    pub fn store(mut self, path: impl Into<PathBuf>) -> Self {
        self.place = Where::File(path.into());
        self
    }

    /// Keeps runs in the memory of this process: they do not outlive it.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.place = Where::Memory;
        self
    }

    /// Sets how the store is opened.
    #[must_use]
    pub fn store_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets whose runs they are; otherwise as the project says, or `local/local`.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Takes the agents, tools, models and settings of a project.
    #[must_use]
    pub fn project(mut self, project: Project) -> Self {
        self.project = Some(project);
        self
    }

    /// Gives a role a model: `main` is the one that agents use unless they name another. A role that is given none here
    /// is what the project or the environment says (see `docs/configuration.md`).
    #[must_use]
    pub fn model(self, role: impl Into<String>, model: impl Model) -> Self {
        self.shared_model(role, Arc::new(model))
    }

    /// Gives a role a model that others hold too.
    #[must_use]
    pub fn shared_model(mut self, role: impl Into<String>, model: Arc<dyn Model>) -> Self {
        self.models.push((role.into(), model));
        self
    }

    /// Makes an agent known, so that its runs go on after a restart before it is asked anything.
    #[must_use]
    pub fn agent(mut self, agent: Agent) -> Self {
        self.agents.push(agent);
        self
    }

    /// Sets where tools get secrets from; otherwise from the project.
    #[must_use]
    pub fn secrets(mut self, secrets: Arc<dyn Secrets>) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// Shares a value with all tools, which ask for it by its type.
    #[must_use]
    pub fn resource<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources = self.resources.with(value);
        self
    }

    /// Names the executable that interprets the programs of agents in code mode, such as `adjutant`. Otherwise it is this
    /// one, whose `main` must then call [`first_in_main`](adjutant_tool::first_in_main) first thing.
    #[must_use]
    pub fn interpreter(mut self, path: impl Into<PathBuf>) -> Self {
        self.interpreter = Interpreter::at(path);
        self
    }

    /// Opens the store and puts everything together.
    ///
    /// Fails with [`Code::StoreUnavailable`] and the like when the store cannot be opened, with [`Code::InputInvalid`]
    /// when nobody said where it is, and with what is wrong with an agent.
    pub fn build(self) -> Result<Adjutant> {
        let path = match (self.place, &self.project) {
            (Where::Memory, _) => None,
            (Where::File(path), _) => Some(path),
            (Where::Project, Some(project)) => Some(project.settings().store.clone()),
            (Where::Project, None) => {
                return Err(Error::new(Code::InputInvalid, "nobody said where runs are kept").with_help(
                    "call `.store(path)`, or `.in_memory()` for runs that need not outlive the process",
                ));
            }
        };
        let is_of_project =
            self.project.as_ref().is_some_and(|project| path.as_ref() == Some(&project.settings().store));
        let clock = Arc::clone(&self.options.clock);
        let store = match path {
            Some(path) => Store::open(path, self.options)?,
            None => Store::in_memory()?,
        };
        let project = match self.project {
            Some(project) => project,
            None => Project::without_files(Environment::process())?,
        };
        for (role, model) in self.models {
            project.models().insert(role, model);
        }
        let scope = self.scope.unwrap_or_else(|| project.settings().scope.clone());
        let process = Process {
            store,
            secrets: self.secrets,
            resources: self.resources,
            interpreter: self.interpreter,
            clock,
            seen: SeenKeys::default(),
            is_of_project,
        };
        let place = process.place(&project, scope)?;
        let adjutant = Adjutant::assemble(process, project, place);
        for agent in &self.agents {
            adjutant.add(agent)?;
        }
        Ok(adjutant)
    }
}
