//! [`Runtime`]: an agent with all that it takes to run it.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::id::{CallId, SessionId};
use adjutant_core::message::Message;
use adjutant_core::secret::Secrets;
use adjutant_core::tool::ToolSpec;
use adjutant_durable::stream::Piece;
use adjutant_durable::{Attempt, Engine};
use adjutant_model::layer::Kept;
use adjutant_model::{Model, Request, ToolChoice, token};
use adjutant_policy::cedar::Policies;
use adjutant_policy::facts::{Principal, User};
use adjutant_tool::sandbox::Owner;
use adjutant_tool::{Context, Resources};

use crate::approval::Desk;
use crate::definition::Definition;
use crate::flow::Memo;
use crate::handoff::Handed;
use crate::hands::Hands;
use crate::models::Models;
use crate::output::Form;
use crate::rules::Forbids;
use crate::search;
use crate::title::Titler;

/// The context window of a model of which nothing is known, in tokens. Many local servers load models with less than
/// these can do; set `context.tokens` of the agent, or `context_window` of the model, to use more.
pub const UNKNOWN_WINDOW: u64 = 32_768;

/// An agent with all that it takes to run it: its definition, a brain and hands.
pub struct Runtime {
    pub(crate) definition: Definition,
    pub(crate) model: Arc<dyn Model>,
    /// The model that summarises.
    pub(crate) summariser: Arc<dyn Model>,
    /// The model that judges for guardrails.
    pub(crate) judge: Arc<dyn Model>,
    /// The model that holds answers against what was done, where it is not the one that judges for guardrails.
    pub(crate) checker: Option<Arc<dyn Model>>,
    /// The model that finds out what a task needs.
    pub(crate) narrower: Arc<dyn Model>,
    pub(crate) titler: Option<Titler>,
    pub(crate) tools: Hands,
    pub(crate) secrets: Option<Arc<dyn Secrets>>,
    pub(crate) resources: Resources,
    pub(crate) session: Option<SessionId>,
    /// The person whose data the run handles.
    pub(crate) user: Option<String>,
    pub(crate) files: Option<Owner>,
    /// The host's side of approvals.
    pub(crate) desk: Option<Arc<Desk>>,
    pub(crate) form: Option<Form>,
    /// What decides what it may do, besides its definition.
    pub(crate) policies: Option<Arc<Policies>>,
    /// What is forbidden by now.
    pub(crate) forbids: Option<Arc<dyn Forbids>>,
    /// For whom it acts.
    pub(crate) principal: Principal,
    /// How it came to have the conversation of another agent.
    pub(crate) handed: Option<Handed>,
    /// Where it is looked up what a run used that has no reply.
    pub(crate) engine: Option<Arc<dyn Engine>>,
    /// Where results of workflows are kept for other runs.
    pub(crate) results: Option<Kept>,
    /// Where further models are found, such as those that make vectors.
    pub(crate) models: Option<Arc<dyn Models>>,
    /// What was known at the last call.
    pub(crate) known: Memo,
    /// The tools that every request offers.
    offered: Arc<[ToolSpec]>,
    overhead: u64,
}

impl Runtime {
    /// Puts an agent together. `tools` must hold those of the definition; it may hold others, which the agent is not
    /// given. Fails with [`Code::ProjectInvalid`](adjutant_core::Code::ProjectInvalid) when the output schema is none.
    pub fn new(definition: Definition, model: Arc<dyn Model>, tools: impl Into<Hands>) -> Result<Self> {
        let form =
            definition.output.as_ref().map(|schema| Form::new(&definition.name, schema)).transpose()?;
        let offered = search::offered(&definition, &[]);
        let (summariser, judge) = (Arc::clone(&model), Arc::clone(&model));
        let narrower = Arc::clone(&model);
        let (tools, secrets, resources, session) = (tools.into(), None, Resources::new(), None);
        let principal = Principal { agents: vec![definition.name.clone()], ..Principal::default() };
        let mut runtime = Self {
            definition,
            model,
            summariser,
            judge,
            checker: None,
            narrower,
            titler: None,
            tools,
            secrets,
            resources,
            session,
            user: None,
            files: None,
            desk: None,
            form,
            policies: None,
            forbids: None,
            principal,
            handed: None,
            engine: None,
            results: None,
            models: None,
            known: Memo::default(),
            offered,
            overhead: 0,
        };
        runtime.overhead = token::estimate_request(&runtime.request(&Arc::default(), &[], ToolChoice::Auto));
        Ok(runtime)
    }

    /// Sets the model that summarises a conversation that grows too long.
    #[must_use]
    pub fn with_summariser(mut self, model: Arc<dyn Model>) -> Self {
        self.summariser = model;
        self
    }

    /// Sets the model that judges for guardrails.
    #[must_use]
    pub fn with_judge(mut self, model: Arc<dyn Model>) -> Self {
        self.judge = model;
        self
    }

    /// Sets the model that holds answers against what was done.
    #[must_use]
    pub(crate) fn with_checker(mut self, model: Option<Arc<dyn Model>>) -> Self {
        self.checker = model;
        self
    }

    /// Sets the model that finds out what a task needs.
    #[must_use]
    pub fn with_narrower(mut self, model: Arc<dyn Model>) -> Self {
        self.narrower = model;
        self
    }

    /// Sets who gives a new conversation its title.
    #[must_use]
    pub(crate) fn with_titler(mut self, titler: Option<Titler>) -> Self {
        self.titler = titler;
        self
    }

