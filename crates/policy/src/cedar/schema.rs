//! [`Schema`]: what policies can speak of in a project.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::tool::{Effect, Role, ToolSpec};
use adjutant_core::{Code, Error, Result, nearest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::types::{Slot, Type};
use crate::flow::Row;

/// The names of a project beside its tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vocabulary {
    /// The agents.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub agents: BTreeSet<String>,
    /// The models, by id.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub models: BTreeSet<String>,
    /// What may be known of a user, by the name of the claim.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Claim>,
    /// The tools that run code which a model has written.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub code: BTreeSet<String>,
    /// The tools of each server of MCP.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<String, BTreeSet<String>>,
}

/// What a claim about a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of text.
    Strings,
}

impl Claim {
    /// The words for them in `adjutant.toml`.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("strings", Self::Strings),
    ];

    /// Whether it can have this value.
    fn admits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Boolean => value.is_boolean(),
            Self::Strings => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }

    /// What it is called, with a value that it can have.
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::String => ("text", "`\"manager\"`"),
            Self::Integer => ("a whole number", "`3`"),
            Self::Boolean => ("true or false", "`true`"),
            Self::Strings => ("a list of texts", "`[\"north\"]`"),
        }
    }

    /// What a value of it is to policies.
    pub(super) fn kind(self) -> Type {
        match self {
            Self::String => Type::Text,
            Self::Integer => Type::Long,
            Self::Boolean => Type::Bool,
            Self::Strings => Type::Set(Box::new(Type::Text)),
        }
    }
}

/// What policies can speak of in a project: its tools with the types of their arguments, its agents and models, and what
/// is known of a user. It can be stored, so that a run decides by what it started with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    pub(super) tools: BTreeMap<String, Tool>,
    pub(super) vocabulary: Vocabulary,
}

/// What policies know of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tool {
    pub(super) effect: Effect,
    /// Whether a call carries its arguments out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) egress: bool,
    /// Whether its output can be believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) trusted: bool,
    /// Whether only some may see its output.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) private: bool,
    pub(super) arguments: BTreeMap<String, Slot>,
    /// What the arguments are for, by JSON pointer; `*` stands for the items of a list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) roles: BTreeMap<String, Role>,
}

/// All roles with their words.
pub(super) const ROLES: [(&str, Role); 5] = [
    ("recipient", Role::Recipient),
    ("target", Role::Target),
    ("content", Role::Content),
    ("amount", Role::Amount),
    ("option", Role::Option),
];

/// The actions that are no call of a tool, with the types that they are done to.
pub(super) const OTHER_ACTIONS: [(&str, &str); 5] = [
    ("run.answer", "User"),
    ("run.model", "Model"),
    ("run.agent", "Agent"),
    ("run.resource", "Resource"),
    ("run.remember", MEMORY),
];

/// The group of all tools.
pub(super) const ALL_TOOLS: &str = "tools";

/// The names of the types, which policies use.
pub(super) const AGENT: &str = "Agent";
pub(super) const USER: &str = "User";
pub(super) const TENANT: &str = "Tenant";
pub(super) const TOOL: &str = "Tool";
pub(super) const SESSION: &str = "Session";
pub(super) const MEMORY: &str = "Memory";

/// All types that policies can name.
pub(super) const TYPES: [&str; 9] =
    ["Action", AGENT, USER, TENANT, TOOL, SESSION, "Model", "Resource", MEMORY];

