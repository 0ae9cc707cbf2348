//! [`Context`]: what one call knows of the run around it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::hash::Digest;
use adjutant_core::id::{CallId, RunId, Scope, SessionId, StepKey};
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

use crate::resource::Resources;
use crate::sandbox::Owner;

/// What one call knows of the run around it. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    run: RunId,
    step: StepKey,
    call: CallId,
    scope: Scope,
    session: Option<SessionId>,
    files: Option<Owner>,
    idempotency_key: Arc<str>,
    attempt: u32,
    deadline: Option<Instant>,
    cancelled: CancellationToken,
    progress: Arc<dyn Fn(String) + Send + Sync>,
    secrets: Option<Arc<dyn Secrets>>,
    resources: Resources,
    whole: bool,
}

impl Context {
    /// The context of the first attempt of a call: without a deadline, secrets or resources, with progress that goes
    /// nowhere, in the scope `local/local`, and with an idempotency key made of the run and the step.
    pub fn new(run: RunId, step: StepKey, call: CallId) -> Self {
        let key = Digest::of_parts(&[run.as_str().as_bytes(), step.as_str().as_bytes()]);
        Self(Arc::new(Inner {
            run,
            step,
            call,
            scope: Scope::default(),
            session: None,
            files: None,
            idempotency_key: key.to_string().into(),
            attempt: 1,
            deadline: None,
            cancelled: CancellationToken::new(),
            progress: Arc::new(drop),
            secrets: None,
            resources: Resources::new(),
            whole: false,
        }))
    }

    fn changed(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets whose data the run works on.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        self.changed(|inner| inner.scope = scope)
    }

    /// Sets the conversation that the run is a turn of.
    #[must_use]
    pub fn with_session(self, session: Option<SessionId>) -> Self {
        self.changed(|inner| inner.session = session)
    }

    /// Sets whose files the call works on; where nothing is said, those of the session, or of the run without one.
    #[must_use]
    pub fn with_files(self, owner: Owner) -> Self {
        self.changed(|inner| inner.files = Some(owner))
    }

    /// Sets the key that stays the same over every attempt of the call.
    #[must_use]
    pub fn with_idempotency_key(self, key: impl Into<Arc<str>>) -> Self {
        self.changed(|inner| inner.idempotency_key = key.into())
    }

    /// Sets which attempt this is, from 1.
    #[must_use]
    pub fn with_attempt(self, attempt: u32) -> Self {
        self.changed(|inner| inner.attempt = attempt)
    }

    /// Sets when the call is given up.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        self.changed(|inner| inner.deadline = Some(deadline))
    }

    /// Sets the token that says that the call is no longer wanted.
    #[must_use]
    pub fn with_cancellation(self, token: CancellationToken) -> Self {
        self.changed(|inner| inner.cancelled = token)
    }

    /// Sets where progress goes. The sink must not block.
    #[must_use]
    pub fn with_progress(self, sink: Arc<dyn Fn(String) + Send + Sync>) -> Self {
        self.changed(|inner| inner.progress = sink)
    }

    /// Sets where secrets come from.
    #[must_use]
    pub fn with_secrets(self, secrets: Arc<dyn Secrets>) -> Self {
        self.changed(|inner| inner.secrets = Some(secrets))
    }

    /// Adds resources, which win over those of the same type that are there already.
    #[must_use]
    pub fn with_resources(self, resources: &Resources) -> Self {
        if resources.is_empty() {
            return self;
        }
        self.changed(|inner| inner.resources = std::mem::take(&mut inner.resources).overlaid(resources))
    }

    /// Says that a program reads the result, not a model.
    #[must_use]
    pub fn for_a_program(self) -> Self {
        self.changed(|inner| inner.whole = true)
    }

    /// Whether a program reads the result: it wants all of it, also what would be cut to be read by a model.
    pub fn wants_whole(&self) -> bool {
        self.0.whole
    }

    /// The run that makes the call.
    pub fn run(&self) -> &RunId {
        &self.0.run
    }

    /// The step that is the call.
    pub fn step(&self) -> &StepKey {
        &self.0.step
    }

    /// What the model calls the call.
    pub fn call(&self) -> &CallId {
        &self.0.call
    }

    /// Whose data the run works on.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The conversation that the run is a turn of.
    pub fn session(&self) -> Option<&SessionId> {
        self.0.session.as_ref()
    }

    /// Whose files the call works on.
    pub(crate) fn owner(&self) -> Owner {
        match (&self.0.files, &self.0.session) {
            (Some(owner), _) => owner.clone(),
            (None, Some(session)) => Owner::Session(session.clone()),
            (None, None) => Owner::Run(self.0.run.clone()),
        }
    }

    /// A text that is the same in every attempt of this call and in no other call. Give it to services that can
    /// tell by it that they have done something already.
    pub fn idempotency_key(&self) -> &str {
        &self.0.idempotency_key
    }

    /// Which attempt of the call this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// When the call is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// A token that is cancelled when the call is no longer wanted. Shortly after, the call's future is dropped.
    pub fn cancelled(&self) -> CancellationToken {
        self.0.cancelled.clone()
    }

    /// Tells whoever watches how far the call is. Progress is shown and not stored.
    pub fn progress(&self, text: impl Into<String>) {
        (self.0.progress)(text.into());
    }

    /// The secret of that name. Fails with [`Code::NotFound`] when there is none.
    pub fn secret(&self, name: &str) -> Result<Secret> {
        match &self.0.secrets {
            Some(secrets) => secrets.get(name),
            None => Err(Error::new(Code::NotFound, format!("there is no secret `{name}`"))
                .with_help("this run was started without a source of secrets")),
        }
    }

    /// The resource of that type. Fails with [`Code::ToolInvalid`] when there is none.
    pub fn resource<T: Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        self.0.resources.get()
    }
}

/// The moment after a timeout. A timeout of more than a year is taken for a year: a clock cannot count for ever.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    Instant::now() + timeout.min(YEAR)
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("run", &self.0.run)
            .field("step", &self.0.step)
            .field("call", &self.0.call)
            .field("attempt", &self.0.attempt)
            .finish_non_exhaustive()
    }
}