    /// Sets where the tools get secrets from.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Arc<dyn Secrets>) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// Sets what the tools share.
    #[must_use]
    pub fn with_resources(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// Sets the conversation that the run is a turn of, for tools that keep something over its turns.
    #[must_use]
    pub fn with_session(mut self, session: Option<SessionId>) -> Self {
        self.session = session;
        self
    }

    /// Sets whose files the tools work on; where nothing is said, those of the session, or of the run without one.
    #[must_use]
    pub fn with_files(mut self, owner: Owner) -> Self {
        self.files = Some(owner);
        self
    }

    /// Sets the host's side of approvals; without one nothing can be allowed beforehand, and nobody is told.
    #[must_use]
    pub fn with_desk(mut self, desk: Arc<Desk>) -> Self {
        self.desk = Some(desk);
        self
    }

    /// Sets the person whose data the run handles, and with it all that it starts.
    #[must_use]
    pub fn with_user(mut self, user: Option<String>) -> Self {
        self.user = user;
        self
    }

    /// Sets what decides what it may do.
    #[must_use]
    pub fn with_policies(mut self, policies: Option<Arc<Policies>>) -> Self {
        self.policies = policies;
        self
    }

    /// Sets what is forbidden by now, whatever its policies permit.
    #[must_use]
    pub fn with_forbids(mut self, forbids: Option<Arc<dyn Forbids>>) -> Self {
        self.forbids = forbids;
        self
    }

    /// Sets for whom it acts: the person with what is known of them, and the agents that asked for it, the nearest first.
    #[must_use]
    pub fn acting_for(mut self, user: Option<User>, behind: &[String]) -> Self {
        self.principal.user = user;
        self.principal.agents.truncate(1);
        self.principal.agents.extend_from_slice(behind);
        self
    }

    /// Sets how it came to have the conversation of another agent.
    #[must_use]
    pub(crate) fn with_handed(mut self, handed: Option<Handed>) -> Self {
        self.handed = handed;
        self
    }

    /// Sets where the journals are.
    #[must_use]
    pub(crate) fn with_engine(mut self, engine: Arc<dyn Engine>) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Sets where results of workflows are kept for other runs.
    #[must_use]
    pub(crate) fn with_results(mut self, results: Option<Kept>) -> Self {
        self.results = results;
        self
    }

    /// Sets where further models are found.
    #[must_use]
    pub(crate) fn with_models(mut self, models: Arc<dyn Models>) -> Self {
        self.models = Some(models);
        self
    }

    /// The definition of the agent.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The request that sends these messages, and offers the tools that were found besides those that it always does.
    pub(crate) fn request(
        &self,
        messages: &Arc<Vec<Arc<Message>>>,
        found: &[String],
        tool_choice: ToolChoice,
    ) -> Request {
        let form = self.form.as_ref().filter(|_| self.enforces_form());
        let offered = match found {
            [] => Arc::clone(&self.offered),
            found => search::offered(&self.definition, found),
        };
        request(&self.definition, messages.to_vec(), &offered, tool_choice, form)
    }

    /// Whether the model is given the schema of the answer, to be enforced or asked for by a tool; otherwise the
    /// instructions hold it.
    pub(crate) fn enforces_form(&self) -> bool {
        let abilities = &self.model.profile().abilities;
        self.form.is_some() && (abilities.structured_output || abilities.tools)
    }

    /// What tools and schemas add to every request that offers these besides, in tokens.
    pub(crate) fn overhead(&self, found: &[String]) -> u64 {
        self.overhead.saturating_add(self.weight(found))
    }

    /// What some tools add to a request, in tokens.
    pub(crate) fn weight(&self, tools: &[String]) -> u64 {
        let tools = tools.iter().filter_map(|name| self.definition.tool(name));
        tools.map(token::estimate_tool).fold(0, u64::saturating_add)
    }

    /// The size of the context window, in tokens.
    pub(crate) fn window(&self) -> u64 {
        let known = self.definition.context.tokens.or(self.model.profile().context_window);
        known.unwrap_or(UNKNOWN_WINDOW)
    }

    /// What a tool knows of the run around one attempt of a call.
    pub(crate) fn context(&self, call: &CallId, attempt: &Attempt) -> Context {
        let sink = attempt.sink.clone();
        let mut context = Context::new(attempt.run.clone(), attempt.key.clone(), call.clone())
            .with_scope(attempt.scope.clone())
            .with_session(self.session.clone())
            .with_idempotency_key(Arc::clone(&attempt.idempotency_key))
            .with_attempt(attempt.number)
            .with_cancellation(attempt.cancel.clone())
            .with_progress(Arc::new(move |text| sink.push(Piece::Progress(text))))
            .with_resources(&self.resources);
        if let Some(deadline) = attempt.deadline {
            context = context.with_deadline(deadline);
        }
        if let Some(files) = &self.files {
            context = context.with_files(files.clone());
        }
        match &self.secrets {
            Some(secrets) => context.with_secrets(Arc::clone(secrets)),
            None => context,
        }
    }
}

/// The request that sends these messages in the name of an agent.
pub(crate) fn request(
    definition: &Definition,
    messages: Vec<Arc<Message>>,
    tools: &Arc<[ToolSpec]>,
    tool_choice: ToolChoice,
    form: Option<&Form>,
) -> Request {
    Request {
        messages,
        tools: Arc::clone(tools),
        tool_choice,
        output: form.map(|form| form.schema.clone()),
        max_output_tokens: definition.max_output_tokens,
        temperature: definition.temperature,
        ..Request::default()
    }
}