impl Schema {
    /// Reads what policies can speak of out of the tools of a project.
    pub fn of<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>, vocabulary: Vocabulary) -> Self {
        let tools = tools.into_iter().map(|spec| (spec.name.clone(), Tool::of(spec)));
        Self { tools: tools.collect(), vocabulary }
    }

    /// Adds tools.
    pub fn extend<'a>(&mut self, tools: impl IntoIterator<Item = &'a ToolSpec>) {
        self.tools.extend(tools.into_iter().map(|spec| (spec.name.clone(), Tool::of(spec))));
    }

    /// The same with tools of which nothing but the name is known, where there are none of these names.
    #[must_use]
    pub fn with_unknown<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Self {
        let mut schema = self.clone();
        for name in names {
            schema.tools.entry(name.clone()).or_insert_with(Tool::unknown);
        }
        schema
    }

    /// The name that was probably meant by one of an action, or of a group, that there is not.
    pub(super) fn meant(&self, action: &str) -> Option<String> {
        let groups = self.all_groups();
        let others = OTHER_ACTIONS.iter().map(|(name, _)| *name);
        nearest(action, self.tools().chain(others).chain(groups.iter().map(String::as_str)))
            .map(str::to_owned)
    }

    /// Whether there is a tool of that name.
    pub fn has(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// The names of the tools.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(String::as_str)
    }

    /// What the arguments of a tool are for, by name or JSON pointer, in the words that policies have for it.
    pub fn roles(&self, tool: &str) -> impl Iterator<Item = (&str, &'static str)> {
        let roles = self.tools.get(tool).into_iter().flat_map(|tool| &tool.roles);
        roles.filter_map(|(name, role)| {
            let word = ROLES.iter().find(|(_, of)| of == role)?;
            Some((name.as_str(), word.0))
        })
    }

    /// Checks that there is an agent of that name. Fails with [`Code::InputInvalid`].
    pub fn check_agent(&self, name: &str) -> Result<()> {
        let agents = &self.vocabulary.agents;
        if agents.contains(name) {
            return Ok(());
        }
        let help = meant(name, agents.iter().map(String::as_str), "the project has no agents");
        Err(Error::new(Code::InputInvalid, format!("there is no agent `{name}`")).with_help(help))
    }

    /// Checks what is claimed of a user: a claim that policies cannot ask for, or of another type than they take it for,
    /// would be without effect or stop everything. Fails with [`Code::InputInvalid`].
    pub fn check_claims<'a>(&self, claims: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Result<()> {
        claims.into_iter().try_for_each(|(name, value)| self.check_claim(name, value))
    }

    /// Checks one claim. Fails with [`Code::InputInvalid`].
    pub fn check_claim(&self, name: &str, value: &Value) -> Result<()> {
        let known = &self.vocabulary.claims;
        let Some(claim) = known.get(name) else {
            let none = "declare it: `[policy.claims]` of adjutant.toml";
            let help = meant(name, known.keys().map(String::as_str), none);
            let message = format!("`[policy.claims]` declares no claim `{name}`");
            return Err(Error::new(Code::InputInvalid, message).with_help(help));
        };
        if claim.admits(value) {
            return Ok(());
        }
        let (kind, example) = claim.in_words();
        let message = format!("the claim `{name}` must be {kind}, and is `{value}`");
        Err(Error::new(Code::InputInvalid, message).with_help(format!("write it as JSON, such as {example}")))
    }

    /// The names beside the tools.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The groups that a tool is in: `tools`, `tools.pure`, `tools.egress`, ...
    pub(super) fn groups(&self, name: &str) -> Vec<String> {
        let mut groups = vec![ALL_TOOLS.to_owned()];
        let Some(tool) = self.tools.get(name) else { return groups };
        groups.push(format!("{ALL_TOOLS}.{}", tool.effect.as_str()));
        let more = [("egress", tool.egress), ("untrusted", !tool.trusted), ("private", tool.private)];
        groups.extend(more.iter().filter(|(_, is)| *is).map(|(name, _)| format!("{ALL_TOOLS}.{name}")));
        if self.vocabulary.code.contains(name) {
            groups.push(format!("{ALL_TOOLS}.code"));
        }
        let servers = self.vocabulary.servers.iter().filter(|(_, tools)| tools.contains(name));
        for (server, _) in servers {
            groups.extend([format!("{ALL_TOOLS}.server"), format!("{ALL_TOOLS}.server.{server}")]);
        }
        groups
    }

    /// All groups, also those without a tool.
    fn all_groups(&self) -> BTreeSet<String> {
        let fixed = [
            "pure",
            "idempotent",
            "at_most_once",
            "reconcile",
            "egress",
            "untrusted",
            "private",
            "code",
            "server",
        ];
        let servers = self.vocabulary.servers.keys().map(|server| format!("{ALL_TOOLS}.server.{server}"));
        let mut all: BTreeSet<String> =
            fixed.iter().map(|name| format!("{ALL_TOOLS}.{name}")).chain(servers).collect();
        all.insert(ALL_TOOLS.to_owned());
        all
    }

    /// The schema as Cedar reads it. What tools return has no schema, so the fields of it are those that the policies
    /// name: `returned` has them by tool.
    pub fn cedar(&self, returned: &BTreeMap<String, BTreeSet<String>>) -> Value {
        json!({ "": {
            "commonTypes": { "Label": record(label()) },
            "entityTypes": self.entities(returned),
            "actions": self.declared_actions(),
        } })
    }

    fn entities(&self, returned: &BTreeMap<String, BTreeSet<String>>) -> Value {
        let claims =
            self.vocabulary.claims.iter().map(|(name, claim)| (name.clone(), optional(claim.kind().cedar())));
        // A listed type turns a slip in a name into an error.
        let listed = |names: Vec<&str>| if names.is_empty() { json!({}) } else { json!({ "enum": names }) };
        json!({
            AGENT: { "memberOfTypes": [USER, TENANT], "shape": record([("user", optional(entity(USER)))]) },
            USER: { "memberOfTypes": [TENANT], "shape": record(claims) },
            TENANT: {},
            TOOL: listed(self.tools().collect()),
            "Model": listed(self.vocabulary.models.iter().map(String::as_str).collect()),
            "Resource": {},
            MEMORY: {},
            SESSION: { "shape": self.session(returned) },
        })
    }

    /// What a session has of each tool. It is an entity, since a record would stand anew in the type of every action.
    fn session(&self, returned: &BTreeMap<String, BTreeSet<String>>) -> Value {
        let each = |of: fn(&Tool) -> Option<Value>| {
            let tools = self.tools.iter().filter_map(|(name, tool)| Some((name.clone(), of(tool)?)));
            record(tools)
        };
        let count = || each(|_| Some(json!({ "type": "Long" })));
        let sum = || {
            each(|tool| {
                let numbers = tool.arguments.iter().filter(|(_, slot)| is_number(&slot.kind));
                some_record(numbers.map(|(name, slot)| (name.clone(), Value::Object(slot.kind.cedar()))))
            })
        };
        let seen = each(|tool| {
            let plain = tool.arguments.iter().filter(|(_, slot)| slot.kind.element().is_scalar());
            some_record(plain.map(|(name, slot)| {
                (name.clone(), Value::Object(Type::Set(Box::new(slot.kind.element().clone())).cedar()))
            }))
        });
        let text = || Value::Object(Type::Set(Box::new(Type::Text)).cedar());
        let returned = self.tools.keys().filter_map(|tool| {
            let fields = returned.get(tool)?.iter().map(|field| (field.clone(), text()));
            Some((tool.clone(), record(fields)))
        });
        record([
            ("count", count()),
            ("today", count()),
            ("sum", sum()),
            ("sum_today", sum()),
            ("seen", seen),
            ("returned", record(returned)),
        ])
    }

    fn declared_actions(&self) -> Value {
        let mut actions = Map::new();
        for group in self.all_groups() {
            let within = if group == ALL_TOOLS { json!([]) } else { json!([{ "id": ALL_TOOLS }]) };
            actions.insert(group, json!({ "memberOf": within }));
        }
        for (name, tool) in &self.tools {
            let within: Vec<_> = self.groups(name).into_iter().map(|group| json!({ "id": group })).collect();
            let roles = ROLES.iter().map(|(name, _)| (*name, record(role())));
            let more = [("arguments", record(arguments(&tool.arguments))), ("roles", record(roles))];
            actions.insert(
                name.clone(),
                json!({ "memberOf": within, "appliesTo": applies(TOOL, &context(more)) }),
            );
        }
        for (name, resource) in OTHER_ACTIONS {
            let more = match name {
                "run.resource" => vec![("server", text()), ("host", text())],
                "run.answer" => vec![("text", text())],
                _ => Vec::new(),
            };
            actions.insert(name.to_owned(), json!({ "appliesTo": applies(resource, &context(more)) }));
        }
        Value::Object(actions)
    }
}

