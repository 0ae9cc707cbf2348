//! [`AgentHost`]: brings the code of runs that are agents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_core::secret::Secrets;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Engine, Host, Program};
use adjutant_model::Model;
use adjutant_model::embed::Embedder;
use adjutant_model::layer::Kept;
use adjutant_policy::cedar::{Pinned, Policies};
use adjutant_policy::facts::User;
use adjutant_tool::code::Interpreter;
use adjutant_tool::library::Library;
use adjutant_tool::skill::{self, Skills};
use adjutant_tool::{Registry, Resources};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::approval::{Desk, Notifier, Terms};
use crate::builder::Agent;
use crate::code::{ProposeTool, RunProgram};
use crate::definition::Definition;
use crate::delegation::Delegation;
use crate::extract::Extract;
use crate::files;
use crate::handoff;
use crate::hands::Hands;
use crate::input::Input;
use crate::models::Models;
use crate::routine::Routine;
use crate::rules::Forbids;
use crate::runtime::Runtime;
use crate::search::SearchTools;
use crate::session::Sessions;
use crate::start;
use crate::subtask::Subtask;
use crate::title::Titler;
use crate::turn::{Begin, turn};
use crate::workflow::{Workflow, Workflows, perform};

/// The role of the model that makes vectors of tools, where one is configured.
pub(crate) const EMBEDDER: &str = "embed";

/// Brings the code of runs that are agents: their pinned definition with the models and tools of this process.
pub struct AgentHost {
    engine: Arc<dyn Engine>,
    models: Arc<dyn Models>,
    tools: Registry,
    own: RwLock<BTreeMap<String, Registry>>,
    /// Agents that are known and have no tools but the shared ones.
    known: BTreeSet<String>,
    secrets: Option<Arc<dyn Secrets>>,
    resources: Resources,
    interpreter: Interpreter,
    library: Option<Library>,
    desk: Arc<Desk>,
    sessions: Sessions,
    forbids: Option<Arc<dyn Forbids>>,
    workflows: Option<Arc<dyn Workflows>>,
    results: Option<Kept>,
    /// The policies of runs that were brought to life, by their digests.
    policies: RwLock<BTreeMap<Digest, Arc<Policies>>>,
}

impl AgentHost {
    /// The name of the program in the admission of a run.
    pub const PROGRAM: &str = "agent";

    /// A host whose agents share these tools; each is given those that its definition names.
    pub fn new(engine: Arc<dyn Engine>, models: Arc<dyn Models>, tools: Registry) -> Self {
        let desk = Arc::new(Desk::new(Arc::clone(&engine), Terms::default()));
        Self {
            engine,
            models,
            tools,
            own: RwLock::default(),
            known: BTreeSet::new(),
            secrets: None,
            resources: Resources::new(),
            interpreter: Interpreter::own(),
            library: None,
            desk,
            sessions: Sessions::default(),
            forbids: None,
            workflows: None,
            results: None,
            policies: RwLock::default(),
        }
    }

    /// Makes agents known that have no tools but the shared ones: a run of one that was started with a tool that is gone
    /// goes on without it.
    #[must_use]
    pub fn with_known(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.known.extend(names);
        self
    }

    /// Sets where results of workflows are kept for other runs.
    #[must_use]
    pub fn with_results(mut self, results: Kept) -> Self {
        self.results = Some(results);
        self
    }

