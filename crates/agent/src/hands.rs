//! [`Hands`]: the tools that a run can reach.

use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use adjutant_tool::{Registry, Tool};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

/// The tools that a run can reach: those that its agent brought along, then those that all agents share.
#[derive(Clone, Debug, Default)]
pub struct Hands(Vec<Registry>);

impl Hands {
    /// Tools that are looked up in this order.
    pub fn new(registries: impl IntoIterator<Item = Registry>) -> Self {
        Self(registries.into_iter().collect())
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.iter().find_map(|registry| registry.get(name))
    }

    /// Reads what a model wrote as the arguments of a call. See [`Registry::arguments`].
    pub fn arguments(&self, name: &str, text: &str) -> Result<Value> {
        self.of(name)?.arguments(name, text)
    }

    /// Waits until the tool may be called once more in this process. See [`Registry::slot`].
    pub async fn slot(&self, name: &str) -> Result<Option<OwnedSemaphorePermit>> {
        self.of(name)?.slot(name).await
    }

    /// Checks that every tool is here and means what it meant when it was pinned. Fails with
    /// [`Code::RunDefinitionMissing`], and says which tool and how it differs.
    pub fn check(&self, pinned: &[ToolSpec]) -> Result<()> {
        pinned.iter().try_for_each(|pinned| {
            let name = &pinned.name;
            let Some(tool) = self.get(name) else {
                let message = format!("the run was started with the tool `{name}`, which is not here");
                return Err(Error::new(Code::RunDefinitionMissing, message)
                    .with_help("bring the tool back, then resume the run"));
            };
            match difference(pinned, tool.spec()) {
                None => Ok(()),
                Some(how) => {
                    let message =
                        format!("the tool `{name}` is not as it was when the run was started: {how}");
                    Err(Error::new(Code::RunDefinitionMissing, message).with_help(
                        "bring the tool back as it was, then resume the run, or start the run anew",
                    ))
                }
            }
        })
    }

    fn of(&self, name: &str) -> Result<&Registry> {
        self.0
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
    fn a_missing_tool_is_named() {
        let error = Hands::default().check(&[spec(Effect::Pure, json!({}))]).unwrap_err();
        assert_eq!(error.code(), Code::RunDefinitionMissing);
        assert!(error.message().contains("`order`"));
    }
}