impl Tool {
    fn of(spec: &ToolSpec) -> Self {
        let row = Row::of(spec);
        Self {
            effect: spec.effect,
            egress: row.egress,
            trusted: row.trusted,
            private: row.private,
            arguments: Type::arguments(&spec.parameters),
            roles: row.roles,
        }
    }

    /// One of which nothing is known: the worst is expected of it.
    fn unknown() -> Self {
        Self {
            effect: Effect::AtMostOnce,
            egress: true,
            trusted: false,
            private: false,
            arguments: BTreeMap::new(),
            roles: BTreeMap::new(),
        }
    }
}

/// What to do about a name that there is not.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone, none: &str) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<_> = known.map(|known| format!("`{known}`")).collect();
    if known.is_empty() { none.to_owned() } else { format!("known are {}", known.join(", ")) }
}

/// Whether sums can be made of it.
pub(super) fn is_number(kind: &Type) -> bool {
    matches!(kind, Type::Long | Type::Decimal)
}

fn applies(resource: &str, context: &Value) -> Value {
    json!({ "principalTypes": [AGENT], "resourceTypes": [resource], "context": context })
}

/// What is known whatever is done, with what is known of this.
fn context<'a>(more: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let always = [
        ("run", json!({ "type": "Label" })),
        ("session", entity(SESSION)),
        ("now", json!({ "type": "Extension", "name": "datetime" })),
        ("approved", json!({ "type": "Boolean" })),
    ];
    record(always.into_iter().chain(more))
}

