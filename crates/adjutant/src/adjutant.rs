//! [`Adjutant`]: everything put together.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use adjutant_agent::definition::Defaults;
use adjutant_agent::{Agent, AgentHost, Input, Reply, Start};
use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::secret::Secrets;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Cursor, Engine, Host, Page, Program, RunFilter, RunInfo, Serve};
use adjutant_model::Model;
use adjutant_model::embed::Embedder;
use adjutant_model::layer::Kept;
use adjutant_store::random;
use adjutant_tool::sandbox::Folder;
use adjutant_workflow::{Coded, Codes};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::approvals::Approvals;
use crate::assembly::{Assembled, Place, Process};
use crate::audit::Audit;
use crate::backup::{self, Backup, Part};
use crate::builder::Builder;
use crate::decisions::Decisions;
use crate::gateway::{Account, Gateway, Passage};
use crate::keys::Keys;
use crate::project::Project;
use crate::run::{Asked, Run};
use crate::runnable::Runnable;
use crate::session::{Session, SessionInfo};
use crate::task::Task;
use crate::triggers::Triggers;
use crate::updates::{Driving, Updates};
use crate::versions::{Versions, unusable, version_of};

/// How many runs are looked at where a beginning of an id means several.
const MOST_MEANT: usize = 100;

/// Runs agents: a store for their runs, models, tools, and what drives them. Cheap to clone; a clone is the same one.
#[derive(Clone)]
pub struct Adjutant(Arc<Inner>, Option<Arc<str>>);

pub(crate) struct Inner {
    pub(crate) process: Arc<Process>,
    pub(crate) place: Place,
    now: RwLock<Arc<Assembled>>,
    /// What clients use that ask models themselves.
    account: Arc<Account>,
    pub(crate) workflows: Arc<Codes>,
    /// How many workers of this process drive every run.
    workers: AtomicUsize,
    /// The one of the project's own tenant; none where it is that one.
    root: Option<Arc<Inner>>,
    /// The other tenants, where it is the project's own.
    pub(crate) tenants: Mutex<HashMap<String, Weak<Inner>>>,
    /// Held, where it is the project's own, by those who begin runs, so that a project changes between two of them.
    beginning: tokio::sync::RwLock<()>,
}

impl Inner {
    fn new(
        process: Arc<Process>,
        place: Place,
        now: Assembled,
        workflows: Arc<Codes>,
        root: Option<Arc<Self>>,
    ) -> Self {
        place.take(&now.project);
        let now = RwLock::new(Arc::new(now));
        let (workers, tenants, beginning) = (AtomicUsize::new(0), Mutex::default(), Default::default());
        let account = Arc::default();
        Self { process, place, now, account, workflows, workers, root, tenants, beginning }
    }

    /// Puts another reading of the project in the place of the one before.
    pub(crate) fn take(&self, now: Assembled) {
        self.place.take(&now.project);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
    }

