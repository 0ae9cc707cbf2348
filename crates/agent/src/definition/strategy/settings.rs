//! [`Strategy`]: how an agent goes about a task, where that is more than the plain loop.

use adjutant_core::limit::Limits;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::helper::helper;
use super::tree::{Over, Tree};
use crate::definition::delegate::{Delegate, Sees};
use crate::definition::document::{Content, Table};
use crate::definition::pinned::Definition;

/// How an agent goes about a task, where that is more than the plain loop of a model and its tools. Each way asks the agent itself,
/// in runs of their own, and sees what comes of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// It answers several times, and gives what most of the answers say.
    Vote {
        /// How many answers.
        of: u32,
    },
    /// It answers, says itself what could be better, and answers again.
    Refine {
        /// How many answers at most.
        rounds: u32,
    },
    /// It tries, is told whether that succeeded, and tries again with what it has learned.
    Reflexion {
        /// How many tries at most.
        attempts: u32,
    },
    /// It makes a list of what is to be done, does one after the other, and revises the list after each.
    Plan {
        /// How many items may be done at most.
        steps: u32,
    },
    /// It follows several lines of work at a time, looks how far each has come, and goes on with the best.
    Tree(Tree),
}

impl Strategy {
    /// The key of its settings in [`Definition::workflow`].
    pub const KEY: &str = "strategy";

    /// The words for them, with what holds where nothing else is said. That for the plain loop stands for calls as text.
    const WORDS: [(&str, Option<Self>); 6] = [
        ("vote", Some(Self::Vote { of: 5 })),
        ("refine", Some(Self::Refine { rounds: 3 })),
        ("reflexion", Some(Self::Reflexion { attempts: 3 })),
        ("plan", Some(Self::Plan { steps: 10 })),
        ("tree", Some(Self::Tree(Tree::USUAL))),
        ("react", None),
    ];

    /// The helper that says what is wrong with an answer, as the agent's own second thoughts.
    pub const CRITIC: &str = "critic";
    /// The helper that makes the list of what is to be done.
    pub const PLANNER: &str = "planner";
    /// The helper that says in which ways a line of work could go on.
    pub const PROPOSER: &str = "proposer";
    /// The helper that says how far a line of work has come.
    pub const SCORER: &str = "scorer";

    /// Reads what stands beside the name; what is not said is as here.
    fn read(self, table: &Table<'_>) -> Self {
        match self {
            Self::Vote { of } => Self::Vote { of: table.integer("of", 2..=100).unwrap_or(of) },
            Self::Refine { rounds } => {
                Self::Refine { rounds: table.integer("rounds", 1..=100).unwrap_or(rounds) }
            }
            Self::Reflexion { attempts } => {
                Self::Reflexion { attempts: table.integer("attempts", 1..=100).unwrap_or(attempts) }
            }
            Self::Plan { steps } => Self::Plan { steps: table.integer("steps", 1..=1_000).unwrap_or(steps) },
            Self::Tree(usual) => Self::Tree(usual.read(table)),
        }
    }

    /// The word for it in files and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vote { .. } => "vote",
            Self::Refine { .. } => "refine",
            Self::Reflexion { .. } => "reflexion",
            Self::Plan { .. } => "plan",
            Self::Tree(_) => "tree",
        }
    }

    /// The names of the helpers that it needs beside the agent itself.
    fn helpers(self) -> &'static [&'static str] {
        match self {
            Self::Vote { .. } => &[],
            Self::Refine { .. } | Self::Reflexion { .. } => &[Self::CRITIC],
            Self::Plan { .. } => &[Self::PLANNER],
            Self::Tree(_) => &[Self::PROPOSER, Self::SCORER],
        }
    }

    /// The definition of an agent that goes about its tasks so: a workflow that asks the agent as it is.
    ///
    /// Fails with [`Code::ProjectInvalid`] where a helper cannot be made.
    pub(in crate::definition) fn around(self, agent: Definition) -> Result<Definition> {
        let settings = serde_json::to_value(self).map_err(|error| {
            Error::new(Code::Internal, "the strategy cannot be written as JSON").caused_by(&error)
        })?;
        let mut itself = agent.clone();
        if self.branches_over_actions() {
            itself.limits.steps = itself.limits.steps.min(Tree::STEPS_OF_A_TRY);
        }
        let mut agents = vec![Delegate { sees: Sees::Conversation, definition: itself }];
        agents.extend(
            self.helpers()
                .iter()
                .map(|name| Delegate { sees: Sees::Conversation, definition: helper(&agent, name) }),
        );
        Ok(Definition {
            tools: agents.iter().map(Delegate::spec).collect(),
            agents,
            workflow: Some(json!({ Self::KEY: settings })),
            skills: Vec::new(),
            tool_search: None,
            approve: Vec::new(),
            code: None,
            extraction: None,
            narrow: None,
            // How often it asks itself says the strategy.
            limits: Limits { steps: u32::MAX, ..agent.limits },
            ..agent
        })
    }

    /// Whether it tries several ways at once with the tools of the agent, of which all but one are given up.
    pub(in crate::definition) fn branches_over_actions(self) -> bool {
        matches!(self, Self::Tree(Tree { over: Over::Actions, .. }))
    }

    /// The strategy of a definition that has one.
    pub fn of(definition: &Definition) -> Option<Self> {
        let settings = definition.workflow.as_ref()?.get(Self::KEY)?;
        Self::deserialize(settings).ok()
    }
}

/// Reads `strategy`, a word or a table: how it goes about a task, and whether its model writes its calls as text.
pub(in crate::definition) fn read(table: &Table<'_>) -> (Option<Strategy>, bool) {
    let Some(node) = table.value("strategy") else { return (None, false) };
    match &node.content {
        Content::Text(_) => match table.choice("strategy", &Strategy::WORDS) {
            Some(strategy) => (strategy, strategy.is_none()),
            None => (None, false),
        },
        Content::Table(_) => {
            let Some(inner) = table.table("strategy") else { return (None, false) };
            inner.require("name", "name it: `name: vote`");
            let Some(named) = inner.choice("name", &Strategy::WORDS) else { return (None, false) };
            let strategy = named.map(|usual| usual.read(&inner));
            let react = strategy.is_none() || inner.flag("react").unwrap_or_default();
            inner.finish();
            (strategy, react)
        }
        _ => {
            let help = "write `strategy: plan`, or `{ name: plan, steps: 20 }`";
            table.wrong("strategy", node, "a strategy", help);
            (None, false)
        }
    }
}
