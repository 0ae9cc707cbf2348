//! Agents in Rust.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use adjutant_policy::flow::Closed;
use adjutant_tool::Tool;
use adjutant_tool::skill::Skill;
use schemars::JsonSchema;
use serde_json::Value;

use crate::definition::{
    Asked, CodeMode, Completion, Condition, ContextWindow, Defaults, Definition, Guardrail, Handoff, HandsTo,
    Named, Sees, Setting, Source, Strategy, ToolSearchSettings, Wanted, markdown, schema_of,
};
use crate::narrow::Narrow;

/// An agent and the tools that it brings along.
///
/// The builder writes the same [`Source`] as a Markdown file does. What is wrong with it is kept until
/// [`build`](Self::build) or the first run asks for the [definition](Self::definition).
#[derive(Clone)]
pub struct Agent {
    source: Source,
    tools: Vec<Arc<dyn Tool>>,
    agents: Vec<Agent>,
    skills: Vec<Skill>,
    errors: Vec<Error>,
}

impl Agent {
    /// An agent with the model in the role `main`, no tools, and the default limits.
    pub fn new(name: impl Into<String>) -> Self {
        Self::from(Source::new(name))
    }

    /// An agent from the text of a Markdown file, for example one that `include_str!` brought into the program.
    /// The tools that it names are added with [`tool`](Self::tool). `file` is what errors call it, and gives the
    /// agent its name where the front matter does not.
    pub fn markdown(file: &str, text: &str) -> Result<Self, Vec<Error>> {
        markdown::parse(file, text).map(Self::from)
    }

