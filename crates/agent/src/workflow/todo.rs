//! What is done of a task and what is not, as a step that people see.

use adjutant_core::Result;
use adjutant_core::event::EventKind;
use adjutant_core::json::Json;
use adjutant_durable::{Effects, Operation, work};
use serde::{Deserialize, Serialize};

use super::Stage;

/// The name of the step.
const LIST: &str = "todo";

#[derive(Serialize, Deserialize)]
struct Todo {
    done: Vec<String>,
    open: Vec<String>,
}

impl Stage {
    /// Records what is done of a task and what is not, for those who watch, and gives what is not as it is recorded: a fork may
    /// edit that.
    pub async fn todo(&self, done: Vec<String>, open: Vec<String>) -> Result<Vec<String>> {
        let (input, recorded) = (Json::of(&Todo { done, open: open.clone() })?, Json::of(&open)?);
        let recorded = work(move |_| std::future::ready(Ok(recorded.clone())));
        self.ctx().effect(LIST, Effects::pure(), input, recorded).await?.to()
    }
}

/// What an operation shows that is such a step.
pub(crate) fn event(operation: &Operation) -> Option<EventKind> {
    let Todo { done, open } = (operation.name == LIST).then(|| operation.input.to().ok())??;
    Some(EventKind::Todo { done, open })
}
