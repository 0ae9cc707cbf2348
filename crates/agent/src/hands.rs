//! [`Hands`]: the tools that a run can reach.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use adjutant_tool::{Registry, Tool, Validator};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use crate::gone;
use crate::routine::Routine;

/// The tools that a run can reach: the routines of its agent, the tools that its agent brought along, then those that
/// all agents share.
#[derive(Clone, Default)]
pub struct Hands {
    routines: BTreeMap<String, (Arc<dyn Routine>, Arc<Validator>)>,
    registries: Vec<Registry>,
}

/// What does the work of a call.
#[derive(Clone)]
pub enum Hand {
    /// A tool, outside the run.
    Tool(Arc<dyn Tool>),
    /// A routine, as part of the run.
    Routine(Arc<dyn Routine>),
}

impl Hand {
    /// What the model is told of it.
    pub fn spec(&self) -> &ToolSpec {
        match self {
            Self::Tool(tool) => tool.spec(),
            Self::Routine(routine) => routine.spec(),
        }
    }
}

impl Hands {
    /// Tools that are looked up in this order.
    pub fn new(registries: impl IntoIterator<Item = Registry>) -> Self {
        Self { routines: BTreeMap::new(), registries: registries.into_iter().collect() }
    }

    /// Adds routines, which are looked up first. Fails with [`Code::ToolInvalid`] when the schema of one cannot be used,
    /// and when two have the same name.
    pub fn with_routines(mut self, routines: impl IntoIterator<Item = Arc<dyn Routine>>) -> Result<Self> {
        for routine in routines {
            let validator = Arc::new(Validator::new(routine.spec())?);
            let name = routine.spec().name.clone();
            if self.routines.insert(name.clone(), (routine, validator)).is_some() {
                return Err(Error::new(Code::ToolInvalid, format!("there are two tools called `{name}`"))
                    .with_help("give one of them another name"));
            }
        }
        Ok(self)
    }

    /// What does the work of the calls of that name.
    pub fn get(&self, name: &str) -> Option<Hand> {
        if let Some((routine, _)) = self.routines.get(name) {
            return Some(Hand::Routine(Arc::clone(routine)));
        }
        let tool = self.registries.iter().find_map(|registry| registry.get(name));
        tool.map(|tool| Hand::Tool(Arc::clone(tool)))
    }

    /// Reads what a model wrote as the arguments of a call. See [`Registry::arguments`].
    pub fn arguments(&self, name: &str, text: &str) -> Result<Value> {
        match self.routines.get(name) {
            Some((_, validator)) => validator.read(text),
            None => self.of(name)?.arguments(name, text),
        }
    }

    /// Waits until the tool may be called once more in this process. See [`Registry::slot`].
    pub async fn slot(&self, name: &str) -> Result<Option<OwnedSemaphorePermit>> {
        self.of(name)?.slot(name).await
    }

    /// The tools for a run that was pinned with these. Where its agent is known, the run goes on without a tool that is
    /// not here any more: the model hears that it is gone when it calls it.
    ///
    /// Fails with [`Code::RunDefinitionMissing`] when a tool is not here and the agent is not known either, and when one
    /// means something else than when it was pinned: what the model knows of it would be wrong.
    pub fn of_run(mut self, pinned: &[ToolSpec], agent_is_known: bool) -> Result<Self> {
        let mut gone = Registry::new();
        for pinned in pinned {
            let name = &pinned.name;
            let Some(hand) = self.get(name) else {
                if !agent_is_known {
                    let message = format!("the run was started with the tool `{name}`, which is not here");
                    return Err(Error::new(Code::RunDefinitionMissing, message).with_help(
                        "make its agent known here, or bring the tool back, then resume the run",
                    ));
                }
                gone.add(gone::tool(pinned.clone()))?;
                continue;
            };
            if let Some(how) = difference(pinned, hand.spec()) {
                let message = format!("the tool `{name}` is not as it was when the run was started: {how}");
                return Err(Error::new(Code::RunDefinitionMissing, message)
                    .with_help("bring the tool back as it was, then resume the run, or start the run anew"));
            }
        }
        self.registries.push(gone);
        Ok(self)
    }