fn label() -> Vec<(&'static str, Value)> {
    let set = || Value::Object(Type::Set(Box::new(Type::Text)).cedar());
    let bool = || Value::Object(Type::Bool.cedar());
    vec![("trusted", bool()), ("from", set()), ("readers", set()), ("public", bool())]
}

fn role() -> Vec<(&'static str, Value)> {
    let mut role = label();
    role.push(("values", Value::Object(Type::Set(Box::new(Type::Text)).cedar())));
    role
}

/// Arguments with their labels; those within an object have labels of their own.
fn arguments(slots: &BTreeMap<String, Slot>) -> impl Iterator<Item = (String, Value)> {
    slots.iter().map(|(name, slot)| {
        let mut declared = label();
        declared.push(("evidence", text()));
        let value = match &slot.kind {
            Type::Record(fields) => record(arguments(fields)),
            kind => Value::Object(kind.cedar()),
        };
        declared.push(("value", value));
        if slot.kind.is_scalar() {
            declared.push(("text", text()));
        }
        if let Some((one, several)) = slot.form.part() {
            match &slot.kind {
                Type::Set(_) => {
                    declared.push((several, Value::Object(Type::Set(Box::new(Type::Text)).cedar())));
                }
                _ => declared.push((one, text())),
            }
        }
        let mut declared = record(declared);
        if let Some(declared) = declared.as_object_mut() {
            declared.insert("required".to_owned(), slot.required.into());
        }
        (name.clone(), declared)
    })
}

fn text() -> Value {
    Value::Object(Type::Text.cedar())
}

fn entity(name: &str) -> Value {
    json!({ "type": "Entity", "name": name })
}

fn optional(declared: impl Into<Value>) -> Value {
    let mut declared = declared.into();
    if let Some(declared) = declared.as_object_mut() {
        declared.insert("required".to_owned(), false.into());
    }
    declared
}

fn record(attributes: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Value {
    let attributes: Map<_, _> =
        attributes.into_iter().map(|(name, declared)| (name.into(), declared)).collect();
    json!({ "type": "Record", "attributes": attributes })
}

fn some_record(attributes: impl Iterator<Item = (String, Value)>) -> Option<Value> {
    let mut attributes = attributes.peekable();
    attributes.peek()?;
    Some(record(attributes))
}
