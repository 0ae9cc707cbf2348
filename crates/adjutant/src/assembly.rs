//! What an [`Adjutant`](crate::Adjutant) is put together of: what the process has, what a tenant has, and what a project makes of
//! both.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use adjutant_agent::AgentHost;
use adjutant_agent::definition::Defaults;
use adjutant_agent::rules::Forbids;
use adjutant_agent::workflow::Workflows;
use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::limit::Limits;
use adjutant_core::secret::Secrets;
use adjutant_core::time::Clock;
use adjutant_durable::Engine;
use adjutant_model::layer::Kept;
use adjutant_policy::{Request, Verdict};
use adjutant_store::{Daily, Store};
use adjutant_tool::Resources;
use adjutant_tool::code::Interpreter;
use adjutant_workflow::Codes;

use crate::adjutant::ProjectModels;
use crate::gateway::Passage;
use crate::keys::{Keys, SeenKeys};
use crate::project::Project;
use crate::work::Files;

/// What all tenants of a process share. Nothing in it knows what any of them does.
pub(crate) struct Process {
    pub(crate) store: Store,
    /// Where secrets come from, where it is not the project that says so.
    pub(crate) secrets: Option<Arc<dyn Secrets>>,
    pub(crate) resources: Resources,
    pub(crate) interpreter: Interpreter,
    pub(crate) clock: Arc<dyn Clock>,
    /// The keys that were seen, whichever tenant they are of.
    pub(crate) seen: SeenKeys,
    /// Whether the store is where the project says.
    pub(crate) is_of_project: bool,
}

/// Where one tenant's runs are, and what they leave.
pub(crate) struct Place {
    pub(crate) scope: Scope,
    pub(crate) engine: Arc<dyn Engine>,
    /// What its runs may take on one day.
    pub(crate) daily: Daily,
    /// What is forbidden to its runs, those that began under an earlier reading of the project too.
    pub(crate) forbids: Arc<Standing>,
    pub(crate) keys: Keys,
    pub(crate) files: Files,
    /// The folder of the results of workflows that are kept; none where nothing outlives the process.
    pub(crate) results: Option<PathBuf>,
}

/// What a project is put together to for one tenant.
pub(crate) struct Assembled {
    pub(crate) project: Arc<Project>,
    pub(crate) defaults: Arc<Defaults>,
    pub(crate) host: Arc<AgentHost>,
    pub(crate) passage: Passage,
}

impl Process {
    /// The place of a tenant. Fails where no temporary folder can be made.
    pub(crate) fn place(&self, project: &Project, scope: Scope) -> Result<Place> {
        let settings = project.settings();
        let files = match self.store.path() {
            // Two stores that share a folder would take each other's files for left over.
            Some(store) if !self.is_of_project => Files::beside(store, &settings.sandbox, scope.clone()),
            Some(_) => Files::of_project(&settings.sandbox, scope.clone()),
            None => Files::passing(&settings.sandbox, scope.clone())?,
        };
        let results = self.store.path().map(|store| results_beside(store, &scope));
        let daily = Daily::default();
        let engine = self.store.engine_within(scope.clone(), daily.clone());
        let keys = Keys::new(self.store.directory(), scope.clone(), Arc::clone(&self.clock), &self.seen);
        Ok(Place { scope, engine, daily, forbids: Arc::default(), keys, files, results })
    }

    /// Puts a project together for one tenant.
    pub(crate) fn assemble(&self, project: Project, place: &Place, workflows: &Arc<Codes>) -> Assembled {
        let defaults = Arc::new(defaults(&project));
        let settings = project.settings().clone();
        let secrets = self.secrets.clone().unwrap_or_else(|| project.secrets());
        let project = Arc::new(project);
        let models = Arc::new(ProjectModels(Arc::clone(&project)));
        let resources =
            self.resources.clone().with(place.files.work().clone()).with(self.interpreter.clone());
        let host = AgentHost::new(Arc::clone(&place.engine), models, project.reachable_tools())
            .with_known(project.agents().map(|agent| agent.name.clone()))
            .with_approvals(settings.approvals.terms, settings.approvals.notifier(&secrets))
            .with_workflows(Arc::clone(workflows) as Arc<dyn Workflows>)
            .with_secrets(secrets)
            .with_resources(resources)
            .with_library(project.library().clone())
            .with_interpreter(self.interpreter.clone());
        let host = match &place.results {
            Some(folder) => host.with_results(Kept::new(folder, Duration::MAX)),
            None => host,
        };
        let forbids = Arc::clone(&place.forbids) as Arc<dyn Forbids>;
        let passage = Passage::of(&project, Arc::clone(&forbids));
        let host = host.with_forbids(forbids);
        Assembled { project, defaults, host: Arc::new(host), passage }
    }
}

/// What the project that stands now forbids.
#[derive(Default)]
pub(crate) struct Standing(RwLock<Option<Arc<dyn Forbids>>>);

impl Standing {
    fn set(&self, forbids: Option<Arc<dyn Forbids>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = forbids;
    }
}

impl Forbids for Standing {
    fn forbid(&self, request: &Request) -> Option<Verdict> {
        let forbids = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        forbids?.forbid(request)
    }
}

impl Place {
    /// Lets a project stand here: what it bounds and forbids holds for runs under way, too.
    pub(crate) fn take(&self, project: &Project) {
        self.daily.set(project.settings().budget.amount());
        self.forbids.set(project.forbids());
    }
}

/// What holds for agents that do not say otherwise.
fn defaults(project: &Project) -> Defaults {
    let mut limits = Limits::default();
    project.settings().limits.iter().for_each(|setting| setting.apply(&mut limits));
    let settings = project.settings().clone();
    Defaults {
        limits,
        stop: settings.stop,
        variables: settings.variables,
        tool_search: settings.tool_search,
        skills: project.skills().map(|skill| (skill.name.clone(), Some(skill.clone()))).collect(),
        guardrails: settings.guardrails,
    }
}

/// The folder of what workflows keep, beside the store.
pub(crate) const RESULTS: &str = "results";

/// The folder in which results of workflows are kept: each store's and project's own.
fn results_beside(store: &Path, scope: &Scope) -> PathBuf {
    let name = store.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let owner = Digest::of_parts(&[name.as_bytes(), scope.tenant.as_bytes(), scope.project.as_bytes()]);
    store.with_file_name(RESULTS).join(owner.short())
}
