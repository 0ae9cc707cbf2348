//! A request of another program, as it stands on a line.

use std::collections::{BTreeMap, BTreeSet};

use adjutant::policy::cedar::{Schema, moment};
use adjutant::policy::facts::{Action, Origin, Past, Principal, Request, Session, User};
use adjutant::policy::flow::{Known, Read, Row, origins};
use adjutant::tool::Registry;
use adjutant_core::label::{Integrity, Label, Readers, Sources};
use adjutant_core::time::Timestamp;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
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
    action: Option<Exact<Action>>,
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
    /// Now where it is not given.
    now: Option<Moment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Who {
    tenant: Option<String>,
    user: Option<Person>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    id: String,
    #[serde(default)]
    claims: Map<String, Value>,
}

/// A value of which nothing goes unread.
#[derive(Debug)]
struct Exact<T>(T);

impl<'de, T: DeserializeOwned + serde::Serialize> Deserialize<'de> for Exact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let read: T = serde_json::from_value(given.clone()).map_err(D::Error::custom)?;
        let kept = serde_json::to_value(&read).map_err(D::Error::custom)?;
        if kept != given {
            return Err(D::Error::custom(format!("`{given}` has more than `{kept}`")));
        }
        Ok(Self(read))
    }
}

/// A moment: milliseconds since 1970-01-01, or as people write it.
#[derive(Clone, Copy, Debug)]
struct Moment(Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let read = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64().map(Timestamp),
            Value::String(text) => moment(&text).or_else(|| {
                let read: jiff::Timestamp = text.parse().ok()?;
                Some(Timestamp(read.as_millisecond()))
            }),
            _ => None,
        };
        let wanted = "a moment is milliseconds since 1970, or a text such as `2026-01-15T12:00:00Z`";
        read.map(Self).ok_or_else(|| D::Error::custom(wanted))
    }
}

/// Where a result came from. What this leaves out counts as known to be harmless, so nothing in it may go unread.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    #[serde(default)]
    integrity: Integrity,
    #[serde(default, deserialize_with = "readers")]
    readers: Readers,
    #[serde(default, deserialize_with = "sources")]
    sources: Sources,
}

fn readers<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Readers, D::Error> {
    list_or(deserializer, Readers::Only)
}

fn sources<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Sources, D::Error> {
    list_or(deserializer, Sources::Known)
}

/// A plain list, or what it stands for as labels are stored.
fn list_or<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
    of_list: impl Fn(BTreeSet<String>) -> T,
) -> std::result::Result<T, D::Error> {
    match Value::deserialize(deserializer)? {
        list @ Value::Array(_) => serde_json::from_value(list).map(of_list),
        stored => serde_json::from_value(stored),
    }
    .map_err(D::Error::custom)
}

#[derive(Debug)]
struct Agents(Vec<String>);

impl<'de> Deserialize<'de> for Agents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(agent) => Ok(Self(vec![agent])),
            agents => serde_json::from_value(agents).map(Self).map_err(D::Error::custom),
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
    label: Option<Tag>,
    #[serde(default)]
    failed: bool,
    at: Option<Moment>,
}

impl Done {
    fn label(&self, tools: &Registry) -> Label {
        let of_tool = || match tools.get(&self.tool) {
            Some(tool) => Row::label(tool.spec(), None),
            None => Label::untrusted_from(format!("tool:{}", self.tool)),
        };
        match self.label.clone() {
            Some(Tag { integrity, readers, sources }) => Label { integrity, readers, sources },
            None => of_tool(),
        }
    }
}

impl Asked {
    /// The request that policies decide. Fails where it does not say what is asked for, or asks for a call that the tool
    /// would refuse, or of agents that the project does not have.
    pub(super) fn request(&self, tools: &Registry, schema: &Schema, now: Timestamp) -> Result<Request> {
        let now = self.now.map_or(now, |now| now.0);
        let action = match (&self.tool, &self.action) {
            (Some(tool), None) => Action::Tool(tool.clone()),
            (None, Some(Exact(action))) => action.clone(),
            _ => return Err(Error::new(Code::InputInvalid, "a request has either `tool` or `action`")),
        };
        let agents = self.agent.as_ref().map(|agents| agents.0.clone()).unwrap_or_default();
        agents.iter().try_for_each(|agent| schema.check_agent(agent))?;
        let user = self.principal.user.as_ref();
        let user = user.map(|user| User { id: user.id.clone(), claims: user.claims.clone() });
        schema.check_claims(user.iter().flat_map(|user| &user.claims))?;
        let calls = self.results.iter().map(|done| Past {
            tool: done.tool.clone(),
            at: done.at.map_or(now, |at| at.0),
            arguments: done.arguments.clone(),
            data: done.data.clone(),
            failed: done.failed,
        });
        let labels: Vec<Label> = self.results.iter().map(|done| done.label(tools)).collect();
        let label = labels.iter().fold(Label::default(), |label, read| label.join(read));
        let tool = match &action {
            Action::Tool(name) => tools.get(name),
            _ => None,
        };
        // What is decided are the arguments that the tool would be called with.
        let arguments = match tool {
            Some(tool) => tools.fitting(&tool.spec().name, &self.arguments)?,
            None => self.arguments.clone(),
        };
        Ok(Request {
            principal: Principal {
                tenant: self.principal.tenant.clone().unwrap_or_else(|| "local".to_owned()),
                user,
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
