//! An agent as its author writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adjutant_core::limit::Limits;
use adjutant_core::tool::{Flow, LOAD_SKILL, ToolSpec};
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_policy::flow::Closed;
use adjutant_tool::skill::{self, Skill};
use serde_json::{Map, Value};

use super::code::{Code as Programs, CodeMode};
use super::completion::Completion;
use super::condition::Condition;
use super::delegate::{Delegate, Sees};
use super::document::Place;
use super::extraction::Extraction;
use super::gaps::Gaps;
use super::guardrail::{Guardrail, Wanted};
use super::handoff::{self, Handoff, Passes};
use super::pinned::Definition;
use super::setting::Setting;
use super::strategy::{self, Strategy};
use super::template::{self, Variable};
use super::tool_search::ToolSearchSettings;
use super::window::ContextWindow;
use super::{flow, name, schema};
use crate::narrow::Narrow;
use crate::search;

/// A name that something else must know, and where the author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Its place in the author's file; none for what Rust code says.
    pub place: Option<Place>,
}

impl Named {
    /// A name without a place.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), place: None }
    }
}

/// An agent that another one may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub agent: Named,
    /// What it sees of the conversation of the one that asks.
    pub sees: Sees,
}

/// An agent to which another one may hand the conversation over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandsTo {
    /// Which; [`Handoff::PERSON`] for a person.
    pub agent: Named,
    /// What goes with it of what was said.
    pub context: Passes,
    /// Whether the conversation may come back.
    pub returns: bool,
}

/// An agent as its author writes it: tools are names, and only what differs from the defaults is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The file, as the person named it; none for what Rust code says.
    pub file: Option<String>,
    /// What the agent is called.
    pub name: String,
    /// What it is for, in a sentence: for people, and for agents that hand work to it.
    pub description: String,
    /// A role (`main`) or the id of a model.
    pub model: Named,
    /// The prompt: a template.
    pub instructions: String,
    /// The variables that the prompt uses, each with its first place in the file.
    pub uses: Vec<Variable>,
    /// Values for them. `null` stands for a variable that each run must be given.
    pub variables: Map<String, Value>,
    /// The tools that the agent may call.
    pub tools: Vec<Named>,
    /// The agents that it may ask, each as a tool.
    pub agents: Vec<Asked>,
    /// Whom it may hand the conversation over to.
    pub handoffs: Vec<HandsTo>,
    /// The skills that it may read.
    pub skills: Vec<Named>,
    /// When it searches for its tools instead of being shown all of them.
    pub tool_search: ToolSearchSettings,
    /// The tools whose calls ask a person first; `*` for all of them.
    pub approve: Vec<Named>,
    /// How long a person has to answer; what the project says where none is given.
    pub approve_within: Option<Duration>,
    /// The limits that differ from the defaults.
    pub limits: Vec<Setting>,
    /// The JSON schema of the answer; free text where none is given.
    pub output: Option<Value>,
    /// How freely the model chooses its words, from 0 to 2; the provider's default where none is given.
    pub temperature: Option<f32>,
    /// The most tokens of one answer of the model.
    pub max_output_tokens: Option<u32>,
    /// How the context window is used.
    pub context: ContextWindow,
    /// Whether it writes programs that call its tools.
    pub code: Option<CodeMode>,
    /// When it has done enough.
    pub stop: Option<Condition>,
    /// The tools that this names.
    pub stop_tools: Vec<Named>,
    /// Whether its answers are held against what was done.
    pub check: Option<Completion>,
    /// What is looked at on its way in and out.
    pub guardrails: Vec<Wanted>,
    /// Whether what it reads of strangers stands between marks that they cannot write.
    pub mark: bool,
    /// What its tools do with information, as far as it says that itself.
    pub flow: Vec<(Named, Flow)>,
    /// Whether it has values extracted out of earlier results by a model without tools.
    pub extract: bool,
    /// The tools whose results its own model is not shown: values are extracted out of them.
    pub quarantine: Vec<Named>,
    /// The kinds of extracted values that count as trusted.
    pub endorse: BTreeSet<Closed>,
    /// How it is found out what a task of it needs; none where its tasks are not narrowed.
    pub narrow: Option<Narrow>,
    /// What directs it, where that is a [workflow](crate::workflow) and no model: how whoever brings the code finds it.
    pub workflow: Option<Value>,
    /// How it goes about a task, where that is more than the plain loop.
    pub strategy: Option<Strategy>,
    /// Whether its model is told of tools in words, and writes its calls as text.
    pub react: bool,
}