    /// Sets where tools get secrets from.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Arc<dyn Secrets>) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// Sets what tools share.
    #[must_use]
    pub fn with_resources(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// Sets what interprets the programs of agents; otherwise this executable does.
    #[must_use]
    pub fn with_interpreter(mut self, interpreter: Interpreter) -> Self {
        self.interpreter = interpreter;
        self
    }

    /// Sets where tools go that agents make; without it they can propose none.
    #[must_use]
    pub fn with_library(mut self, library: Library) -> Self {
        self.library = Some(library);
        self
    }

    /// Sets what brings the code of workflows; without it there are none.
    #[must_use]
    pub fn with_workflows(mut self, workflows: Arc<dyn Workflows>) -> Self {
        self.workflows = Some(workflows);
        self
    }

    /// Sets what is forbidden by now, whatever policies runs have pinned.
    #[must_use]
    pub fn with_forbids(mut self, forbids: Arc<dyn Forbids>) -> Self {
        self.forbids = Some(forbids);
        self
    }

    /// What is forbidden by now.
    pub fn forbids(&self) -> Option<&Arc<dyn Forbids>> {
        self.forbids.as_ref()
    }

    /// The policies that a run is pinned to. Fails with [`Code::RunDefinitionMissing`] when they are not here or cannot be
    /// read: a run that has policies never goes on without them.
    async fn policies(&self, digest: Option<Digest>) -> Result<Option<Arc<Policies>>> {
        let Some(digest) = digest else { return Ok(None) };
        let known = self.policies.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let pinned: Pinned = self.engine.definition(digest).await?.to()?;
        let policies = Arc::new(pinned.open().map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let message = format!("the policies of the run cannot be read: {first}");
            Error::new(Code::RunDefinitionMissing, message)
                .with_help("use the version of the program that the run was started with, or a later one")
        })?);
        self.policies.write().unwrap_or_else(PoisonError::into_inner).insert(digest, Arc::clone(&policies));
        Ok(Some(policies))
    }

    /// Sets how requests for approval are treated, and who is told of them.
    #[must_use]
    pub fn with_approvals(mut self, terms: Terms, notifier: Option<Arc<dyn Notifier>>) -> Self {
        let desk = Desk::new(Arc::clone(&self.engine), terms);
        self.desk = Arc::new(match notifier {
            Some(notifier) => desk.with_notifier(notifier),
            None => desk,
        });
        self
    }

    /// Adds an agent whose tools no other is given. One of the same name gives way to it; those of its tools that the
    /// new one lacks stay for the runs that were started with them. Fails with [`Code::ToolInvalid`] when its tools are
    /// not valid or lack something. The agents that it asks are added, too.
    pub fn add(&self, agent: &Agent) -> Result<()> {
        agent.asked_agents().try_for_each(|asked| self.add(asked))?;
        let mut own = Registry::new();
        agent.own_tools().iter().try_for_each(|tool| own.add(Arc::clone(tool)))?;
        own.check(&self.resources)?;
        let mut agents = self.own.write().unwrap_or_else(PoisonError::into_inner);
        let before = agents.entry(agent.name().to_owned()).or_default();
        let left = before.specs().filter(|spec| own.get(&spec.name).is_none());
        let left: Vec<_> = left.filter_map(|spec| before.get(&spec.name).cloned()).collect();
        left.into_iter().try_for_each(|tool| own.add(tool))?;
        *before = own;
        Ok(())
    }

    /// Knows the agents that were [added](Self::add) to another host, with their tools.
    pub fn know_agents_of(&self, other: &Self) {
        let known = other.own.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.own.write().unwrap_or_else(PoisonError::into_inner).extend(known);
    }

    /// The agent of a definition, with the models and tools of this process.
    ///
    /// Fails with [`Code::RunDefinitionMissing`] when a tool is not here and its agent is not known either, or when it
    /// means something else than when it was pinned; and with the error of [`Models::model`] when its model is not there any more.
    pub fn runtime(&self, definition: Definition) -> Result<Runtime> {
        let is_known = self.own(&definition.name).is_some() || self.known.contains(&definition.name);
        self.equipped(definition, is_known)
    }

    /// Checks that a run of a definition that was pinned some time ago could begin here and now with this message: that its
    /// tools are here, and are what they were, and so are its models, its code, and those of all that it asks.
    ///
    /// Fails as [`runtime`](Self::runtime) does, also for a tool that a run under way would go on without, and with
    /// [`Code::ModelUnsupported`].
    pub fn check(&self, definition: &Definition, first: &Message) -> Result<()> {
        start::suits(self.model(definition)?.as_ref(), definition, first)?;
        std::iter::once(definition).chain(definition.nested()).try_for_each(|definition| {
            self.workflow(definition)?;
            self.equipped(definition.clone(), false).map(drop)
        })
    }

    /// The tools that an agent brings itself, if it is known with some.
    fn own(&self, name: &str) -> Option<Registry> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn equipped(&self, definition: Definition, is_known: bool) -> Result<Runtime> {
        let own = self.own(&definition.name);
        let delegations = definition.agents.iter().map(|asked| Delegation::new(asked, &self.engine));
        let delegations = delegations.map(|made| made.map(|made| Arc::new(made) as Arc<dyn Routine>));
        let mut routines = delegations.collect::<Result<Vec<_>>>()?;
        routines.extend(handoff::routines(&definition));
        routines.extend(RunProgram::of(&definition, &self.interpreter));
        routines.extend(ProposeTool::of(&definition, self.library.as_ref(), &self.interpreter));
        let search = SearchTools::of(&definition, |id| self.embedder(id));
        routines.extend(search.map(|search| Arc::new(search) as Arc<dyn Routine>));
        routines.extend(Extract::of(&definition, &self.engine, || {
            let model = || self.model(&definition);
            let found = Subtask::Extract.model(self.models.as_ref(), model)?;
            found.map_or_else(model, Ok)
        })?);
        let skills = Skills::new(definition.skills.clone());
        let (mut of_skills, mut resources) = (Registry::new(), self.resources.clone());
        if !skills.all().is_empty() {
            of_skills.add(skill::loader(&skills))?;
            resources = resources.with(skills);
        }
        let hands = Hands::new([of_skills].into_iter().chain(own).chain([self.tools.clone()]))
            .with_routines(routines)?
            .of_run(&definition.tools, is_known)?;
        let model = self.model(&definition)?;
        let models = self.models.as_ref();
        let summariser = Subtask::Summary.model(models, || Ok(Arc::clone(&model)))?;
        let judge = Subtask::Judge.model(models, || Ok(Arc::clone(&model)))?;
        let narrower = Subtask::Narrow.model(models, || Ok(Arc::clone(&model)))?;
        let titler = definition.titled_by.as_ref().map(|id| Titler::find(id, models));
        let checker = definition.check.as_ref().and_then(|check| check.judge.as_ref());
        let checker = checker.map(|id| models.model(id)).transpose()?;
        let asked = crate::models::asked(Arc::clone(&model), &definition);
        let runtime = Runtime::new(definition, asked, hands)?
            .with_summariser(summariser.unwrap_or_else(|| Arc::clone(&model)))
            .with_narrower(narrower.unwrap_or_else(|| Arc::clone(&model)))
            .with_judge(judge.unwrap_or(model))
            .with_checker(checker)
            .with_titler(titler)
            .with_desk(Arc::clone(&self.desk))
            .with_resources(resources);
        Ok(match &self.secrets {
            Some(secrets) => runtime.with_secrets(Arc::clone(secrets)),
            None => runtime,
        })
    }

    /// The model that a definition is pinned to: that of its role if it is still the same one, otherwise the one that is
    /// found by its id.
    fn model(&self, definition: &Definition) -> Result<Arc<dyn Model>> {
        let of_role = definition.role.as_ref().and_then(|role| self.models.model(role).ok());
        if let Some(model) = of_role.filter(|model| model.id() == definition.model) {
            return Ok(model);
        }
        self.models.model(&definition.model).map_err(|error| match error.code() {
            Code::ModelUnknown => {
                let message = format!(
                    "the run was started with the model `{}`, which is not configured any more",
                    definition.model
                );
                Error::new(Code::ModelUnknown, message).caused_by(&error).with_help(
                    "configure it again under `[models]` in `adjutant.toml` and resume the run, or cancel the run \
                     and start it anew",
                )
            }
            _ => error,
        })
    }

    /// The code of a workflow; none of what is directed by a model.
    fn workflow(&self, definition: &Definition) -> Result<Option<Arc<dyn Workflow>>> {
        match (&definition.workflow, &self.workflows) {
            (None, _) => Ok(None),
            (Some(_), Some(workflows)) => workflows.find(definition).map(Some),
            (Some(_), None) => {
                let message =
                    format!("`{}` is a workflow, and there is no code of workflows here", definition.name);
                Err(Error::new(Code::RunDefinitionMissing, message)
                    .with_help("resume the run with the program that started it"))
            }
        }
    }

    /// The model of that id that makes vectors; none where it is not there any more: a search does without.
    fn embedder(&self, id: &str) -> Option<Arc<dyn Embedder>> {
        let of_role = self.models.embedder(EMBEDDER).ok().filter(|embedder| embedder.id() == id);
        of_role.or_else(|| self.models.embedder(id).ok())
    }

    async fn find(&self, admission: &Admission) -> Result<Program> {
        if admission.program != Self::PROGRAM {
            let message = format!("there is no program `{}` here", admission.program);
            return Err(Error::new(Code::RunDefinitionMissing, message)
                .with_help("resume the run with the program that started it"));
        }
        let mut definition = Definition::read(&self.engine.definition(admission.definition).await?)?;
        let input: Input = admission.input.to()?;
        if let Some(allowance) = input.allowance {
            definition.limits = allowance.within(definition.limits);
        }
        let digest = definition.policies;
        let workflow = self.workflow(&definition)?;
        let runtime = self.runtime(definition)?;
        let (session, origin) = (admission.session.as_ref(), admission.origin.as_ref());
        let files = files::owner(self.engine.as_ref(), &admission.run, session, origin).await?;
        let user = admission.user.clone().map(|id| User { id, claims: input.claims.clone() });
        let runtime = runtime
            .with_session(admission.session.clone())
            .with_user(admission.user.clone())
            .with_policies(self.policies(digest).await?)
            .with_forbids(self.forbids.clone())
            .with_handed(input.handed.clone())
            .with_engine(Arc::clone(&self.engine))
            .with_results(self.results.clone())
            .with_models(Arc::clone(&self.models))
            .acting_for(user, &input.behind);
        let agent = Arc::new(runtime.with_files(files));
        let earlier = self.sessions.resume(self.engine.as_ref(), admission).await?;
        Ok(Arc::new(move |ctx, state| {
            let (agent, workflow) = (Arc::clone(&agent), workflow.clone());
            let begin = match state {
                Some(state) => Begin::Next(state, earlier.clone()),
                None => Begin::First(Box::new(input.clone()), earlier.clone()),
            };
            async move {
                Json::of(&match workflow {
                    Some(workflow) => perform(&ctx, &agent, workflow.as_ref(), begin).await?,
                    None => turn(&ctx, &agent, begin).await?,
                })
            }
            .boxed()
        }))
    }
}

impl Host for AgentHost {
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        self.find(admission).boxed()
    }
}
