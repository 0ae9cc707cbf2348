//! [`Asked`]: what a program that runs a loop of its own asks.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::label::{Integrity, Label, Readers, Sources};
use adjutant_core::time::Timestamp;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use adjutant_policy::cedar::{Schema, moment};
use adjutant_policy::facts::{Action, Origin, Past, Principal, Request, Session, User};
use adjutant_policy::flow::{Known, Read, Row, origins};
use adjutant_tool::Registry;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// What a program asks that runs a loop of its own: whether something may be done. It has either `tool` or `action`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyQuestion", extend("oneOf" = either()))]
pub struct Asked {
    /// Given back with the answer.
    id: Option<Value>,
    /// For whom it is done.
    #[serde(default)]
    principal: Who,
    /// The agent that acts, or it and those that had it asked, the nearest first.
    agent: Option<Agents>,
    /// The tool that is to be called.
    tool: Option<String>,
    /// What is to be done that is no call of a tool.
    #[schemars(with = "Option<Other>")]
    action: Option<Exact<Action>>,
    /// What the tool is to be called with.
    #[serde(default)]
    arguments: Map<String, Value>,
    /// The words of the user: what stands in them is the user's.
    #[serde(default)]
    request: String,
    /// What was done before, the oldest first.
    #[serde(default)]
    results: Vec<Done>,
    /// Whether a person has agreed.
    #[serde(default)]
    approved: bool,
    /// The moment at which it is done; now where it is not given.
    now: Option<Moment>,
}

/// Says in a schema that there is either a tool or an action.
fn either() -> Value {
    let one = |there: &str, not: &str| {
        let there = (there, json!({ "not": { "type": "null" } }));
        let properties = Map::from_iter(
            [there.clone(), (not, json!({ "type": "null" }))].map(|(name, is)| (name.to_owned(), is)),
        );
        json!({ "required": [there.0], "properties": properties })
    };
    json!([one("tool", "action"), one("action", "tool")])
}

/// For whom something is done.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AskedPrincipal")]
struct Who {
    /// The tenant; that of whoever asks where it is not given.
    tenant: Option<String>,
    /// The person.
    user: Option<Person>,
}

/// The person for whom something is done.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskedUser")]
struct Person {
    /// What they are known by.
    id: String,
    /// What is claimed of them: what `[policy.claims]` declares.
    #[serde(default)]
    claims: Map<String, Value>,
}

/// What is done that is no call of a tool.
#[derive(JsonSchema)]
#[schemars(rename = "AskedAction", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "it is the schema of `Action`")]
enum Other {
    /// Call this tool.
    Tool(String),
    /// Ask this agent, or hand over to it.
    Agent(String),
    /// Ask this model.
    Model(String),
    /// Read what a server of MCP offers.
    Resource {
        /// The server.
        server: String,
        /// The address of what is read.
        uri: String,
    },
    /// Write into this memory.
    Remember(String),
    /// Give the person or program the answer.
    Answer,
}

/// A value of which nothing goes unread.
#[derive(Clone, Debug)]
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
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(with = "Written")]
struct Moment(Timestamp);

/// A moment: milliseconds since 1970-01-01T00:00:00Z, or a text such as `2026-01-15T12:00:00Z`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is the schema of `Moment`")]
enum Written {
    Number(i64),
    Text(#[schemars(extend("format" = "date-time"))] String),
}

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

/// Where a result came from. What this leaves out counts as known to be harmless.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
// So nothing in it may go unread.
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskedLabel")]
struct Tag {
    /// Whether it can be believed.
    #[serde(default)]
    #[schemars(with = "Believed")]
    integrity: Integrity,
    /// Who may see it; everybody where it is not given.
    #[serde(default, deserialize_with = "readers")]
    #[schemars(with = "Vec<String>")]
    readers: Readers,
    /// Who wrote it, as far as that is known, such as `web:example.org`.
    #[serde(default, deserialize_with = "sources")]
    #[schemars(with = "Vec<String>")]
    sources: Sources,
}

/// Whether something can be believed.
#[derive(JsonSchema)]
#[schemars(rename = "Integrity", rename_all = "snake_case")]
#[expect(dead_code, reason = "it is the schema of `Integrity`")]
enum Believed {
    /// Written by the author of the agent, or by the person it works for.
    Trusted,
    /// Anything else.
    Untrusted,
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

/// The agent that acts, or it and those that had it asked.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(with = "OneOrMore", rename = "AskedAgents")]
struct Agents(Vec<String>);

/// An agent, or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is the schema of `Agents`")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl<'de> Deserialize<'de> for Agents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(agent) => Ok(Self(vec![agent])),
            agents => serde_json::from_value(agents).map(Self).map_err(D::Error::custom),
        }
    }
}

/// A call that was made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskedResult")]
struct Done {
    /// The tool.
    tool: String,
    /// What it was called with.
    #[serde(default)]
    arguments: Map<String, Value>,
    /// What it gave, as the model reads it.
    #[serde(default)]
    text: String,
    /// What it gave, as data.
    data: Option<Value>,
    /// Where it came from; what is known of the tool says it where it is not given.
    label: Option<Tag>,
    /// Whether it failed.
    #[serde(default)]
    failed: bool,
    /// When it was made; now where it is not given.
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
    /// The agent that acts, and those that had it asked.
    pub fn agents(&self) -> &[String] {
        self.agent.as_ref().map(|agents| agents.0.as_slice()).unwrap_or_default()
    }

    /// The tenant for whom it is done, where one is named.
    pub fn tenant(&self) -> Option<&str> {
        self.principal.tenant.as_deref()
    }

    /// The person for whom it is done, and what is claimed of them.
    pub fn user(&self) -> Option<(&str, &Map<String, Value>)> {
        self.principal.user.as_ref().map(|user| (user.id.as_str(), &user.claims))
    }

    /// Says for whom it is done, for those who know it better than the program that asks.
    pub fn set_user(&mut self, id: impl Into<String>, claims: Map<String, Value>) {
        self.principal.user = Some(Person { id: id.into(), claims });
    }

    /// What is to be done. Fails with [`Code::InputInvalid`] where that is nothing, or two things.
    fn action(&self) -> Result<Action> {
        match (&self.tool, &self.action) {
            (Some(tool), None) => Ok(Action::Tool(tool.clone())),
            (None, Some(Exact(action))) => Ok(action.clone()),
            _ => Err(Error::new(Code::InputInvalid, "a request has either `tool` or `action`")),
        }
    }

    /// What is given back with the answer.
    pub(super) fn id(&self) -> Option<&Value> {
        self.id.as_ref()
    }

    /// The request that policies decide, for this tenant where none is named. Fails where it does not say what is asked for, or asks
    /// for a call that the tool would refuse, or of agents that the project does not have.
    pub(super) fn request(
        &self,
        tools: &Registry,
        schema: &Schema,
        tenant: &str,
        now: Timestamp,
    ) -> Result<Request> {
        let now = self.now.map_or(now, |now| now.0);
        let action = self.action()?;
        let agents = self.agents().to_vec();
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
            principal: Principal { tenant: self.tenant().unwrap_or(tenant).to_owned(), user, agents },
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