/// What stands around an agent and holds where it says nothing itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// The limits.
    pub limits: Limits,
    /// When any of them has done enough, beside its own condition.
    pub stop: Option<Condition>,
    /// Values for the variables of prompts.
    pub variables: Map<String, Value>,
    /// The skills that there are, by their names; none for one that could not be read.
    pub skills: BTreeMap<String, Option<Skill>>,
    /// When agents search for their tools.
    pub tool_search: ToolSearchSettings,
    /// The guardrails that there are, by their names; none for one that could not be read.
    pub guardrails: BTreeMap<String, Option<Guardrail>>,
}

impl Source {
    /// The role of the model that an agent has where Rust code names none.
    pub const DEFAULT_MODEL: &str = "main";

    /// An agent that says nothing but its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            file: None,
            name: name.into(),
            description: String::new(),
            model: Named::new(Self::DEFAULT_MODEL),
            instructions: String::new(),
            uses: Vec::new(),
            variables: Map::new(),
            tools: Vec::new(),
            agents: Vec::new(),
            handoffs: Vec::new(),
            skills: Vec::new(),
            tool_search: ToolSearchSettings::default(),
            approve: Vec::new(),
            approve_within: None,
            limits: Vec::new(),
            output: None,
            temperature: None,
            max_output_tokens: None,
            context: ContextWindow::default(),
            code: None,
            stop: None,
            stop_tools: Vec::new(),
            check: None,
            guardrails: Vec::new(),
            mark: false,
            flow: Vec::new(),
            extract: false,
            quarantine: Vec::new(),
            endorse: BTreeSet::new(),
            narrow: None,
            workflow: None,
            strategy: None,
            react: false,
        }
    }

    /// Looks up the tools and fills in the defaults. One name may stand for several tools.
    ///
    /// Reports everything that is wrong: a name that `tools` does not know, two tools of one name, an approval for a
    /// tool that the agent does not have, a variable of the prompt that nobody declares, a name or a schema that is
    /// not valid.
    pub fn resolve(
        &self,
        defaults: &Defaults,
        tools: impl FnMut(&str) -> Result<Vec<ToolSpec>>,
    ) -> Result<Definition, Vec<Error>> {
        let mut errors = self.faults_of_its_own();
        let found = self.look_up(defaults, Gaps::default(), tools, &mut errors);
        let Found { mut specs, code, skills, approve, quarantine, mut always, variables, guardrails } = found;
        let is_brought = |spec: &&ToolSpec| {
            code.is_some() && [Programs::TOOL, Programs::PROPOSE].contains(&spec.name.as_str())
        };
        always.extend(specs.iter().filter(is_brought).map(|spec| spec.name.clone()));
        // What programs call is no matter of the model's.
        let is_shown = |spec: &&ToolSpec| code.as_ref().is_none_or(|code| code.offers(&spec.name));
        let shown = specs.iter().filter(is_shown).filter(|spec| !is_brought(spec)).count();
        if !skills.is_empty() {
            always.push(LOAD_SKILL.to_owned());
            self.take_in(skill::spec(&skills), &mut specs, &mut errors);
        }
        let extraction = Extraction::of(self.extract, quarantine, &self.endorse);
        if extraction.is_some() {
            always.push(Extraction::TOOL.to_owned());
            self.take_in(Extraction::spec(), &mut specs, &mut errors);
        }
        let tool_search = self.tool_search.resolve(&defaults.tool_search, shown, always);
        if let Some(settings) = &tool_search {
            self.take_in(search::spec(shown, settings), &mut specs, &mut errors);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut limits = defaults.limits;
        self.limits.iter().for_each(|setting| setting.apply(&mut limits));
        Ok(Definition {
            version: Definition::VERSION,
            name: self.name.clone(),
            description: self.description.clone(),
            model: self.model.name.clone(),
            role: None,
            titled_by: None,
            instructions: self.instructions.clone(),
            variables,
            tools: specs,
            agents: Vec::new(),
            handoffs: self.handoffs.iter().map(Handoff::from).collect(),
            team: Vec::new(),
            skills,
            tool_search,
            approve,
            approve_within_ms: self
                .approve_within
                .map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX)),
            limits,
            output: self.output.clone(),
            temperature: self.temperature,
            max_output_tokens: self.max_output_tokens,
            context: self.context,
            code,
            extraction,
            policies: None,
            stop: Condition::either(self.stop.clone(), defaults.stop.clone()),
            check: self.check.clone(),
            guardrails,
            mark: self.mark,
            narrow: self.narrow,
            workflow: self.workflow.clone(),
            react: self.react,
        })
    }

    /// Gives a definition that [`resolve`](Self::resolve) made the agents that it may ask, as tools.
    ///
    /// Reports everything that is wrong: what `agents` says of a name that it does not know, an agent that cannot be a
    /// tool, and one that is called like a tool.
    pub fn resolve_agents(
        &self,
        definition: &mut Definition,
        mut agents: impl FnMut(&str) -> Result<Definition>,
    ) -> Result<(), Vec<Error>> {
        let mut errors = Vec::new();
        for Asked { agent, sees } in &self.agents {
            // No model chooses what a workflow asks, so it need not be described.
            let delegate = |found: Definition| match &self.workflow {
                Some(_) => Ok(Delegate { sees: *sees, definition: found.without_handoffs() }),
                None => Delegate::new(found, *sees),
            };
            let found = agents(&agent.name).and_then(delegate);
            let delegate = match found {
                Ok(delegate) => delegate,
                Err(error) => {
                    // What is wrong within another file is told there.
                    errors.push(self.placed(error, agent.place));
                    continue;
                }
            };
            if self.strategy.is_some_and(Strategy::branches_over_actions)
                && let Some(error) = strategy::asks_impure(&delegate.definition)
            {
                errors.push(self.placed(error, agent.place));
                continue;
            }
            let spec = delegate.spec();
            if definition.tool(&spec.name).is_some() {
                let message = format!("the agent `{}` is called like a tool of this one", spec.name);
                errors.push(self.placed(Error::new(Code::ProjectInvalid, message), agent.place));
                continue;
            }
            definition.tools.push(spec);
            definition.agents.push(delegate);
        }
        if let Some(strategy) = self.strategy.filter(|_| errors.is_empty()) {
            match strategy.around(definition.clone()) {
                Ok(around) => *definition = around,
                Err(error) => errors.push(self.placed(error, None)),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Gives a definition that [`resolve`](Self::resolve) made the tools by which it hands the conversation over, and all
    /// agents that may get it so. `agents` gives one by its name, as [`resolve_agents`](Self::resolve_agents) left it.
    ///
    /// Reports what `agents` says of a name that it does not know, an agent that no model could choose, and a tool that is
    /// called like one of these.
    pub fn resolve_handoffs(
        &self,
        definition: &mut Definition,
        agents: impl FnMut(&str) -> Result<Definition>,
    ) -> Result<()> {
        handoff::assemble(definition, agents).map_err(|(place, error)| {
            let place = self.handoffs.get(place).and_then(|to| to.agent.place);
            self.placed(error, place)
        })
    }

    /// The names that lead nowhere, where the agent or what stands around it could be read only in part: without those
    /// that may lie in a gap. A name for which `tools` has no tools at all is one that it knows and could not read.
    pub fn dangling(
        &self,
        defaults: &Defaults,
        gaps: Gaps,
        tools: impl FnMut(&str) -> Result<Vec<ToolSpec>>,
    ) -> Vec<Error> {
        let mut errors = Vec::new();
        self.look_up(defaults, gaps, tools, &mut errors);
        errors
    }

    fn faults_of_its_own(&self) -> Vec<Error> {
        let mut found = vec![name::check(&self.name)];
        if self.workflow.is_none() && self.instructions.trim().is_empty() {
            found.push(Err(Error::new(Code::ProjectInvalid, "the agent has no instructions")));
        }
        found.extend(self.output.as_ref().map(schema::check));
        found.into_iter().filter_map(Result::err).map(|error| self.placed(error, None)).collect()
    }

    fn look_up(
        &self,
        defaults: &Defaults,
        mut gaps: Gaps,
        mut tools: impl FnMut(&str) -> Result<Vec<ToolSpec>>,
        errors: &mut Vec<Error>,
    ) -> Found {
        let mut note = |error: Error, place| errors.push(self.placed(error, place));
        let mut specs: Vec<ToolSpec> = Vec::new();
        let mut expanded = BTreeMap::new();
        for tool in &self.tools {
            let found = tools(&tool.name);
            gaps.tools |= found.as_ref().is_ok_and(Vec::is_empty);
            let found = found.unwrap_or_else(|error| {
                note(error, tool.place);
                Vec::new()
            });
            expanded
                .insert(tool.name.as_str(), found.iter().map(|spec| spec.name.clone()).collect::<Vec<_>>());
            for spec in found {
                if specs.iter().any(|other| other.name == spec.name) {
                    let message = format!("`{}` gives a second tool called `{}`", tool.name, spec.name);
                    note(Error::new(Code::ProjectInvalid, message), tool.place);
                } else {
                    specs.push(spec);
                }
            }
        }

        for (tool, flow) in &self.flow {
            let of_set = expanded.get(tool.name.as_str());
            let is_meant = |spec: &&mut ToolSpec| {
                spec.name == tool.name || of_set.is_some_and(|names| names.contains(&spec.name))
            };
            let is_known = of_set.is_some() || specs.iter().any(|spec| spec.name == tool.name);
            if is_known {
                if let Err(error) = flow::apply(flow, specs.iter_mut().filter(is_meant)) {
                    note(error, tool.place);
                }
            } else if !gaps.tools {
                let message = format!("`flow` names `{}`, which is not a tool of this agent", tool.name);
                let names = specs.iter().map(|spec| spec.name.as_str()).chain(expanded.keys().copied());
                note(
                    suggesting(Error::new(Code::ProjectInvalid, message), "flow", &tool.name, names),
                    tool.place,
                );
            }
        }

        let code = self.code.as_ref().map(|mode| {
            let code = mode.resolve(&specs, &expanded, !gaps.tools, |error, named| note(error, named.place));
            let made = code.specs(&specs);
            for spec in &made {
                if specs.iter().any(|own| own.name == spec.name) {
                    let message = format!("the agent writes programs and has a tool called `{}`", spec.name);
                    let error = Error::new(Code::ProjectInvalid, message);
                    note(error.with_help("give that tool another name"), None);
                }
            }
            specs.extend(made);
            code
        });

        let is_agent = |name: &str| {
            self.agents.iter().any(|asked| asked.agent.name == name)
                || self.handoffs.iter().any(|to| Handoff::from(to).tool() == name)
        };
        let mut own = |key: &str, wanted: &[Named]| {
            let mut chosen: Vec<String> = Vec::new();
            for wanted in wanted {
                if let Some(names) = expanded.get(wanted.name.as_str()) {
                    chosen.extend(names.iter().cloned());
                } else if (wanted.name == Definition::EVERY_TOOL && key == "approve")
                    || specs.iter().any(|spec| spec.name == wanted.name)
                    || is_agent(&wanted.name)
                {
                    chosen.push(wanted.name.clone());
                } else if !gaps.tools {
                    let message =
                        format!("`{key}` names `{}`, which is not a tool of this agent", wanted.name);
                    let names = specs.iter().map(|spec| spec.name.as_str()).chain(expanded.keys().copied());
                    let error = Error::new(Code::ProjectInvalid, message);
                    note(suggesting(error, key, &wanted.name, names), wanted.place);
                }
            }
            chosen.sort_unstable();
            chosen.dedup();
            chosen
        };
        let approve = own("approve", &self.approve);
        own("stop", &self.stop_tools);
        let quarantine = own("quarantine", &self.quarantine);
        let always = own("tool_search.always", &self.tool_search.always);

        if self.strategy.is_some_and(Strategy::branches_over_actions) {
            for (error, spec) in specs.iter().filter_map(|spec| Some((strategy::impure(spec)?, spec))) {
                let brings = |tool: &&Named| {
                    expanded.get(tool.name.as_str()).is_some_and(|names| names.contains(&spec.name))
                };
                note(error, self.tools.iter().find(brings).and_then(|tool| tool.place));
            }
        }

        let skills = self.skills.iter().filter_map(|wanted| match defaults.skills.get(&wanted.name) {
            Some(skill) => skill.clone(),
            None if gaps.skills => None,
            None => {
                note(no_such_skill(&defaults.skills, &wanted.name), wanted.place);
                None
            }
        });
        let skills = skills.collect();

        let mut guardrails = Vec::new();
        for wanted in &self.guardrails {
            match wanted.resolve(&defaults.guardrails) {
                Ok(found) => guardrails.extend(found),
                Err((error, place)) => note(error, place),
            }
        }

        let mut variables = defaults.variables.clone();
        variables.extend(self.variables.clone());
        let undeclared =
            self.uses.iter().filter(|used| !gaps.variables && !variables.contains_key(&used.name));
        undeclared.for_each(|used| note(undeclared_in(&variables, used), Some(used.place)));
        // Only what the prompt uses is pinned: another value in the project is not another agent.
        variables.retain(|name, _| {
            self.variables.contains_key(name) || self.uses.iter().any(|used| used.name == *name)
        });
        Found { specs, code, skills, approve, quarantine, always, variables, guardrails }
    }

    /// Adds a tool that the runtime brings. The name is its own.
    fn take_in(&self, spec: ToolSpec, specs: &mut Vec<ToolSpec>, errors: &mut Vec<Error>) {
        if specs.iter().any(|other| other.name == spec.name) {
            let message = format!("a tool of this agent is called `{}`, as one of the runtime is", spec.name);
            let error =
                Error::new(Code::ProjectInvalid, message).with_help("give it another name, or a prefix");
            errors.push(self.placed(error, None));
        } else {
            specs.push(spec);
        }
    }

    /// Takes a prompt from Rust code: finds its variables. Fails with [`Code::ProjectInvalid`] when it is no template.
    pub(crate) fn set_instructions(&mut self, text: String) -> Result<()> {
        self.uses = template::variables(&text)?;
        self.instructions = text;
        Ok(())
    }

    /// An error about this agent, at its place in the file where there is one.
    pub fn placed(&self, error: Error, place: Option<Place>) -> Error {
        match &self.file {
            Some(file) if error.location().is_none() => {
                error.at(file, place.map(|place| place.line), place.map(|place| place.column))
            }
            _ => error,
        }
    }
}

impl From<&HandsTo> for Handoff {
    fn from(to: &HandsTo) -> Self {
        Self { agent: to.agent.name.clone(), context: to.context, returns: to.returns }
    }
}

/// What the names of an agent lead to.
struct Found {
    specs: Vec<ToolSpec>,
    code: Option<Programs>,
    skills: Vec<Skill>,
    approve: Vec<String>,
    quarantine: Vec<String>,
    always: Vec<String>,
    variables: Map<String, Value>,
    guardrails: Vec<Guardrail>,
}

fn no_such_skill(skills: &BTreeMap<String, Option<Skill>>, name: &str) -> Error {
    let error = Error::new(Code::ProjectInvalid, format!("there is no skill `{name}`"));
    match nearest(name, skills.keys().map(String::as_str)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => {
            error.with_help("write it: `skills/NAME/SKILL.md`, with a name, a description and instructions")
        }
    }
}

fn undeclared_in(variables: &Map<String, Value>, used: &Variable) -> Error {
    let name = &used.name;
    let error = Error::new(
        Code::PromptVariable,
        format!("the prompt uses the variable `{name}`, which nobody declares"),
    );
    match nearest(name, variables.keys().map(String::as_str)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!(
            "give it a value under `variables:`, or write `{name}: null` there if each run brings its own"
        )),
    }
}

fn suggesting<'a>(error: Error, key: &str, typed: &str, candidates: impl Iterator<Item = &'a str>) -> Error {
    match nearest(typed, candidates) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!("add it under `tools:`, or take it out of `{key}:`")),
    }
}
