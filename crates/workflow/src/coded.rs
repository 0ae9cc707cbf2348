//! [`Coded`]: a workflow in Rust.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use adjutant_agent::definition::{Condition, Defaults, Setting, Source, Strategy, steps};
use adjutant_agent::workflow::{Item, Stage, Workflow, Workflows};
use adjutant_agent::{Agent, Definition};
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_tool::Tool;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::perform::Plans;
use crate::plan::MOST_CALLS;
use crate::strategy::Strategic;

/// A workflow in Rust: the agents and tools that it uses, and the code that directs them.
///
/// ```
/// use adjutant_agent::Agent;
/// use adjutant_workflow::Coded;
///
/// let writer = Agent::new("writer").instructions("You write.");
/// let critic = Agent::new("critic").instructions("You say what could be better.");
/// let second_thoughts = Coded::new("second-thoughts").agent(&writer).agent(&critic).run(|stage, input| async move {
///     let draft = stage.ask("writer", &input).await?;
///     let critique = stage.ask("critic", &draft).await?;
///     stage.ask("writer", format!("{}\n\nMake it better: {}", draft.text(), critique.text())).await
/// });
/// ```
///
/// The code must be the same on every replay: it reads no clock, draws nothing by chance, and waits for nothing but its stage. A
/// run is pinned to the agents and tools, not to the code: give a workflow that works otherwise another name, or ask
/// [`Ctx::version`](adjutant_durable::Ctx::version) where it differs.
#[derive(Clone)]
pub struct Coded {
    hands: Agent,
    code: Arc<dyn Workflow>,
    nested: Vec<Coded>,
}

/// Code that was given as a function.
struct Function<F>(F);

impl<F, R> Workflow for Function<F>
where
    F: Fn(Stage, Item) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Item>> + Send + 'static,
{
    fn run(&self, stage: Stage, input: Item, _: Option<Json>) -> BoxFuture<'_, Result<Item>> {
        (self.0)(stage, input).boxed()
    }
}

impl Coded {
    /// A workflow that gives back what it is given, until it is told what to [run](Self::run).
    pub fn new(name: impl Into<String>) -> Self {
        let mut source = Source::new(name);
        source.workflow = Some(json!({ "code": source.name }));
        source.limits = vec![steps(MOST_CALLS)];
        let code = Arc::new(Function(|_, input| async { Ok(input) }));
        Self { hands: Agent::from(source), code, nested: Vec::new() }
    }

    /// Says what it does with its input.
    #[must_use]
    pub fn run<F, R>(self, code: F) -> Self
    where
        F: Fn(Stage, Item) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Item>> + Send + 'static,
    {
        self.directed_by(Function(code))
    }

    /// Says what directs it, where that is more than a function.
    #[must_use]
    pub fn directed_by(self, code: impl Workflow) -> Self {
        Self { code: Arc::new(code), ..self }
    }

    /// Says what it is for, in a sentence.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.hands = self.hands.description(text);
        self
    }

    /// Lets it ask an agent.
    #[must_use]
    pub fn agent(mut self, agent: &Agent) -> Self {
        self.hands = self.hands.agent(agent);
        self
    }

    /// Lets it ask another workflow, which works in a run of its own.
    #[must_use]
    pub fn workflow(mut self, other: &Self) -> Self {
        self.hands = self.hands.agent(&other.hands);
        self.nested.push(other.clone());
        self
    }

    /// Lets it call a tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Into<Arc<dyn Tool>>) -> Self {
        self.hands = self.hands.tool(tool);
        self
    }

    /// Asks a person before each call of that tool.
    #[must_use]
    pub fn approve(mut self, tool: impl Into<String>) -> Self {
        self.hands = self.hands.approve(tool);
        self
    }

    /// Sets one limit, which counts for all that it asks together: `.limit(money("0.50 USD"))`. Steps are the calls that it makes
    /// itself.
    #[must_use]
    pub fn limit(mut self, setting: impl Into<Result<Setting>>) -> Self {
        self.hands = self.hands.limit(setting);
        self
    }

    /// Sets when it has done enough: it then ends with what was made last. What a model would have to judge never holds.
    #[must_use]
    pub fn stop(mut self, condition: Condition) -> Self {
        self.hands = self.hands.stop(condition);
        self
    }

    /// The workflow as an agent that another one may ask, or that is run.
    pub fn as_agent(&self) -> &Agent {
        &self.hands
    }

    /// The workflow as data, with limits and variables from what stands around it.
    ///
    /// Fails with the first thing that is wrong with it.
    pub fn definition_with(&self, defaults: &Defaults) -> Result<Definition> {
        self.hands.definition_with(defaults)
    }
}

impl std::fmt::Debug for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coded").field("hands", &self.hands).finish_non_exhaustive()
    }
}

/// The code of all workflows that a program knows: those in Rust by their names, and plans by themselves.
#[derive(Default)]
pub struct Codes(RwLock<BTreeMap<String, Arc<dyn Workflow>>>);

impl Clone for Codes {
    /// The same workflows; what either takes in later, the other does not have.
    fn clone(&self) -> Self {
        Self(RwLock::new(self.0.read().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Codes {
    /// Takes in a workflow, and those that it asks. One of the same name gives way to it.
    pub fn add(&self, workflow: &Coded) {
        let mut codes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        codes.insert(workflow.hands.name().to_owned(), Arc::clone(&workflow.code));
        drop(codes);
        workflow.nested.iter().for_each(|nested| self.add(nested));
    }
}

impl Workflows for Codes {
    fn find(&self, definition: &Definition) -> Result<Arc<dyn Workflow>> {
        if let Some(strategy) = Strategy::of(definition) {
            return Ok(Arc::new(Strategic(strategy)));
        }
        let named = definition.workflow.as_ref().and_then(|workflow| workflow.get("code")?.as_str());
        let Some(name) = named.filter(|_| !is_plan(definition)) else { return Plans.find(definition) };
        let codes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        codes.get(name).cloned().ok_or_else(|| {
            let message =
                format!("the workflow `{name}` is written in Rust, and this program does not have it");
            Error::new(Code::RunDefinitionMissing, message)
                .with_help("make it known with `Adjutant::add_workflow`, and resume the run")
        })
    }
}

fn is_plan(definition: &Definition) -> bool {
    definition.workflow.as_ref().and_then(Value::as_object).is_some_and(|plan| plan.contains_key("version"))
}
