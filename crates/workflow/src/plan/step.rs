//! The steps of a plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::argument::{Argument, Text};
use super::chat::Chatting;
use super::crew::Crewed;
use super::events::Eventful;
use crate::deep::with_own_stack;
use crate::expression::Expression;
use crate::pattern::{Attempts, Fan, Orders, Rounds};

/// A workflow as a run is pinned to it. The agents and tools that it names are those of its
/// [`Definition`](adjutant_agent::Definition).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form: [`Plan::VERSION`] for what is made now.
    pub version: u16,
    /// The JSON schema that the input must fit, where it is data and no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
    /// What the workflow gives; what its last step made where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Argument>,
    /// Agents that the workflow brings along for small work, such as choosing a path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<Helper>,
    /// Whom else agents of the workflow may ask here, each with what that one is for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub co_workers: BTreeMap<String, BTreeMap<String, String>>,
}

impl Plan {
    /// The version of the form that is written now.
    pub const VERSION: u16 = 1;

    /// Reads a plan out of the definition of a workflow. Fails, saying why, where this program does not understand it.
    pub fn read(pinned: &Value) -> Result<Self, String> {
        let version = pinned.get("version").and_then(Value::as_u64);
        match version {
            Some(version) if version <= u64::from(Self::VERSION) => {
                with_own_stack(|| Self::deserialize(pinned)).map_err(|error| error.to_string())
            }
            Some(version) => {
                Err(format!("it has version {version}, and this program reads up to {}", Self::VERSION))
            }
            None => Err("it has no version".to_owned()),
        }
    }
}

/// An agent that a workflow brings along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Helper {
    /// What the workflow calls it.
    pub name: String,
    /// What it is made of.
    pub from: HelperFrom,
    /// What it is told, after what it is told as that agent.
    pub instructions: String,
    /// The JSON schema of its answer; free text where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The tools that it may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The other agents of the workflow that it may ask, each with what it is for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asks: BTreeMap<String, String>,
}

impl Helper {
    /// A helper that answers in the form of a schema, and does nothing.
    pub(crate) fn answering(name: String, from: HelperFrom, instructions: String, output: Value) -> Self {
        Self { name, from, instructions, output: Some(output), tools: Vec::new(), asks: BTreeMap::new() }
    }
}

/// What a helper is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HelperFrom {
    /// A model by its role or id, with no tools.
    Model(String),
    /// Another agent, with all that it has.
    Agent(String),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What later steps call what it made, and what it is called in the journal.
    pub id: String,
    /// What is done.
    pub kind: Kind,
    /// When it is done; always where nothing is said. A step that is left out makes `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// How often it is tried.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: Attempts,
    /// How long what it makes is kept, for the same values in this and other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Caching>,
    /// What its result must pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What it makes where it fails; it fails where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_else: Option<Box<Argument>>,
}

/// How long what a step makes is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caching {
    /// How long, in milliseconds.
    pub longest_ms: u64,
    /// What it is found by; all values that the step can name where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Argument>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Asks an agent or another workflow.
    Agent {
        /// Its name.
        agent: String,
        /// What it is to do.
        task: Argument,
        /// Values for the variables of its prompt.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        variables: BTreeMap<String, Argument>,
    },
    /// Calls a tool.
    Tool {
        /// Its name.
        tool: String,
        /// The arguments.
        arguments: BTreeMap<String, Argument>,
    },
    /// Asks a person.
    Person {
        /// What they are asked.
        question: Text,
        /// The JSON schema of what they answer: a flat object.
        answer: Value,
    },
    /// Makes a value of others.
    Value(Argument),
    /// Waits, in milliseconds.
    Sleep(u64),
    /// Does steps one after the other.
    Sequence(Vec<Step>),
    /// Does steps at the same time.
    Parallel(Branches),
    /// Does the same for each item of a list.
    Map(Mapped),
    /// Goes one of several ways.
    Route(Box<Routing>),
    /// Makes, judges, and makes again.
    Refine(Box<Refining>),
    /// Has a planner break a goal into tasks, and workers do them.
    Orchestrate(Box<Orchestrating>),
    /// Has nodes work that share a state.
    Graph(Box<Graphed>),
    /// Has the members of a crew do tasks.
    Crew(Box<Crewed>),
    /// Has several speak in one conversation.
    Chat(Box<Chatting>),
    /// Has steps wait for events, and give rise to others.
    Events(Box<Eventful>),
}