    pub(crate) fn now(&self) -> Arc<Assembled> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Adjutant {
    /// Begins to put one together.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Opens a project: a folder with an `adjutant.toml` or with `agents/*.md`, or one agent's Markdown file.
    ///
    /// Fails with the first thing that is wrong with it; [`Project::load`] tells all of them.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let project = Project::load(path).map_err(|mut errors| match errors.is_empty() {
            true => Error::new(Code::Internal, "the project was refused without a reason"),
            false => errors.swap_remove(0),
        })?;
        Self::of(project)
    }

    /// Opens the store of a project.
    pub fn of(project: Project) -> Result<Self> {
        Self::builder().project(project).build()
    }

    pub(crate) fn assemble(process: Process, project: Project, place: Place) -> Self {
        let workflows = Arc::<Codes>::default();
        let now = process.assemble(project, &place, &workflows);
        Self(Arc::new(Inner::new(Arc::new(process), place, now, workflows, None)), None)
    }

    /// The same project for another tenant: with an engine of its own, and so with runs, sessions, approvals, versions and a budget
    /// for the day that are all its own, and with everything else that keeps something of whoever works with it. What is the
    /// providers' is shared by all: connections, limits on calls, breakers. The agents, workflows and models that the program
    /// has brought by now are known to it, too. The same tenant is the same value for as long as somebody holds it.
    ///
    /// Fails with [`Code::InputInvalid`] for what is no name of a tenant, and where its own folders cannot be made.
    pub fn of_tenant(&self, tenant: &str) -> Result<Self> {
        let root = self.root();
        if *tenant == *root.place.scope.tenant {
            return Ok(Self(Arc::clone(root), self.1.clone()));
        }
        // Held until it is there, so that there is one of each.
        let mut tenants = root.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tenants.get(tenant).and_then(Weak::upgrade) {
            return Ok(Self(known, self.1.clone()));
        }
        tenants.retain(|_, known| known.strong_count() > 0);
        let (process, before) = (Arc::clone(&root.process), root.now());
        let scope = Scope::new(tenant, &root.place.scope.project)?;
        let project = before.project.of_tenant(scope.clone())?;
        let place = process.place(&project, scope)?;
        let workflows = Arc::new(Codes::clone(&root.workflows));
        let now = process.assemble(project, &place, &workflows);
        now.host.know_agents_of(&before.host);
        let made = Arc::new(Inner::new(process, place, now, workflows, Some(Arc::clone(root))));
        tenants.insert(tenant.to_owned(), Arc::downgrade(&made));
        Ok(Self(made, self.1.clone()))
    }

    /// What is the project's own tenant.
    pub(crate) fn root(&self) -> &Arc<Inner> {
        self.0.root.as_ref().unwrap_or(&self.0)
    }

    /// Held while a run begins: the project that it begins with stays until it is recorded.
    pub(crate) async fn beginning(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.root().beginning.read().await
    }

    /// Held while the project changes: nothing begins meanwhile.
    pub(crate) async fn changing(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.root().beginning.write().await
    }

    /// Whose runs they are.
    pub fn scope(&self) -> &Scope {
        &self.0.place.scope
    }

    /// Asks an agent, and waits for its answer: one built in Rust (`&desk`), or one of the project's by name
    /// (`"desk"`).
    ///
    /// The run is recorded before anything happens. Where the process dies, the run is there and goes on when somebody
    /// drives it: [`serve`](Self::serve), or the same call again if the task has an [id](Task::id). It waits as long as
    /// the run waits, for a person too; [`start`](Self::start) gives the run itself, to be looked at meanwhile.
    pub async fn run(&self, agent: &(impl Runnable + ?Sized), task: impl Into<Task>) -> Result<Reply> {
        self.start(agent, task).await?.reply().await
    }

    /// Asks an agent something that is to be done once: the same id again, also in another process, goes on with the
    /// run that is there, or gives its answer.
    ///
    /// Fails with [`Code::Conflict`] when that id was given to another task.
    pub async fn run_with_id(
        &self,
        id: &str,
        agent: &(impl Runnable + ?Sized),
        task: impl Into<Task>,
    ) -> Result<Reply> {
        self.run(agent, task.into().id(id)).await
    }

    /// Asks an agent, and streams what happens until the run is over.
    pub async fn stream(&self, agent: &(impl Runnable + ?Sized), task: impl Into<Task>) -> Result<Updates> {
        Ok(self.start(agent, task).await?.drive())
    }

    /// Records a run. It begins when somebody drives it.
    ///
    /// Fails with [`Code::RunBudget`] when the project's budget for the day (UTC) is used up, with [`Code::InputInvalid`] where
    /// something is claimed of the user that the project's policies do not know, and with [`Code::Conflict`] where the task's conversation
    /// is at work and the task is to begin only in one that is not ([`Task::when_busy`]).
    pub async fn start(&self, agent: &(impl Runnable + ?Sized), task: impl Into<Task>) -> Result<Run> {
        let task = task.into();
        let _beginning = self.beginning().await;
        if let Some(policies) = self.project().policies()? {
            policies.schema().check_claims(&task.claims)?;
        }
        let id = task.id.clone();
        let start = self.prepare(agent, task).await?;
        let (run, asked) = (self.handle(&start.run), Asked::of(&start));
        let models = self.models();
        let admitted = adjutant_agent::start::start(self.0.place.engine.as_ref(), &models, start).await?;
        match id {
            Some(id) if !admitted.new => {
                run.is_of(&id, &asked).await?;
                Ok(run.found())
            }
            _ => Ok(run),
        }
    }

    /// A run that is to be started: with the version of its agent that is meant, and under the policies of now.
    pub(crate) async fn prepare(&self, agent: &(impl Runnable + ?Sized), task: Task) -> Result<Start> {
        let run = match &task.id {
            Some(id) => run_of(id, self.scope()),
            None => random::run_id()?,
        };
        let (mut definition, version) = self.meant(agent, &run, &task).await?;
        let project = self.project();
        let policies = project.pinned_policies(&definition).map_err(|error| match &version {
            Some(chosen) => unusable(&definition.name, chosen, &error),
            None => error,
        })?;
        if let Some(model) = task.model {
            definition.model = model;
        }
        task.terms.apply(&mut definition)?;
        let input = Input::new(task.message).with_variables(task.variables).with_claims(task.claims);
        Ok(Start {
            policies,
            version,
            session: task.session,
            user: task.user,
            by: self.1.as_deref().map(str::to_owned),
            budget: task.budget,
            when_busy: task.when_busy,
            after: task.after,
            titled: task.titled && project.settings().titles,
            ..Start::new(run, definition, input)
        })
    }

    /// The definitions that were published, and their labels.
    pub fn versions(&self) -> Versions {
        Versions::new(self.clone())
    }

    /// The keys with which a service is asked.
    pub fn keys(&self) -> &Keys {
        &self.0.place.keys
    }

    /// Who did what, and whether all is as it was recorded.
    pub fn audit(&self) -> Audit {
        Audit::new(self.clone())
    }

    /// The calls that wait for a person, and what people have allowed beforehand.
    pub fn approvals(&self) -> Approvals {
        Approvals::new(self.clone())
    }

    /// The decision point by itself: the policies as they are now, with what is forbidden since.
    ///
    /// Fails with [`Code::NotFound`] where the project has none, and with [`Code::ProjectInvalid`] where they cannot be read.
    pub fn decisions(&self) -> Result<Decisions> {
        Decisions::within(&self.project(), self.agents().forbids().cloned())
    }

    /// A conversation.
    pub fn session(&self, id: impl Into<SessionId>) -> Session {
        Session::new(self.clone(), id.into())
    }

    /// A new conversation, with an id that nobody has.
    pub fn new_session(&self) -> Result<Session> {
        Ok(self.session(random::session_id()?))
    }

    /// The conversations in which somebody last said something, the latest first.
    pub async fn sessions(&self, most: usize) -> Result<Vec<SessionInfo>> {
        Ok(self.session_page(None, None, most).await?.items)
    }

    /// A page of the conversations, or of those of one person, the one in which somebody last said something first: the page after
    /// where another one ended.
    ///
    /// Fails with [`Code::InputInvalid`] for what is no place in the list.
    pub async fn session_page(
        &self,
        user: Option<&str>,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Page<SessionInfo>> {
        let Page { items, next } = self.0.place.engine.list_sessions(user, after, most).await?;
        Ok(Page { items: items.into_iter().map(SessionInfo::of).collect(), next })
    }

    /// A run by its id.
    pub fn handle(&self, run: &RunId) -> Run {
        Run::new(self.clone(), run.clone())
    }

    /// The same for somebody who is known by a name, such as that of a key: the [audit log](Audit) tells that they did what is done with
    /// it and with its runs.
    #[must_use]
    pub fn by(&self, who: &str) -> Self {
        Self(Arc::clone(&self.0), Some(who.into()))
    }

    /// Who does what is done with it, where that was said.
    pub(crate) fn who(&self) -> Option<&str> {
        self.1.as_deref()
    }

    /// The run that a task of this name is, or would be.
    pub(crate) fn task(&self, id: &str) -> Run {
        self.handle(&run_of(id, self.scope()))
    }

    /// Where tools and triggers get secrets from.
    pub(crate) fn secrets(&self) -> Arc<dyn Secrets> {
        self.0.process.secrets.clone().unwrap_or_else(|| self.project().secrets())
    }

    /// A run by its id, or by the beginning of it where no other run begins so.
    ///
    /// Fails with [`Code::NotFound`] when there is none, and with [`Code::InputInvalid`] when there are several.
    pub async fn find(&self, prefix: &str) -> Result<Run> {
        let exact = RunId::from(prefix);
        match self.0.place.engine.info(&exact).await {
            Ok(_) => return Ok(self.handle(&exact)),
            Err(error) if error.code() == Code::NotFound => {}
            Err(error) => return Err(error),
        }
        let found = self.0.place.engine.beginning(prefix, MOST_MEANT).await?;
        match found.as_slice() {
            [only] if !prefix.is_empty() => Ok(self.handle(&only.run)),
            [] | [_] => Err(Error::new(Code::NotFound, format!("there is no run `{prefix}`"))
                .with_help("`adjutant runs` lists the runs of this project")),
            several => Err(Error::new(Code::InputInvalid, format!("several runs begin with `{prefix}`"))
                .with_help(type_more(several.iter().map(|info| info.run.as_str())))),
        }
    }

    /// The newest runs, newest first.
    pub async fn runs(&self, most: usize) -> Result<Vec<RunInfo>> {
        self.0.place.engine.runs(most).await
    }

    /// A page of the runs that are meant, the newest first: the page after where another one ended.
    ///
    /// Fails with [`Code::InputInvalid`] for what is no place in the list.
    pub async fn run_page(
        &self,
        filter: RunFilter,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Page<RunInfo>> {
        self.0.place.engine.list_runs(filter, after, most).await
    }

    /// Drives every run that can go on, also those that other processes left behind, until told to stop. Runs of agents
    /// that this one does not know are halted, with the reason; make agents known with [`Builder::agent`].
    pub async fn serve(&self, stop: CancellationToken) -> Result<()> {
        self.0.workers.fetch_add(1, Ordering::AcqRel);
        let served = self.0.place.engine.serve(self.host(), Serve::All, stop).await;
        self.0.workers.fetch_sub(1, Ordering::AcqRel);
        served
    }

    /// Forgets runs that ended longer ago than `keep`, and the files of their tools. Returns how many. Who said so is recorded.
    pub async fn prune(&self, keep: Duration, by: &str) -> Result<u64> {
        let forgotten = self.0.place.engine.prune(keep, by).await?;
        self.0.place.files.sweep(self.0.place.engine.as_ref()).await?;
        Ok(forgotten)
    }

    /// Makes a backup in a folder that is not there yet, while runs go on: of the whole store, with the runs of all tenants, and of the
    /// files that runs refer to, of the vaults and of what else is kept beside the store. It is recorded who made it.
    ///
    /// Fails with [`Code::Conflict`] where the folder is there, and as the disk does; then there is no backup.
    pub async fn back_up(&self, folder: impl AsRef<Path>, by: &str) -> Result<Backup> {
        self.audit().record(by, "store.copied", "", serde_json::Value::Null).await?;
        let store = &self.0.process.store;
        let mut parts = vec![Part::files(self.0.place.files.work().path())];
        parts.extend(store.path().into_iter().flat_map(|store| self.project().parts_beside(store)));
        backup::make(store, parts, folder.as_ref(), by).await
    }

    /// The files of a run, or of the session that it is a turn of: what sandboxed tools have left, and results of tools
    /// that are files or too long. [`Folder::artifacts`] lists them. Fails with [`Code::NotFound`] when there is no such
    /// run.
    pub async fn files(&self, run: &RunId) -> Result<Folder> {
        let info = self.0.place.engine.info(run).await?;
        self.0.place.files.of(self.0.place.engine.as_ref(), &info).await
    }

    /// Erases every run of one person, the files of their tools, and everything that was kept of answers of models and of results of
    /// workflows: that does not say whose it is.
    /// Returns how many runs.
    pub async fn erase_user(&self, user: &str, by: &str) -> Result<u64> {
        let erased = self.0.place.engine.erase_user(user, by).await?;
        self.project().models().forget_answers()?;
        self.0.place.results.as_deref().map_or(Ok(()), Kept::clear)?;
        self.0.place.files.sweep(self.0.place.engine.as_ref()).await?;
        Ok(erased)
    }

    /// Makes an agent known, so that its runs go on after a restart before it is asked anything. Fails with
    /// [`Code::ToolInvalid`] when its tools are not valid or lack something.
    pub fn add(&self, agent: &Agent) -> Result<()> {
        self.0.now().host.add(agent)
    }

    /// Makes a workflow in Rust known, with the agents and tools that it uses, so that its runs go on after a restart before it is
    /// asked anything. Fails as [`add`](Self::add) does.
    pub fn add_workflow(&self, workflow: &Coded) -> Result<()> {
        self.0.workflows.add(workflow);
        self.0.now().host.add(workflow.as_agent())
    }

    /// The project's agent of that name; without a name the only one there is, or the one that the project means.
    ///
    /// Fails with [`Code::NotFound`] and with [`Code::InputInvalid`], saying which there are.
    pub fn choose(&self, name: Option<&str>) -> Result<String> {
        let project = self.project();
        let definition = match name {
            // What was published may be gone from the project's files.
            Some(name) if version_of(name).1.is_some() => return Ok(name.to_owned()),
            Some(name) => project.definition(name)?,
            None => project.default_agent()?,
        };
        Ok(definition.name.clone())
    }

    /// What keeps the runs.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.0.place.engine
    }

    /// The project; an empty one where there is none.
    pub fn project(&self) -> Arc<Project> {
        Arc::clone(&self.0.now().project)
    }

    /// What brings the code of runs, for those who drive an engine themselves: that of the project as it is when a run is brought to
    /// life, whatever [`reload`](Self::reload) has made of it by then.
    pub fn host(&self) -> Arc<dyn Host> {
        Arc::new(Current(self.clone()))
    }

    /// The models, as the loop asks for them.
    pub(crate) fn models(&self) -> ProjectModels {
        ProjectModels(self.project())
    }

    /// The models, for clients that ask them without an agent.
    pub fn gateway(&self) -> Gateway {
        Gateway::new(self.clone())
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.0.account
    }

    pub(crate) fn passage(&self) -> Passage {
        self.0.now().passage.clone()
    }

    /// What begins runs without a person.
    pub fn triggers(&self) -> Triggers {
        Triggers::new(self.clone())
    }

    /// The time by the clock of the store.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.process.clock.now()
    }

    /// The host, for those who ask it more than an engine does.
    pub(crate) fn agents(&self) -> Arc<AgentHost> {
        Arc::clone(&self.0.now().host)
    }

    pub(crate) fn defaults(&self) -> Arc<Defaults> {
        Arc::clone(&self.0.now().defaults)
    }

    /// Drives one run, unless a worker of this process drives them all.
    pub(crate) fn drive(&self, run: &RunId) -> Driving {
        let stop = CancellationToken::new();
        let served = (self.0.workers.load(Ordering::Acquire) == 0)
            .then(|| self.0.place.engine.serve(self.host(), Serve::Run(run.clone()), stop.clone()));
        let task = tokio::spawn(async move {
            match served {
                Some(served) => served.await,
                None => Ok(()),
            }
        });
        Driving::new(task, stop)
    }
}

