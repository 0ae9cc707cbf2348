//! An agent as a run knows it.

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::limit::Limits;
use adjutant_core::tool::{LOAD_SKILL, SEARCH_TOOLS, ToolSpec};
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_tool::skill::Skill;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::code::Code as CodeMode;
use super::completion::Completion;
use super::condition::Condition;
use super::delegate::Delegate;
use super::extraction::Extraction;
use super::guardrail::{Check, Guardrail};
use super::handoff::Handoff;
use super::template;
use super::tool_search::ToolSearch;
use super::window::ContextWindow;
use crate::guard::EXPLAINED;
use crate::narrow::Narrow;

/// An agent as a run knows it: complete, with the tools as they were when the run began.
///
/// It is stored once under its [digest](Self::digest), and every run that uses it names that digest. So a file that is
/// edited while a run waits changes nothing for that run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The version of this form: [`Definition::VERSION`] for what is made now.
    pub version: u16,
    /// What the agent is called.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The role or the id of its model; its id once it is pinned.
    pub model: String,
    /// The role under which the model was found when the definition was pinned. It tells models of one id apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The id of the model that gives a new conversation its title; none where its beginning will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub titled_by: Option<String>,
    /// The prompt: a template over the variables.
    pub instructions: String,
    /// Values for the variables of the prompt. `null` stands for one that each run must be given.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// The tools that it may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// The agents that it may ask. The specification of each is one of [`tools`](Self::tools) as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<Delegate>,
    /// Whom it may hand the conversation over to. The specification of each is one of [`tools`](Self::tools) as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handoffs: Vec<Handoff>,
    /// All agents that may get the conversation so, over others or not; none in those agents themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub team: Vec<Definition>,
    /// The skills that it may read, with their files, as they were when the run began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<Skill>,
    /// How it is shown its tools, where it has too many to be shown all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_search: Option<ToolSearch>,
    /// The names of the tools whose calls ask a person first; [`Definition::EVERY_TOOL`] for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<String>,
    /// How long a person has to answer when it asks, in milliseconds; what the project says where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_within_ms: Option<u64>,
    /// When a run of it must stop.
    pub limits: Limits,
    /// The JSON schema (2020-12) of the answer; free text where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// How freely the model chooses its words; the provider's default where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// The most tokens of one answer of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// How the context window is used.
    #[serde(default)]
    pub context: ContextWindow,
    /// Whether it writes programs that call its tools, and what they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeMode>,
    /// Whether it has values extracted out of what cannot be trusted, by a model that has no tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extraction: Option<Extraction>,
    /// The policies that decide what it may do, by the digest under which they are kept; none where its definition alone
    /// decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Digest>,
    /// When it has done enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Condition>,
    /// Whether its answers are held against what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Completion>,
    /// What is looked at on its way in and out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Guardrail>,
    /// Whether what a model reads of strangers stands between marks that they cannot write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mark: bool,
    /// How it is found out what a task of it needs; none where its tasks are not narrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrow: Option<Narrow>,
    /// What directs it, where that is a [workflow](crate::workflow) and no model: how whoever brings the code finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Value>,
    /// Whether its model is told of tools in words, and writes its calls as [text](adjutant_model::react).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub react: bool,
}

impl Definition {
    /// The version of the form that is written now.
    pub const VERSION: u16 = 1;

    /// What stands in [`approve`](Self::approve) for every tool.
    pub const EVERY_TOOL: &str = "*";

    /// Reads a definition that was pinned. Fails with [`Code::RunDefinitionMissing`] when it cannot be read.
    pub fn read(pinned: &Json) -> Result<Self> {
        let unreadable = |why: String| {
            Error::new(Code::RunDefinitionMissing, format!("the definition of the run cannot be read: {why}"))
                .with_help("use the version of the program that the run was started with, or a later one")
        };
        let definition: Self = pinned.to().map_err(|error| unreadable(error.to_string()))?;
        match definition.version > Self::VERSION {
            true => Err(unreadable(format!("it has version {}", definition.version))),
            false => Ok(definition),
        }
    }