/// Branches that work at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branches {
    /// The branches, in their order. What they make is a table with their names.
    pub branches: Vec<(String, Vec<Step>)>,
    /// How they work beside one another.
    pub fan: Fan,
    /// Whether they vote: what they make is what most of them made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vote: bool,
}

/// The same for each item of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapped {
    /// The list.
    pub over: Argument,
    /// What the steps call the item.
    pub item: String,
    /// What is done with each.
    pub steps: Vec<Step>,
    /// How they work beside one another.
    pub fan: Fan,
    /// Whether they vote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vote: bool,
}

/// A choice between paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routing {
    /// What it goes by, where an agent chooses: what it is shown. Otherwise the first path whose condition holds is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<String>,
    /// The role of the model by whose vectors the path is chosen that has the example which the subject is most like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<String>,
    /// What is classified.
    pub subject: Argument,
    /// The paths.
    pub paths: Vec<Path>,
    /// How sure the classifier must be, from 0 to 1.
    pub confidence: f64,
    /// What is done where no path is chosen, or not surely enough.
    pub otherwise: Otherwise,
}

/// One way to go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// Its name.
    pub name: String,
    /// What belongs there, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Texts that belong there, where vectors decide; its description where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// When it is gone, where conditions decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// What is done where no path is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The step fails.
    Fail,
    /// A person chooses.
    Ask,
    /// Other steps.
    Steps(Vec<Step>),
}

/// A draft that is made better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refining {
    /// What makes a draft. It sees `draft` and `review`, the latest ones; both are `null` at first.
    pub draft: Vec<Step>,
    /// What judges it. It sees `draft`.
    pub review: Vec<Step>,
    /// Whether the draft is good enough; it sees `review`.
    pub accept: Expression,
    /// How good it is; it sees `review`. Where nothing is said, a later draft is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Expression>,
    /// When it ends.
    pub rounds: Rounds,
}

/// A goal, and who reaches it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orchestrating {
    /// What is to be reached.
    pub goal: Argument,
    /// The agent of the workflow that plans.
    pub planner: String,
    /// The agents that do the tasks.
    pub workers: Vec<String>,
    /// How the work goes on.
    pub orders: Orders,
    /// The agent that makes the answer of all results. Where there is none, it makes a table of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<String>,
}

/// Nodes that share a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graphed {
    /// The fields of the state.
    pub fields: BTreeMap<String, Field>,
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
    /// What leads from one to another.
    pub edges: Vec<Edge>,
    /// The node that works first.
    pub begin: String,
    /// After how many super-steps it fails.
    pub super_steps: u32,
    /// How many nodes work at a time.
    pub at_a_time: usize,
    /// What it makes of its state in the end; a table of all fields where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Argument>,
}

/// A field of the state of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// How what is written goes into it.
    pub merge: Merging,
    /// What it is at the beginning.
    pub start: Argument,
    /// The JSON schema of what it may hold; of its members, where it is appended to.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub kind: Option<Value>,
}

/// How what is written goes into a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merging {
    /// It takes the place of what was there.
    Replace,
    /// It comes behind that.
    Append,
    /// It is added to that.
    Add,
    /// What this comes to; it sees `old` and `new`.
    Custom(Expression),
}

/// A node of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What it does. It sees the fields of the state.
    pub step: Step,
    /// What it writes, by the names of fields; it sees `result` as well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub writes: BTreeMap<String, Argument>,
    /// Whether it waits for all nodes that have an edge to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_all: bool,
    /// The node that works next where this one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<String>,
}

/// What leads from a node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// The node that must have worked.
    pub from: String,
    /// The one that works next; [`END`](crate::graph::END) is none.
    pub to: String,
    /// When it leads on; always where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// The list for each of whose members it leads on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Argument>,
}

/// What the result of a step must pass before the next one sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// A JSON schema that it must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// A condition that must hold; it sees `result` beside all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// A tool that must let it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Function>,
    /// A judge who must let it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judge>,
    /// What happens to one that does not pass: `None` fails the step, which tries it again where it has attempts left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Shut>,
}

/// A tool that says whether a result passes, and what it is called with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub tool: String,
    /// The arguments; they see `result`.
    pub arguments: BTreeMap<String, Argument>,
}

/// Who judges the result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judge {
    /// The agent of the workflow that is asked.
    pub agent: String,
    /// What it judges by, in words.
    pub rubric: String,
}

/// What happens where a gate is shut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// The workflow ends early, with this.
    End(Argument),
    /// Other steps take the place of the result.
    Steps(Vec<Step>),
}
