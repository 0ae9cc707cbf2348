//! [`SearchTools`]: the tool that finds the others.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::tool::{LOAD_SKILL, SEARCH_TOOLS, ToolSpec};
use adjutant_core::{Code, Result};
use adjutant_durable::{Ctx, Effects};
use adjutant_model::embed::Embedder;
use adjutant_tool::Output;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::rank::{Catalogue, Rank, Ranked};
use crate::definition::{Code as Programs, Definition, Extraction};
use crate::returned::Returned;
use crate::routine::{Routine, Scene};

/// The name of the step in which the tools are ranked.
const RANK: &str = "rank";
/// How long a search may take: the model that makes vectors is given up before.
const LONGEST: Duration = Duration::from_secs(60);
/// How much of a description is told, in characters: the whole one comes with the tool.
const TOLD: usize = 200;

/// The tool that finds the others.
pub(crate) struct SearchTools {
    spec: ToolSpec,
    results: usize,
    catalogue: Arc<Catalogue>,
}

impl SearchTools {
    /// The tool of an agent that searches; none where all of its tools are shown. `embedder` finds the model by its id.
    pub(crate) fn of(
        definition: &Definition,
        embedder: impl FnOnce(&str) -> Option<Arc<dyn Embedder>>,
    ) -> Option<Self> {
        let search = definition.tool_search.as_ref()?;
        let spec = definition.tool(SEARCH_TOOLS)?.clone();
        // What the runtime brings is always shown.
        let own = [SEARCH_TOOLS, LOAD_SKILL, Programs::TOOL, Programs::PROPOSE, Extraction::TOOL];
        let others =
            definition.offered().filter(|tool| !own.contains(&tool.name.as_str())).cloned().collect();
        let embedder = search.embedder.as_deref().and_then(embedder);
        let results = search.results as usize;
        Some(Self { spec, results, catalogue: Arc::new(Catalogue::new(others, embedder)) })
    }

    /// Ranks the tools in a step of its own: by meaning too, where that is wanted and there is a model for it.
    async fn rank(&self, ctx: &Ctx, query: &str, by_meaning: bool) -> Result<Json> {
        let (catalogue, query) = (Arc::clone(&self.catalogue), query.to_owned());
        let rank = Rank { catalogue, query, results: self.results, by_meaning };
        let effects = Effects::pure().timeout(LONGEST);
        let effects = match rank.most() {
            Some(most) => effects.reserve(most),
            None => effects,
        };
        ctx.effect(RANK, effects, Json::of(&rank.query)?, rank).await
    }

    fn tell(&self, ranked: &Ranked, label: Label) -> Output {
        let mut text = match ranked.tools.len() {
            0 => "No tool of yours says anything of that. Search again in other words, those of what is to be done.".to_owned(),
            1 => "This tool fits best, and can be called now:".to_owned(),
            count => format!("These {count} tools fit best, the best first, and can be called now:"),
        };
        for name in &ranked.tools {
            let spec = self.catalogue.tools.iter().find(|tool| tool.name == *name);
            let about = spec.map(|spec| told(&spec.description)).unwrap_or_default();
            // Writing to a text cannot fail.
            let _ = write!(text, "\n- {name}: {about}");
        }
        // It says what the definition holds, which the model chose by its own words.
        let found = Output { data: Some(json!({ "tools": ranked.tools })), ..Output::text(text) };
        found.labelled(label)
    }
}

/// The beginning of a description, on one line.
fn told(description: &str) -> String {
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

impl Routine for SearchTools {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, scene: Scene<'a>) -> BoxFuture<'a, Result<Returned>> {
        async move {
            let query = scene.called().arguments.get("query").and_then(Value::as_str).unwrap_or_default();
            let recorded = match self.rank(scene.ctx(), query, true).await {
                // Words cost nothing.
                Err(error) if error.code() == Code::RunBudget => self.rank(scene.ctx(), query, false).await?,
                ranked => ranked?,
            };
            let label = scene.label();
            Ok(Returned::Output(self.tell(&recorded.to().unwrap_or_default(), label)))
        }
        .boxed()
    }
}