    fn of(&self, name: &str) -> Result<&Registry> {
        self.registries
            .iter()
            .find(|registry| registry.get(name).is_some())
            .ok_or_else(|| Error::new(Code::ToolUnknown, format!("there is no tool `{name}`")))
    }
}

impl From<Registry> for Hands {
    fn from(registry: Registry) -> Self {
        Self::new([registry])
    }
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hands")
            .field("routines", &self.routines.keys())
            .field("registries", &self.registries)
            .finish()
    }
}

/// How a tool differs in what a running agent relies on. Words for people and models may change.
fn difference(pinned: &ToolSpec, now: &ToolSpec) -> Option<String> {
    if pinned.effect != now.effect {
        return Some(format!("it was `{}` and is `{}`", pinned.effect.as_str(), now.effect.as_str()));
    }
    let changed = meaning(&pinned.parameters) != meaning(&now.parameters);
    changed.then(|| format!("its parameters were {} and are {}", pinned.parameters, now.parameters))
}

/// A schema without what only explains it.
fn meaning(schema: &Value) -> Value {
    const WORDS: [&str; 5] = ["title", "description", "examples", "$comment", "deprecated"];
    /// Whose keys are names, not keywords.
    const NAMES: [&str; 4] = ["properties", "patternProperties", "$defs", "dependentSchemas"];
    let Value::Object(map) = schema else {
        return match schema {
            Value::Array(items) => items.iter().map(meaning).collect(),
            other => other.clone(),
        };
    };
    let keywords = map.iter().filter(|(key, _)| !WORDS.contains(&key.as_str()));
    let inner = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Object(named) if NAMES.contains(&key.as_str()) => named
                .iter()
                .map(|(name, schema)| (name.clone(), meaning(schema)))
                .collect::<Map<_, _>>()
                .into(),
            // Not schemas but values.
            value if matches!(key.as_str(), "enum" | "const" | "default") => value.clone(),
            value => meaning(value),
        };
        (key.clone(), value)
    };
    Value::Object(keywords.map(inner).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use adjutant_core::tool::Effect;
    use serde_json::json;

    use super::*;

    fn spec(effect: Effect, parameters: Value) -> ToolSpec {
        ToolSpec {
            name: "order".into(),
            description: String::new(),
            parameters,
            effect,
            timeout: Duration::from_secs(1),
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    #[test]
    fn words_may_change_and_meaning_may_not() {
        let schema = |words: &str, kind: &str| {
            json!({ "type": "object", "description": words,
                "properties": { "description": { "type": kind, "description": words } } })
        };
        let pinned = spec(Effect::Pure, schema("a", "string"));
        assert_eq!(difference(&pinned, &spec(Effect::Pure, schema("b", "string"))), None);
        assert!(difference(&pinned, &spec(Effect::Pure, schema("a", "integer"))).is_some());
        let how = difference(&pinned, &spec(Effect::AtMostOnce, schema("a", "string"))).unwrap();
        assert_eq!(how, "it was `pure` and is `at_most_once`");
        let without = json!({ "type": "object", "properties": {} });
        assert!(difference(&pinned, &spec(Effect::Pure, without)).is_some());
    }

    #[test]
    fn a_tool_that_means_something_else_is_named() {
        let tool = |effect| gone::tool(spec(effect, json!({ "type": "object" })));
        let mut registry = Registry::new();
        registry.add(tool(Effect::Pure)).unwrap();
        let hands = Hands::from(registry);
        assert!(hands.clone().of_run(&[tool(Effect::Pure).spec().clone()], true).is_ok());
        let error = hands.of_run(&[tool(Effect::AtMostOnce).spec().clone()], true).unwrap_err();
        assert_eq!(error.code(), Code::RunDefinitionMissing);
        assert!(error.message().contains("`order`"));
    }

    #[test]
    fn a_tool_of_an_agent_that_nobody_knows_is_missing() {
        let pinned = [spec(Effect::Pure, json!({ "type": "object" }))];
        let error = Hands::default().of_run(&pinned, false).unwrap_err();
        assert_eq!(error.code(), Code::RunDefinitionMissing);
        assert!(error.message().contains("`order`"));
        assert!(Hands::default().of_run(&pinned, true).unwrap().get("order").is_some());
    }
}
