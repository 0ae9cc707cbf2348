//! [`Session`]: one conversation with an agent.

use adjutant_agent::{Reply, title};
use adjutant_core::Result;
use adjutant_core::id::SessionId;
use adjutant_core::message::{Message, Role};
use adjutant_core::time::Timestamp;
use adjutant_durable::{Conversation, RunInfo};
use serde::Serialize;

use crate::adjutant::Adjutant;
use crate::run::Run;
use crate::runnable::Runnable;
use crate::task::Task;
use crate::transcript;

/// One conversation with an agent. Its turns are runs, one after the other, and each sees those before it.
///
/// It lives in the store, not in this value: the same id in another process is the same conversation.
#[derive(Clone)]
pub struct Session {
    adjutant: Adjutant,
    id: SessionId,
}

/// A conversation at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// Its title; none where it begins without words.
    pub title: Option<String>,
    /// The agent of its latest turn.
    pub agent: String,
    /// How many turns it has.
    pub turns: u64,
    /// When it was last written to.
    pub updated: Timestamp,
}

impl SessionInfo {
    pub(crate) fn of(found: Conversation) -> Self {
        let Conversation { first, latest, turns, updated } = found;
        Self {
            id: latest.session.clone().unwrap_or_else(|| SessionId::from("")),
            title: title::of_run(&first),
            agent: latest.name,
            turns,
            updated,
        }
    }
}

impl Session {
    pub(crate) fn new(adjutant: Adjutant, id: SessionId) -> Self {
        Self { adjutant, id }
    }

    /// Its id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Says something, and waits for the answer (see [`Adjutant::run`]).
    pub async fn say(&self, agent: &(impl Runnable + ?Sized), task: impl Into<Task>) -> Result<Reply> {
        self.start(agent, task).await?.reply().await
    }

    /// Says something: the turn is recorded, and begins when somebody drives it.
    pub async fn start(&self, agent: &(impl Runnable + ?Sized), task: impl Into<Task>) -> Result<Run> {
        self.adjutant.start(agent, task.into().session(self.id.clone())).await
    }

    /// Its turns, oldest first.
    pub async fn turns(&self) -> Result<Vec<RunInfo>> {
        self.adjutant.engine().turns(&self.id).await
    }

    /// Its title: what a model called it, otherwise the beginning of its first turn. None where it has not begun, or begins
    /// without words.
    pub async fn title(&self) -> Result<Option<String>> {
        Ok(self.turns().await?.first().and_then(title::of_run))
    }

    /// All that was said up to now, without the agents' instructions.
    pub async fn history(&self) -> Result<Vec<Message>> {
        let earlier = transcript::before(self.adjutant.engine().as_ref(), &self.id, None).await?;
        let messages = earlier.iter().flat_map(|earlier| earlier.transcript.messages());
        Ok(messages
            .filter(|message| message.role != Role::System)
            .map(|message| (**message).clone())
            .collect())
    }
}