    /// Says what the agent is for, in a sentence.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.source.description = text.into();
        self
    }

    /// Gives it a model: a role or a model id.
    #[must_use]
    pub fn model(mut self, role_or_id: impl Into<String>) -> Self {
        self.source.model = Named::new(role_or_id);
        self
    }

    /// Sets the prompt, a template over the variables.
    #[must_use]
    pub fn instructions(mut self, template: impl Into<String>) -> Self {
        let result = self.source.set_instructions(template.into());
        self.errors.extend(result.err());
        self
    }

    /// Gives a variable of the prompt a value. `Value::Null` stands for one that each run brings.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.source.variables.insert(name.into(), value.into());
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Into<Arc<dyn Tool>>) -> Self {
        let tool = tool.into();
        let name = &tool.spec().name;
        // A Markdown file has named it already; a tool added twice is reported when the names are resolved.
        if !self.source.tools.iter().any(|named| named.name == *name) {
            self.source.tools.push(Named::new(name));
        }
        self.tools.push(tool);
        self
    }

    /// Has what a task needs fixed before anything is read; calls outside of it ask a person.
    #[must_use]
    pub fn narrow(mut self, by: Narrow) -> Self {
        self.source.narrow = Some(by);
        self
    }

    /// Adds several tools.
    #[must_use]
    pub fn tools<T: Into<Arc<dyn Tool>>>(self, tools: impl IntoIterator<Item = T>) -> Self {
        tools.into_iter().fold(self, Self::tool)
    }

    /// Lets it ask another agent, which works in a run of its own and sees the task that it is given, nothing else. The
    /// other must have a description.
    #[must_use]
    pub fn agent(self, agent: &Agent) -> Self {
        self.agent_that_sees(agent, Sees::Task)
    }

    /// Lets it ask another agent, which sees this much of the conversation.
    #[must_use]
    pub fn agent_that_sees(mut self, agent: &Agent, sees: Sees) -> Self {
        let named = Named::new(agent.name());
        // A Markdown file has named it already, and said what it sees.
        if !self.source.agents.iter().any(|asked| asked.agent.name == named.name) {
            self.source.agents.push(Asked { agent: named, sees });
        }
        self.agents.push(agent.clone());
        self
    }

    /// Lets it hand the conversation over to another agent, which gets all that was said and answers from then on. The other
    /// must have a description.
    #[must_use]
    pub fn handoff(self, agent: &Agent) -> Self {
        let handoff = Handoff::new(agent.name());
        self.hand_over(handoff).colleague(agent)
    }

    /// Lets it hand the conversation over in this way: to a person, or to an agent that it is given as a
    /// [colleague](Self::colleague) or that has it as one.
    #[must_use]
    pub fn hand_over(mut self, handoff: Handoff) -> Self {
        let Handoff { agent, context, returns } = handoff;
        // A Markdown file has named it already, and said how.
        if !self.source.handoffs.iter().any(|to| to.agent.name == agent) {
            self.source.handoffs.push(HandsTo { agent: Named::new(agent), context, returns });
        }
        self
    }

    /// Brings an agent along that it names, for example under `handoffs` of its Markdown file.
    #[must_use]
    pub fn colleague(mut self, agent: &Agent) -> Self {
        self.agents.push(agent.clone());
        self
    }

    /// Adds a skill: its name and description stand in the prompt, and it reads the rest when it needs it.
    #[must_use]
    pub fn skill(mut self, skill: Skill) -> Self {
        if !self.source.skills.iter().any(|named| named.name == skill.name) {
            self.source.skills.push(Named::new(&skill.name));
        }
        self.skills.push(skill);
        self
    }

    /// Sets when it searches for its tools instead of being shown all of them: above 20 where nothing is said.
    #[must_use]
    pub fn tool_search(mut self, settings: ToolSearchSettings) -> Self {
        self.source.tool_search = settings;
        self
    }

    /// Asks a person before each call of that tool; `*` stands for every tool.
    #[must_use]
    pub fn approve(mut self, tool: impl Into<String>) -> Self {
        self.source.approve.push(Named::new(tool));
        self
    }

    /// Sets how long a person has to answer before a call that asks is refused.
    #[must_use]
    pub fn approve_within(mut self, within: Duration) -> Self {
        self.source.approve_within = Some(within);
        self
    }

    /// Sets one limit: `.limit(steps(20))`, `.limit(money("0.50 USD"))`.
    #[must_use]
    pub fn limit(mut self, setting: impl Into<Result<Setting>>) -> Self {
        match setting.into() {
            Ok(setting) => self.source.limits.push(setting),
            Err(error) => self.errors.push(error),
        }
        self
    }

    /// Makes it answer with a value of this type.
    #[must_use]
    pub fn output<T: JsonSchema>(self) -> Self {
        self.output_schema(schema_of::<T>())
    }

    /// Makes it answer with JSON that fits a schema of an object.
    #[must_use]
    pub fn output_schema(mut self, schema: Value) -> Self {
        self.source.output = Some(schema);
        self
    }

    /// Sets how freely the model chooses its words, from 0 to 2.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        if !(0.0..=2.0).contains(&temperature) {
            let message = format!("the temperature must be from 0 to 2, not {temperature}");
            self.errors.push(Error::new(Code::InputInvalid, message));
        }
        self.source.temperature = Some(temperature);
        self
    }

    /// Sets the most tokens of one answer of the model.
    #[must_use]
    pub fn max_output_tokens(mut self, most: u32) -> Self {
        self.source.max_output_tokens = Some(most);
        self
    }

    /// Sets how the context window is used.
    #[must_use]
    pub fn context(mut self, window: ContextWindow) -> Self {
        self.source.context = window;
        self
    }

    /// Lets it write programs that call its tools.
    #[must_use]
    pub fn code(mut self, mode: CodeMode) -> Self {
        self.source.code = Some(mode);
        self
    }

    /// Says when it has done enough.
    #[must_use]
    pub fn stop(mut self, condition: Condition) -> Self {
        self.source.stop_tools = condition.tools().into_iter().map(Named::new).collect();
        self.source.stop = Some(condition);
        self
    }

    /// Has its answers held against what was done.
    #[must_use]
    pub fn check(mut self, completion: Completion) -> Self {
        self.source.check = Some(completion);
        self
    }

    /// Adds a guardrail.
    #[must_use]
    pub fn guardrail(mut self, guardrail: Guardrail) -> Self {
        self.source.guardrails.push(Wanted::Own(guardrail));
        self
    }

    /// Puts what it reads of strangers between marks that they cannot write.
    #[must_use]
    pub fn mark(mut self) -> Self {
        self.source.mark = true;
        self
    }

    /// Keeps the results of a tool from its model, which has values extracted out of them by a model that has no tools.
    #[must_use]
    pub fn quarantine(mut self, tool: impl Into<String>) -> Self {
        self.source.quarantine.push(Named::new(tool));
        self
    }

    /// Makes extracted values of this kind count as trusted.
    #[must_use]
    pub fn endorse(mut self, kind: Closed) -> Self {
        self.source.endorse.insert(kind);
        self
    }

    /// Sets how it goes about a task, where that is more than the plain loop.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.source.strategy = Some(strategy);
        self
    }

    /// Has its model told of tools in words, and write its calls as text: for models that cannot call any.
    #[must_use]
    pub fn react(mut self) -> Self {
        self.source.react = true;
        self
    }

    /// Checks the agent now rather than at its first run.
    pub fn build(self) -> Result<Self> {
        self.definition()?;
        Ok(self)
    }

    /// The agent as data, with the specifications of the tools that it brought along.
    ///
    /// Fails with the first thing that is wrong with it.
    pub fn definition(&self) -> Result<Definition> {
        self.definition_with(&Defaults::default())
    }

    /// The agent as data, with limits and variables from what stands around it.
    ///
    /// Fails with the first thing that is wrong with it.
    pub fn definition_with(&self, defaults: &Defaults) -> Result<Definition> {
        let mut definition = self.without_handoffs(defaults)?;
        self.source.resolve_handoffs(&mut definition, |name| self.team_member(name, defaults))?;
        Ok(definition)
    }

    /// The agent as data, before it has its tools to hand over.
    fn without_handoffs(&self, defaults: &Defaults) -> Result<Definition> {
        if let Some(error) = self.errors.first() {
            return Err(error.clone());
        }
        let mut around = defaults.clone();
        around.skills.extend(self.skills.iter().map(|skill| (skill.name.clone(), Some(skill.clone()))));
        let resolved = self.source.resolve(&around, |name| self.specs_of(name)).and_then(|mut definition| {
            self.source.resolve_agents(&mut definition, |name| self.definition_of(name, defaults))?;
            Ok(definition)
        });
        resolved.map_err(|mut errors| match errors.is_empty() {
            true => Error::new(Code::Internal, "the agent was refused without a reason"),
            false => errors.swap_remove(0),
        })
    }

    fn specs_of(&self, name: &str) -> Result<Vec<adjutant_core::tool::ToolSpec>> {
        let specs: Vec<_> =
            self.tools.iter().map(|tool| tool.spec()).filter(|spec| spec.name == name).cloned().collect();
        if specs.is_empty() {
            let message =
                format!("the agent `{}` names the tool `{name}`, which it was not given", self.source.name);
            return Err(Error::new(Code::ToolInvalid, message).with_help("add it with `.tool(..)`"));
        }
        Ok(specs)
    }

    fn definition_of(&self, name: &str, defaults: &Defaults) -> Result<Definition> {
        let Some(agent) = self.agents.iter().find(|agent| agent.name() == name) else {
            let message =
                format!("the agent `{}` asks the agent `{name}`, which it was not given", self.source.name);
            return Err(Error::new(Code::ProjectInvalid, message).with_help("add it with `.agent(..)`"));
        };
        agent.without_handoffs(defaults)
    }

    /// An agent of that name among those that it brought along, and those that these did, without tools to hand over.
    fn team_member(&self, name: &str, defaults: &Defaults) -> Result<Definition> {
        let mut rest: Vec<&Agent> = self.agents.iter().collect();
        while let Some(agent) = rest.pop() {
            if agent.name() == name {
                return agent.without_handoffs(defaults);
            }
            rest.extend(&agent.agents);
        }
        let message =
            format!("the agent `{}` hands over to `{name}`, which it was not given", self.source.name);
        Err(Error::new(Code::ProjectInvalid, message).with_help("add it with `.colleague(..)`"))
    }

    /// What the agent is called.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// What was said of it.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The agents that it brought along to ask them, or to hand over to them.
    pub fn asked_agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.iter()
    }

    /// The tools that it brought along.
    pub fn own_tools(&self) -> &[Arc<dyn Tool>] {
        &self.tools
    }
}

impl From<Source> for Agent {
    fn from(source: Source) -> Self {
        Self { source, tools: Vec::new(), agents: Vec::new(), skills: Vec::new(), errors: Vec::new() }
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("source", &self.source).finish_non_exhaustive()
    }
}
