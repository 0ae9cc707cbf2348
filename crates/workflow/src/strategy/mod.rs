//! Strategies: how an agent goes about a task, each in a file of its own. They ask the agent itself, which works in runs of its own.

mod plan;
mod refine;
mod reflexion;
mod tree;
mod vote;

use adjutant_agent::definition::Strategy;
use adjutant_agent::workflow::{Item, Stage, Workflow};
use adjutant_core::Result;
use adjutant_core::event::EventKind;
use adjutant_core::json::Json;
use futures::FutureExt;
use futures::future::BoxFuture;

/// A strategy as the code of a run.
pub(crate) struct Strategic(pub(crate) Strategy);

impl Workflow for Strategic {
    fn run(&self, stage: Stage, task: Item, _: Option<Json>) -> BoxFuture<'_, Result<Item>> {
        let strategy = self.0;
        async move {
            tell(&stage, strategy)?;
            let agent = Itself(stage);
            match strategy {
                Strategy::Vote { of } => vote::vote(&agent, &task, of).await,
                Strategy::Refine { rounds } => refine::refine(&agent, &task, rounds).await,
                Strategy::Reflexion { attempts } => reflexion::reflexion(&agent, &task, attempts).await,
                Strategy::Plan { steps } => plan::plan(&agent, &task, steps).await,
                Strategy::Tree(settings) => tree::tree(&agent, &task, settings).await,
            }
        }
        .boxed()
    }
}

/// Says how the agent goes about its task, and how often it asks models for that at most, before it does.
fn tell(stage: &Stage, strategy: Strategy) -> Result<()> {
    let most_model_calls = stage.definition().most_model_calls().unwrap_or(u64::MAX);
    stage.emit(&EventKind::Strategy { name: strategy.as_str().to_owned(), most_model_calls })
}

/// The agent whose strategy it is.
struct Itself(Stage);

impl Itself {
    /// Has it work on a task that knows what these items say, and nothing else of what was done.
    async fn does(&self, stage: &Stage, task: String, made_of: &[&Item]) -> Result<Item> {
        let name = self.0.definition().name.clone();
        self.asks(stage, &name, task, made_of).await
    }

    /// Asks it in another capacity.
    async fn as_helper(&self, stage: &Stage, helper: &str, task: String, made_of: &[&Item]) -> Result<Item> {
        let name = format!("{}-{helper}", self.0.definition().name);
        self.asks(stage, &name, task, made_of).await
    }

    async fn asks(&self, stage: &Stage, name: &str, task: String, made_of: &[&Item]) -> Result<Item> {
        let task = Item::made_of(task, made_of.iter().copied());
        stage.apart("ask", [&task]).ask_with(name, &task, self.0.variables().clone()).await
    }
}
