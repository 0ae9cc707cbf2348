//! Agents and workflows are looked at.

use adjutant::Project;
use adjutant::agent::Definition;
use adjutant::durable::Share;
use adjutant::workflow::plan::Plan;
use adjutant_core::Result;
use adjutant_core::role::Right;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{AgentPath, TAG, versions};
use crate::endpoint::{Call, Found, Operation, Routes};

pub(super) fn routes() -> Routes {
    use adjutant_core::Code::NotFound;
    Routes::default()
        .on(
            Operation::get("/api/agents", "listAgents", "The agents and workflows", Right::View)
                .for_own()
                .of(TAG)
                .said("Those of the project's files, in the order of their names."),
            list,
        )
        .on(
            Operation::get("/api/agents/{agent}", "showAgent", "An agent or a workflow", Right::View)
                .of(TAG)
                .said("As the project's files say it; what was published of it stands under `versions`.")
                .fails(&[NotFound]),
            show,
        )
        .on(
            Operation::get("/api/workflows/{agent}", "showWorkflow", "The steps of a workflow", Right::View)
                .of(TAG)
                .fails(&[NotFound]),
            steps,
        )
}

/// The agents and workflows.
#[derive(JsonSchema, Serialize)]
struct Agents {
    agents: Vec<Listed>,
}

/// An agent or a workflow at a glance.
#[derive(JsonSchema, Serialize)]
struct Listed {
    /// Its name.
    name: String,
    /// What it is.
    kind: Kind,
    /// What it is for, in a sentence.
    description: String,
    /// Whether runs get it where none is named.
    default: bool,
}

/// What directs a run.
#[derive(Clone, Copy, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AgentKind")]
enum Kind {
    /// A model.
    Agent,
    /// A plan.
    Workflow,
}

impl Kind {
    fn of(definition: &Definition) -> Self {
        if definition.workflow.is_some() { Self::Workflow } else { Self::Agent }
    }
}

async fn list(call: Call) -> Result<Found<Agents>> {
    let project = call.caller.adjutant().project();
    let meant = project.default_agent().ok().map(|meant| meant.name.as_str());
    let names = project.agents().map(|source| source.name.as_str());
    let theirs = names.filter(|name| call.caller.who().reaches(&format!("agent:{name}")));
    let agents = theirs.filter_map(|name| project.definition(name).ok()).map(|definition| Listed {
        name: definition.name.clone(),
        kind: Kind::of(definition),
        description: definition.description.clone(),
        default: meant == Some(definition.name.as_str()),
    });
    Ok(Found(Agents { agents: agents.collect() }))
}

/// An agent or a workflow.
#[derive(JsonSchema, Serialize)]
struct Agent {
    /// Its name.
    name: String,
    /// What it is.
    kind: Kind,
    /// What it is for, in a sentence.
    description: String,
    /// The role or the id of its model; none of a workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The tools that it may call, the agents that it may ask as tools included.
    tools: Vec<String>,
    /// The tools about whose calls a person is asked first; `*` for all of them.
    approve: Vec<String>,
    /// The agents that it may ask.
    agents: Vec<String>,
    /// Whom it may hand the conversation over to.
    handoffs: Vec<String>,
    /// The JSON schema of `variables` of a start.
    variables: Value,
    /// The JSON schema that the input of a workflow must fit, where it is data.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Value>,
    /// The JSON schema of its answer; free text where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    /// When a run of it must stop.
    limits: Value,
    /// What its published versions are labelled.
    labels: Vec<Label>,
    /// How new runs are shared among labels; not at all where it is empty.
    split: Vec<Part>,
}

/// A label, and what it means.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VersionLabel")]
pub(super) struct Label {
    /// The label.
    pub(super) label: String,
    /// The version that has it: the hash of a definition.
    pub(super) version: String,
}

/// The share of a label of new runs.
#[derive(Clone, JsonSchema, serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VersionShare")]
pub(super) struct Part {
    /// The label.
    label: String,
    /// Of a hundred.
    #[schemars(range(max = 100))]
    percent: u8,
}

impl From<Share> for Part {
    fn from(share: Share) -> Self {
        Self { label: share.label, percent: share.percent }
    }
}

impl From<Part> for Share {
    fn from(part: Part) -> Self {
        Self { label: part.label, percent: part.percent }
    }
}

async fn show(call: Call<AgentPath>) -> Result<Found<Agent>> {
    let name = call.path.seen(&call.caller)?;
    let adjutant = call.caller.adjutant();
    let project = adjutant.project();
    let definition = project.definition(name)?;
    let split = adjutant.versions().labels(name).await?.split;
    Ok(Found(Agent {
        name: definition.name.clone(),
        kind: Kind::of(definition),
        description: definition.description.clone(),
        model: definition.workflow.is_none().then(|| definition.model.clone()),
        tools: definition.tools.iter().map(|tool| tool.name.clone()).collect(),
        approve: definition.approve.clone(),
        agents: definition.agents.iter().map(|asked| asked.definition.name.clone()).collect(),
        handoffs: definition.handoffs.iter().map(|handoff| handoff.agent.clone()).collect(),
        variables: variables(&definition.variables),
        input: input(&project, name),
        output: definition.output.clone(),
        limits: serde_json::to_value(definition.limits).unwrap_or_default(),
        labels: versions::labels(adjutant, name).await?,
        split: split.into_iter().map(Into::into).collect(),
    }))
}

/// The schema of the variables of a prompt: those without a value must be given.
fn variables(known: &Map<String, Value>) -> Value {
    let required: Vec<&String> =
        known.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect();
    let properties = known.iter().map(|(name, value)| {
        let schema = if value.is_null() { json!({}) } else { json!({ "default": value }) };
        (name.clone(), schema)
    });
    json!({ "type": "object", "properties": properties.collect::<Map<_, _>>(), "required": required })
}

fn input(project: &Project, name: &str) -> Option<Value> {
    project.workflow(name).ok()?.1.input
}

/// A workflow.
#[derive(JsonSchema, Serialize)]
struct Workflow {
    /// Its name.
    name: String,
    /// What it is for, in a sentence.
    description: String,
    /// Its steps, one below the other.
    outline: Vec<Line>,
    /// All of it, as its runs are pinned to it.
    plan: Value,
}

/// A step of a workflow in words.
#[derive(JsonSchema, Serialize)]
struct Line {
    /// How deep it is nested, from 0.
    depth: usize,
    /// What is done.
    text: String,
}

async fn steps(call: Call<AgentPath>) -> Result<Found<Workflow>> {
    let project = call.caller.adjutant().project();
    let (source, plan): (_, Plan) = project.workflow(call.path.seen(&call.caller)?)?;
    let outline = plan.outline().into_iter().map(|(depth, text)| Line { depth, text }).collect();
    Ok(Found(Workflow {
        name: source.name.clone(),
        description: source.description.clone(),
        outline,
        plan: serde_json::to_value(&plan).unwrap_or_default(),
    }))
}
