//! [`Delegate`]: an agent as a tool of another.

use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::pinned::Definition;

/// The parameter that holds what the agent is to do.
pub(crate) const TASK: &str = "task";

/// An agent as a tool of another: it works in a run of its own, with its own context, tools and limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delegate {
    /// What it sees of the conversation of the agent that asks it.
    #[serde(default)]
    pub sees: Sees,
    /// The agent, as it was when the run began.
    pub definition: Definition,
}

/// What an agent sees of the conversation of the one that asks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// The task alone.
    #[default]
    Task,
    /// The task, and before it what the person and the agent have said: their words, never the prompt, calls of tools or
    /// their results.
    Conversation,
}

impl Sees {
    /// The words for it in files.
    pub const WORDS: [(&str, Self); 2] = [("task", Self::Task), ("conversation", Self::Conversation)];
}

impl Delegate {
    /// An agent as a tool. Fails with [`Code::ProjectInvalid`] where it has no description, by which a model could choose
    /// it, and where a variable of its prompt would be a second `task`. It answers whoever asks it, so it hands nothing over.
    pub fn new(definition: Definition, sees: Sees) -> Result<Self> {
        let name = &definition.name;
        if definition.description.trim().is_empty() {
            let message = format!("the agent `{name}` is to be a tool of another and has no description");
            return Err(Error::new(Code::ProjectInvalid, message)
                .with_help("say in its `description` what it is for: models choose it by that"));
        }
        if definition.variables.get(TASK).is_some_and(Value::is_null) {
            let message = format!(
                "the agent `{name}` is to be a tool of another, and its variable `{TASK}` would be a second `{TASK}`"
            );
            return Err(Error::new(Code::ProjectInvalid, message).with_help("give the variable another name"));
        }
        Ok(Self { sees, definition: definition.without_handoffs() })
    }

    /// What the asking model is told: the agent's description, the task, and the variables of its prompt that each run
    /// must be given.
    pub fn spec(&self) -> ToolSpec {
        let Definition { name, description, variables, .. } = &self.definition;
        let sees = match self.sees {
            Sees::Task => {
                "It sees nothing of this conversation: the task must hold all that it needs to know."
            }
            Sees::Conversation => {
                "It sees what was said in this conversation, without results of tools: the task must hold what it \
                 needs of those."
            }
        };
        let task =
            json!({ "type": "string", "minLength": 1, "description": format!("What it is to do. {sees}") });
        let open = variables.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name);
        let open: Vec<&String> = open.collect();
        let about =
            |name: &String| (name.clone(), json!({ "description": format!("The `{name}` it works with.") }));
        let properties: Map<String, Value> =
            std::iter::once((TASK.to_owned(), task)).chain(open.iter().map(|name| about(name))).collect();
        let required: Vec<&str> =
            std::iter::once(TASK).chain(open.iter().map(|name| name.as_str())).collect();
        ToolSpec {
            name: name.clone(),
            description: format!(
                "Asks the agent `{name}`, which answers when it is done. {}",
                description.trim()
            ),
            parameters: json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            }),
            // Its run has the same id however often the call is made.
            effect: Effect::Idempotent,
            timeout: self.definition.limits.wall_time,
            concurrency: None,
            flow: adjutant_core::tool::Flow::inside(format!("agent:{}", self.definition.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Defaults, Source};

    fn definition(description: &str, variables: &Value) -> Definition {
        let mut source = Source::new("scout");
        source.description = description.to_owned();
        source.set_instructions("You look for things.".into()).unwrap();
        source.variables = variables.as_object().unwrap().clone();
        source.resolve(&Defaults::default(), |_| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn what_each_run_must_be_given_is_a_parameter() {
        let variables = json!({ "region": null, "unit": "km" });
        let spec = Delegate::new(definition("Finds shops.", &variables), Sees::Task).unwrap().spec();
        assert_eq!(spec.parameters.get("required"), Some(&json!(["task", "region"])));
        assert!(spec.parameters.pointer("/properties/unit").is_none());
        assert!(spec.description.ends_with("Finds shops."));
    }

    #[test]
    fn an_agent_that_cannot_be_chosen_or_told_is_refused() {
        let without = Delegate::new(definition(" ", &json!({})), Sees::Task).unwrap_err();
        assert!(without.message().contains("no description"), "{without}");
        let twice = Delegate::new(definition("Finds.", &json!({ "task": null })), Sees::Task).unwrap_err();
        assert!(twice.message().contains("second `task`"), "{twice}");
    }
}
