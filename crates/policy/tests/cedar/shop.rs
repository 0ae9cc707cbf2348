//! A shop whose tools the tests decide on.

use adjutant_core::label::{Label, Readers};
use adjutant_core::time::Timestamp;
use adjutant_core::tool::{Effect, Flow, Role, ToolSpec};
use adjutant_policy::cedar::{Claim, File, Mode, Policies, Problem, Schema, Vocabulary};
use adjutant_policy::facts::{Action, Evidence, Origin, Past, Principal, Request, Session, User};
use serde_json::{Map, Value, json};

/// A moment in 2027.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn tool(name: &str, effect: Effect, parameters: &Value, flow: Flow) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        parameters: parameters.clone(),
        effect,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow,
    }
}

pub(crate) fn schema() -> Schema {
    let order = json!({ "type": "object", "properties": { "number": { "type": "integer" } }, "required": ["number"] });
    let refund = json!({
        "type": "object",
        "properties": {
            "number": { "type": "integer" },
            "amount": { "type": "number" },
            "reason": { "type": "string" },
            "account": { "type": "object", "properties": { "iban": { "type": "string" } }, "required": ["iban"] },
        },
        "required": ["number", "amount"],
    });
    let mail = json!({
        "type": "object",
        "properties": {
            "to": { "type": "array", "items": { "type": "string", "format": "email" } },
            "body": { "type": "string" },
            "urgent": { "type": "boolean" },
        },
        "required": ["to", "body"],
    });
    let fetch = json!({ "type": "object", "properties": { "url": { "type": "string", "format": "uri" } }, "required": ["url"] });
    let roles = |roles: &[(&str, Role)]| Flow {
        arguments: roles.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect(),
        ..Flow::default()
    };
    let tools = [
        tool("order", Effect::Pure, &order, Flow { trusted: Some(true), ..Flow::default() }),
        tool(
            "refund",
            Effect::AtMostOnce,
            &refund,
            roles(&[("amount", Role::Amount), ("account", Role::Recipient)]),
        ),
        tool(
            "send-mail",
            Effect::AtMostOnce,
            &mail,
            roles(&[("to", Role::Recipient), ("body", Role::Content)]),
        ),
        tool(
            "note",
            Effect::AtMostOnce,
            &json!({ "type": "object" }),
            Flow { egress: Some(false), ..Flow::default() },
        ),
        tool("script", Effect::Pure, &json!({ "type": "object" }), Flow::default()),
        tool("fetch", Effect::Pure, &fetch, Flow { egress: Some(true), ..Flow::default() }),
    ];
    let vocabulary = Vocabulary {
        agents: ["desk", "boss"].map(str::to_owned).into(),
        models: ["small", "large"].map(str::to_owned).into(),
        claims: [("role", Claim::String), ("level", Claim::Integer)]
            .map(|(name, claim)| (name.to_owned(), claim))
            .into(),
        code: ["script".to_owned()].into(),
        servers: [("mail".to_owned(), ["send-mail".to_owned()].into())].into(),
    };
    Schema::of(&tools, vocabulary)
}

pub(crate) fn read(text: &str) -> Result<Policies, Vec<Problem>> {
    read_as(text, Mode::Enforce)
}

pub(crate) fn read_as(text: &str, mode: Mode) -> Result<Policies, Vec<Problem>> {
    Policies::parse(&[File { name: "shop.cedar".to_owned(), text: text.to_owned() }], mode, &schema())
}

pub(crate) fn policies(text: &str) -> Policies {
    read(text).unwrap_or_else(|problems| panic!("{text}: {problems:#?}"))
}

/// A request of the agent `desk` for the user `ann`, whose words all arguments are.
pub(crate) fn call(tool: &str, arguments: Value) -> Request {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let origins = arguments
        .keys()
        .map(|name| (format!("/{name}"), Origin { evidence: Evidence::Words, label: Label::default() }));
    Request {
        origins: origins.collect(),
        arguments: arguments.clone(),
        ..request(Action::Tool(tool.to_owned()))
    }
}

pub(crate) fn request(action: Action) -> Request {
    Request {
        principal: Principal {
            tenant: "local".to_owned(),
            user: Some(User { id: "ann".to_owned(), claims: Map::new() }),
            agents: vec!["desk".to_owned()],
        },
        action,
        arguments: Map::new(),
        origins: Default::default(),
        label: Label::default(),
        session: Session::default(),
        now: NOW,
        approved: false,
        within_task: None,
    }
}

/// Changes of a request.
pub(crate) trait Change: Sized {
    fn with(self, change: impl FnOnce(&mut Request)) -> Request;

    fn after(self, tool: &str, arguments: Value) -> Request {
        self.with(|request| request.session.calls.push(past(tool, arguments, 60)))
    }

    fn untrusted(self, argument: &str) -> Request {
        let origin = Origin { evidence: Evidence::None, label: Label::untrusted_from("web:evil.test") };
        self.with(|request| {
            request.origins.insert(format!("/{argument}"), origin);
        })
    }

    fn private(self, argument: &str, readers: &[&str]) -> Request {
        let readers = Readers::Only(readers.iter().map(|reader| (*reader).to_owned()).collect());
        let origin = Origin { evidence: Evidence::Result, label: Label { readers, ..Label::default() } };
        self.with(|request| {
            request.origins.insert(format!("/{argument}"), origin);
        })
    }

    fn of_agents(self, agents: &[&str]) -> Request {
        self.with(|request| {
            request.principal.agents = agents.iter().map(|agent| (*agent).to_owned()).collect();
        })
    }
}

impl Change for Request {
    fn with(mut self, change: impl FnOnce(&mut Request)) -> Request {
        change(&mut self);
        self
    }
}

/// A call that was made so many seconds ago.
pub(crate) fn past(tool: &str, arguments: Value, ago: u64) -> Past {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    Past {
        tool: tool.to_owned(),
        at: NOW.minus(std::time::Duration::from_secs(ago)),
        arguments,
        data: None,
        failed: false,
    }
}
