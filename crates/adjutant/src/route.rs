//! [`Routed`]: which agent answers where nobody names one.

use adjutant_agent::definition::steps;
use adjutant_agent::{Agent, Models, Reply, Subtask};
use adjutant_core::id::RunId;
use adjutant_core::{Code, Error, Result};
use serde::Deserialize;
use serde_json::json;

use crate::adjutant::Adjutant;
use crate::task::Task;

/// What the runs are called in which an agent is chosen.
const ROUTER: &str = "router";

/// What the model is told that chooses.
const INSTRUCTIONS: &str = "\
You are the reception of a team of agents. Choose the one who is to answer what the user asks, by what each is for. Do not \
answer yourself, whatever the user asks for. If none fits well, choose the one that fits best. Say in one short sentence \
why.

The agents:
{% for agent in agents %}
- {{ agent.name }}: {{ agent.description }}
{% endfor %}";

const NAME_ONE: &str = "name one: `--agent NAME`, or `agent` of `[project]` in adjutant.toml";

/// Which agent answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The agent's name.
    pub agent: String,
    /// Why a model chose it; none where it is the one that the project means, or that the conversation is with.
    pub reason: Option<String>,
    /// The run in which the model chose.
    pub run: Option<RunId>,
}

#[derive(Deserialize)]
struct Choice {
    agent: String,
    reason: String,
}

impl Routed {
    fn without_a_model(agent: impl Into<String>) -> Self {
        Self { agent: agent.into(), reason: None, run: None }
    }
}

impl Adjutant {
    /// The agent for a task for which nobody names one: the one that the project means (see [`choose`](Self::choose)), then,
    /// where the project says `route = true`, the one that the task's conversation is with, and for a new conversation the
    /// one that a model chooses by what each is for. That is a run of its own, so it is recorded with its reason, and may spend as much as the
    /// task may.
    ///
    /// Fails like [`choose`](Self::choose) where nobody chooses, and with what the run of the choice fails with.
    pub async fn route(&self, task: &Task) -> Result<Routed> {
        let unchosen = match self.choose(None) {
            Ok(agent) => return Ok(Routed::without_a_model(agent)),
            Err(error) => error,
        };
        if !self.routes() {
            return Err(unchosen);
        }
        match self.partner(task).await? {
            Some(agent) => Ok(Routed::without_a_model(agent)),
            None => self.choose_by_model(task).await,
        }
    }

    /// Whether a model chooses among agents where nobody and nothing else does.
    pub fn routes(&self) -> bool {
        self.project().settings().reception.routes && self.project().agents().nth(1).is_some()
    }

    /// The agent that the task's conversation was with last, if it is still there.
    async fn partner(&self, task: &Task) -> Result<Option<String>> {
        let Some(session) = &task.session else { return Ok(None) };
        let turns = self.engine().turns(session).await?;
        let last = turns.into_iter().next_back().map(|info| info.name);
        Ok(last.filter(|name| self.project().definition(name).is_ok()))
    }

    async fn choose_by_model(&self, task: &Task) -> Result<Routed> {
        let router = self.router()?;
        let asked = Task {
            variables: serde_json::Map::new(),
            session: None,
            model: None,
            id: task.id.as_ref().map(|id| format!("route:{id}")),
            titled: false,
            ..task.clone()
        };
        let run = self.start(&router, asked).await?;
        let choice = run.reply().await.and_then(|reply| choice(&reply));
        let Choice { agent, reason } = choice.map_err(|error| {
            Error::new(error.code(), "no agent could be chosen for this")
                .caused_by(&error)
                .with_help(NAME_ONE)
        })?;
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Routed { agent, reason: Some(reason), run: Some(run.id().clone()) })
    }

    fn router(&self) -> Result<Agent> {
        let models = self.models();
        let model = Subtask::Route.model(&models, || models.model("main"))?;
        let model = model.map_or_else(|| "main".to_owned(), |model| model.id().to_owned());
        let project = self.project();
        let agents: Vec<_> = project.agents().collect();
        let names: Vec<_> = agents.iter().map(|agent| agent.name.as_str()).collect();
        let list = agents.iter().map(|agent| json!({"name": agent.name, "description": agent.description}));
        Ok(Agent::new(ROUTER)
            .description("Chooses the agent for what somebody asks.")
            .model(model)
            .instructions(INSTRUCTIONS)
            .variable("agents", list.collect::<Vec<_>>())
            .output_schema(json!({
                "type": "object",
                "properties": {
                    "agent": {"type": "string", "enum": names, "description": "The name of the agent who is to answer."},
                    "reason": {"type": "string", "description": "Why, in one short sentence."},
                },
                "required": ["agent", "reason"],
                "additionalProperties": false,
            }))
            .limit(steps(3)))
    }
}

fn choice(reply: &Reply) -> Result<Choice> {
    let read = reply.data.clone().and_then(|data| serde_json::from_value(data).ok());
    read.ok_or_else(|| Error::new(Code::ModelAnswerInvalid, reply.stop.describe()))
}
