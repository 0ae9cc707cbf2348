//! [`Session`]: one conversation with an agent.

use adjutant_agent::Reply;
use adjutant_core::Result;
use adjutant_core::id::SessionId;
use adjutant_core::message::{Message, Role};
use adjutant_durable::RunInfo;

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
