//! A request of another program, as it stands on a line.

use std::collections::{BTreeMap, BTreeSet};

use adjutant::policy::facts::{Action, Origin, Past, Principal, Request, Session, User};
use adjutant::policy::flow::{Known, Read, Row, origins};
use adjutant::tool::Registry;
use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What another program asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Given back with the answer.
    pub(super) id: Option<Value>,
    #[serde(default)]
    principal: Who,
    /// The agent that acts, or it and those behind it.
    agent: Option<Agents>,
    tool: Option<String>,
    /// What is asked for that is no call of a tool.
    action: Option<Action>,
    #[serde(default)]
    arguments: Map<String, Value>,
    /// The words of the user.
    #[serde(default)]
    request: String,
    /// What was done before, oldest first.
    #[serde(default)]
    results: Vec<Done>,
    #[serde(default)]
    approved: bool,
    /// Milliseconds since 1970-01-01; now where it is not given.
    now: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Who {
    tenant: Option<String>,
    user: Option<User>,
}

#[derive(Debug)]
struct Agents(Vec<String>);

impl<'de> Deserialize<'de> for Agents {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(agent) => Ok(Self(vec![agent])),
            agents => serde_json::from_value(agents).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// A call that was made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    text: String,
    data: Option<Value>,
    /// Where it came from; what is known of the tool says it where it is not given.
    label: Option<Label>,
    #[serde(default)]
    failed: bool,
    at: Option<Timestamp>,
}

impl Done {
    fn label(&self, tools: &Registry) -> Label {
        let of_tool = || match tools.get(&self.tool) {
            Some(tool) => Row::label(tool.spec(), None),
            None => Label::untrusted_from(format!("tool:{}", self.tool)),
        };
        self.label.clone().unwrap_or_else(of_tool)
    }
}

impl Asked {
    /// The request that policies decide. Fails where it does not say what is asked for, or asks for a call that the tool
    /// would refuse.
    pub(super) fn request(&self, tools: &Registry, now: Timestamp) -> Result<Request> {
        let now = self.now.unwrap_or(now);
        let action = match (&self.tool, &self.action) {
            (Some(tool), None) => Action::Tool(tool.clone()),
            (None, Some(action)) => action.clone(),
            _ => return Err(Error::new(Code::InputInvalid, "a request has either `tool` or `action`")),
        };
        let agents = self.agent.as_ref().map(|agents| agents.0.clone()).unwrap_or_default();
        let calls = self.results.iter().map(|done| Past {
            tool: done.tool.clone(),
            at: done.at.unwrap_or(now),
            arguments: done.arguments.clone(),
            data: done.data.clone(),
            failed: done.failed,
        });
        let labels: Vec<Label> = self.results.iter().map(|done| done.label(tools)).collect();
        let label = labels.iter().fold(Label::default(), |label, read| label.join(read));
        let tool = self.tool.as_deref().and_then(|name| tools.get(name));
        // What is decided are the arguments that the tool would be called with.
        let arguments = match tool {
            Some(tool) => tools.fitting(&tool.spec().name, &self.arguments)?,
            None => self.arguments.clone(),
        };
        Ok(Request {
            principal: Principal {
                tenant: self.principal.tenant.clone().unwrap_or_else(|| "local".to_owned()),
                user: self.principal.user.clone(),
                agents,
            },
            action,
            origins: tool.map(|tool| self.origins(tool.spec(), &arguments, &labels)).unwrap_or_default(),
            arguments,
            label,
            session: Session { calls: calls.collect() },
            now,
            approved: self.approved,
            within_task: None,
        })
    }

    /// Where each argument came from, as far as it can be told from the words of the user and from what was read.
    fn origins(
        &self,
        spec: &ToolSpec,
        arguments: &Map<String, Value>,
        labels: &[Label],
    ) -> BTreeMap<String, Origin> {
        let mut known = Known::default();
        known.said(&self.request, &Label::default());
        let issued = BTreeSet::new();
        for (done, label) in self.results.iter().zip(labels) {
            let asked = Value::Object(done.arguments.clone());
            known.read(&Read {
                tool: &done.tool,
                text: &done.text,
                data: done.data.as_ref(),
                asked: Some(&asked),
                issued: &issued,
                label,
            });
        }
        origins(spec, arguments, &known)
    }
}