    /// What the definition is known by: the hash of its JSON with sorted keys and without spaces. Two definitions with
    /// the same digest are the same agent.
    ///
    /// Fails with [`Code::Internal`] when a value in it cannot be JSON.
    pub fn digest(&self) -> Result<Digest> {
        let internal = |error: &serde_json::Error| {
            Error::new(Code::Internal, "the definition cannot be written as JSON").caused_by(error)
        };
        // Maps of values are sorted, so going through one makes the order of keys independent of this code.
        let value = serde_json::to_value(self).map_err(|error| internal(&error))?;
        Ok(Digest::of(Json::from(value).as_str().as_bytes()))
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&ToolSpec> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// The agents that it may ask or that may get its conversation, and those that these may ask, each once for each place
    /// where it stands.
    pub fn nested(&self) -> impl Iterator<Item = &Definition> {
        let mut rest = vec![self];
        let mut found = Vec::new();
        while let Some(next) = rest.pop() {
            let asked = next.agents.iter().map(|asked| &asked.definition).chain(&next.team);
            rest.extend(asked.clone());
            found.extend(asked);
        }
        found.into_iter()
    }

    /// The agent that a tool of this name asks, or hands the conversation over to.
    pub fn agent_of(&self, tool: &str) -> Option<&str> {
        let asked = self.agents.iter().map(|asked| asked.definition.name.as_str()).find(|name| *name == tool);
        let handed = || self.handoff(tool).filter(|handoff| !handoff.is_to_a_person());
        asked.or_else(|| handed().map(|handoff| handoff.agent.as_str()))
    }

    /// The handoff that a tool of this name makes.
    pub fn handoff(&self, tool: &str) -> Option<&Handoff> {
        self.handoffs.iter().find(|handoff| handoff.tool() == tool)
    }

    /// The agent without its handoffs.
    #[must_use]
    pub(crate) fn without_handoffs(mut self) -> Self {
        let made: Vec<String> = self.handoffs.drain(..).map(|handoff| handoff.tool()).collect();
        self.tools.retain(|tool| !made.contains(&tool.name));
        self.team.clear();
        self
    }

    /// The tools that its model is told of, as ones that it can call itself.
    pub fn offered(&self) -> impl Iterator<Item = &ToolSpec> {
        self.tools.iter().filter(|tool| self.code.as_ref().is_none_or(|code| code.offers(&tool.name)))
    }

    /// Whether a call of that tool asks a person first. Finding a tool and reading a skill are never meant by all tools.
    pub fn asks_before(&self, tool: &str) -> bool {
        let is_looking = tool == SEARCH_TOOLS || tool == LOAD_SKILL;
        self.approve.iter().any(|name| name == tool || (name == Self::EVERY_TOOL && !is_looking))
    }

    /// The prompt with its variables filled in: from `given`, otherwise from the definition.
    ///
    /// Fails with [`Code::PromptVariable`] when a variable has no value, and with [`Code::InputInvalid`] when a value
    /// is given for a variable that the agent does not have.
    pub fn prompt(&self, given: &Map<String, Value>) -> Result<String> {
        let mut values = self.variables.clone();
        for (name, value) in given {
            let Some(slot) = values.get_mut(name) else {
                return Err(self.no_such_variable(name));
            };
            *slot = value.clone();
        }
        let prompt = template::render(&self.instructions, &values)?;
        let prompt = match self.skills.is_empty() {
            true => prompt,
            false => format!("{prompt}\n\n{}", self.skills_in_words()),
        };
        Ok(if self.mark { format!("{prompt}\n\n{EXPLAINED}") } else { prompt })
    }

    /// Whether the prompt of each run has a canary.
    pub(crate) fn has_canary(&self) -> bool {
        self.guardrails.iter().any(|guardrail| matches!(guardrail.check, Check::Canary { prompt: true, .. }))
    }

    /// Whether an answer is shown only once it is whole, since a guardrail may still change it or hold it back.
    pub(crate) fn holds_answers(&self) -> bool {
        self.guardrails.iter().any(Guardrail::holds)
    }

    /// What the model is told of its skills before it reads one.
    fn skills_in_words(&self) -> String {
        let mut words = format!(
            "You have skills: instructions for certain kinds of work. Before you do work that one of them is for, read it with `{LOAD_SKILL}`."
        );
        for skill in &self.skills {
            let about = skill.description.split_whitespace().collect::<Vec<_>>().join(" ");
            words.push_str(&format!("\n- {}: {about}", skill.name));
        }
        words
    }

    fn no_such_variable(&self, name: &str) -> Error {
        let message = format!("the agent `{}` has no variable `{name}`", self.name);
        let error = Error::new(Code::InputInvalid, message);
        if let Some(meant) = nearest(name, self.variables.keys().map(String::as_str)) {
            return error.with_help(format!("did you mean `{meant}`?"));
        }
        let names: Vec<_> = self.variables.keys().map(|name| format!("`{name}`")).collect();
        match names.as_slice() {
            [] => error.with_help("its prompt has no variables at all"),
            names => error.with_help(format!("it has {}", names.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::{Defaults, Source, steps};

    fn definition() -> Definition {
        let mut source = Source::new("desk");
        source.set_instructions("You serve {{ shop }} and {{ customer }}.".into()).unwrap();
        source.variables = json!({ "shop": "Bluebell", "customer": null }).as_object().unwrap().clone();
        source.limits = vec![steps(7)];
        source.temperature = Some(0.2);
        source.resolve(&Defaults::default(), |_| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn a_digest_survives_storage_and_sees_every_change() {
        let one = definition();
        let text = serde_json::to_string(&one).unwrap();
        let read: Definition = serde_json::from_str(&text).unwrap();
        assert_eq!(read, one);
        assert_eq!(read.digest().unwrap(), one.digest().unwrap());
        let mut other = one.clone();
        other.limits.steps += 1;
        assert_ne!(other.digest().unwrap(), one.digest().unwrap());
    }

    #[test]
    fn the_first_form_stays_readable() {
        let stored =
            r#"{"version":1,"name":"desk","model":"main","instructions":"Help.","limits":{"steps":3}}"#;
        let read: Definition = serde_json::from_str(stored).unwrap();
        assert_eq!((read.limits.steps, read.context), (3, ContextWindow::default()));
    }

    #[test]
    fn a_prompt_needs_its_variables() {
        let definition = definition();
        let given = |value: Value| definition.prompt(value.as_object().unwrap());
        assert_eq!(given(json!({ "customer": "Ann" })).unwrap(), "You serve Bluebell and Ann.");
        let error = given(json!({})).unwrap_err();
        assert_eq!(error.code(), Code::PromptVariable);
        assert!(error.message().contains("`customer`"), "{error}");
        let error = given(json!({ "custmer": 1 })).unwrap_err();
        assert_eq!(error.help(), Some("did you mean `customer`?"));
    }
}
