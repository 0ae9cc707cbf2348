//! Tools: what agents may call.

use std::collections::BTreeSet;

use adjutant::Project;
use adjutant_core::role::Right;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result, nearest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Caller;
use crate::endpoint::{Call, Found, Operation, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Tools";

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get("/api/tools", "listTools", "The tools", Right::View)
                .of(TAG)
                .said("Those that the project and its agents name, and the servers of the Model Context Protocol that some come from."),
            list,
        )
        .on(
            Operation::get("/api/tools/{tool}", "showTool", "A tool", Right::View).of(TAG).fails(&[Code::NotFound]),
            show,
        )
}

/// The tools.
#[derive(JsonSchema, Serialize)]
struct Tools {
    tools: Vec<Tool>,
    /// The servers of the Model Context Protocol.
    servers: Vec<Server>,
}

/// A tool.
#[derive(JsonSchema, Serialize)]
struct Tool {
    /// What models call it.
    name: String,
    /// What it does, for the model.
    description: String,
    /// The JSON schema of its arguments.
    parameters: Value,
    /// What happens if it is called twice: `pure`, `idempotent`, `at_most_once` or `reconcile`.
    effect: &'static str,
    /// How long one call may take, in milliseconds.
    timeout_ms: u64,
    /// The name under `[tools]` that it comes from; none for one that needs no table.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// What it does with information, as far as somebody has said it.
    flow: Value,
}

impl Tool {
    fn of(project: &Project, spec: &ToolSpec) -> Self {
        let mut sets = project.toolsets();
        let from = sets.find(|(_, tools)| tools.contains(&spec.name)).map(|(name, _)| name.to_owned());
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            parameters: spec.parameters.clone(),
            effect: spec.effect.as_str(),
            timeout_ms: u64::try_from(spec.timeout.as_millis()).unwrap_or(u64::MAX),
            from,
            flow: serde_json::to_value(&spec.flow).unwrap_or_default(),
        }
    }
}

/// A server of the Model Context Protocol.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ToolServer")]
struct Server {
    /// Its name under `[tools]`.
    name: String,
    /// Whether a person has accepted what it offers; until then it has no tools here.
    accepted: bool,
    /// The tools that were accepted, by its own names for them.
    tools: Vec<String>,
}

/// The tools that a caller sees: of one who is confined to some agents, those of these agents.
struct Seen(Option<BTreeSet<String>>);

impl Seen {
    fn by(caller: &Caller, project: &Project) -> Self {
        let who = caller.who();
        if who.scopes.is_empty() {
            return Self(None);
        }
        let names = project.agents().map(|source| source.name.as_str());
        let theirs = names.filter(|name| who.reaches(&format!("agent:{name}")));
        let definitions = theirs.filter_map(|name| project.definition(name).ok());
        let tools = definitions.flat_map(|definition| definition.tools.iter().map(|tool| tool.name.clone()));
        Self(Some(tools.collect()))
    }

    fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|seen| seen.contains(name))
    }

    /// Whether one of the tools is seen that come from this name under `[tools]`.
    fn has_of(&self, project: &Project, toolset: &str) -> bool {
        let of = project.toolsets().find(|(name, _)| *name == toolset);
        self.0.is_none() || of.is_some_and(|(_, tools)| tools.iter().any(|tool| self.has(tool)))
    }
}

async fn list(call: Call) -> Result<Found<Tools>> {
    let project = call.caller.adjutant().project();
    let seen = Seen::by(&call.caller, &project);
    let specs = project.tools().specs().filter(|spec| seen.has(&spec.name));
    let tools = specs.map(|spec| Tool::of(&project, spec)).collect();
    let servers = project.servers().filter(|server| seen.has_of(&project, server.name())).map(|server| {
        let pin = project.accepted(server.name());
        let tools = pin.into_iter().flat_map(|pin| pin.tools.keys().cloned()).collect();
        Server { name: server.name().to_owned(), accepted: pin.is_some(), tools }
    });
    Ok(Found(Tools { tools, servers: servers.collect() }))
}

/// One tool.
#[derive(Deserialize, JsonSchema)]
struct ToolPath {
    /// Its name.
    tool: String,
}

async fn show(call: Call<ToolPath>) -> Result<Found<Tool>> {
    let project = call.caller.adjutant().project();
    let name = call.path.tool.as_str();
    let seen = Seen::by(&call.caller, &project);
    let found = project.tools().get(name).filter(|_| seen.has(name));
    found.map(|tool| Found(Tool::of(&project, tool.spec()))).ok_or_else(|| {
        let error = Error::new(Code::NotFound, format!("there is no tool `{name}`"));
        let names = project.tools().specs().map(|spec| spec.name.as_str());
        match nearest(name, names.filter(|name| seen.has(name))) {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => error.with_help("`GET /api/tools` lists those that there are"),
        }
    })
}