/// The id of the run that a task of this name is. Tools are called with keys that are made of it, so two tenants who give the same
/// name to their tasks must not get the same id.
fn run_of(id: &str, scope: &Scope) -> RunId {
    let digest = match *scope.tenant == *Scope::default().tenant {
        true => Digest::of_parts(&[b"task", id.as_bytes()]),
        false => Digest::of_parts(&[b"task of", scope.tenant.as_bytes(), id.as_bytes()]),
    };
    let mut bytes = [0; 10];
    bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    RunId::from_bytes(bytes)
}

/// The models of a project, as the loop asks for them.
pub(crate) struct ProjectModels(pub(crate) Arc<Project>);

impl adjutant_agent::Models for ProjectModels {
    fn model(&self, role_or_id: &str) -> Result<Arc<dyn Model>> {
        self.0.models().get(role_or_id)
    }

    fn embedder(&self, role_or_id: &str) -> Result<Arc<dyn Embedder>> {
        self.0.models().keeping_embedder(role_or_id)
    }
}

/// The host of the project that stands when it is asked.
struct Current(Adjutant);

impl Host for Current {
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let host = self.0.agents();
        Box::pin(async move { host.program(admission).await })
    }
}

impl fmt::Debug for Adjutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adjutant").field("project", &self.0.now().project).finish_non_exhaustive()
    }
}

/// What to do where several things are meant: the list of them, as far as it is short.
pub(crate) fn type_more<'a>(matches: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 10;
    let mut names: Vec<String> = matches.map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("type more of it: {}{rest}", names.join(", "))
}
