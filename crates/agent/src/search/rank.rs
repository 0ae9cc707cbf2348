//! [`Rank`]: the work of one search, outside the run.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::time::format_duration;
use adjutant_core::tool::ToolSpec;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::Piece;
use adjutant_durable::{Amount, Attempt, Done, Finished, Work};
use adjutant_model::embed::{Embedder, Purpose};
use adjutant_model::{Call, token};
use adjutant_tool::search::{self, Index, Vectors, fuse};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::patience::{after, unless};

/// How long the model that makes vectors may take; after that words alone must do.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many of each order are joined.
const DEEP: usize = 50;

/// What a search looks through.
pub(super) struct Catalogue {
    pub(super) tools: Vec<ToolSpec>,
    pub(super) embedder: Option<Arc<dyn Embedder>>,
    index: OnceLock<Index>,
    /// Those of all tools, once they are made.
    vectors: OnceLock<Vectors>,
}

/// What a search has found, as its step records it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ranked {
    /// The names, the best first.
    pub(super) tools: Vec<String>,
    /// Why it was by words alone, where a model was to help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) without_vectors: Option<String>,
}

/// One search.
pub(super) struct Rank {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) query: String,
    pub(super) results: usize,
    /// Whether the model that makes vectors is asked, where there is one.
    pub(super) by_meaning: bool,
}

impl Catalogue {
    pub(super) fn new(tools: Vec<ToolSpec>, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { tools, embedder, index: OnceLock::new(), vectors: OnceLock::new() }
    }

    /// By words.
    fn lexical(&self, query: &str, most: usize) -> Vec<usize> {
        let index = self.index.get_or_init(|| Index::new(&self.tools));
        index.search(query, most).into_iter().map(|found| found.tool).collect()
    }

    fn names(&self, order: &[usize], most: usize) -> Vec<String> {
        order
            .iter()
            .take(most)
            .filter_map(|tool| self.tools.get(*tool))
            .map(|tool| tool.name.clone())
            .collect()
    }

    /// By meaning, and what that took.
    async fn near(&self, embedder: &dyn Embedder, query: &str, call: Call) -> Result<(Vec<usize>, Usage)> {
        let mut usage = Usage::default();
        if self.vectors.get().is_none() {
            let texts = self.tools.iter().map(search::text).collect();
            let known = embedder.embed(texts, Purpose::Document, call.clone()).await?;
            usage += known.usage.unwrap_or_default();
            let vectors = known.vectors.into_iter().map(|vector| Some(vector.into())).collect();
            self.vectors.get_or_init(|| Vectors::new(vectors));
        }
        let asked = embedder.embed(vec![query.to_owned()], Purpose::Query, call).await?;
        usage += asked.usage.unwrap_or_default();
        let query = asked.vectors.into_iter().next().unwrap_or_default();
        Ok((self.vectors.get().map(|vectors| vectors.nearest(&query, DEEP)).unwrap_or_default(), usage))
    }
}

impl Rank {
    /// The model that is asked; none where words alone do.
    fn embedder(&self) -> Option<Arc<dyn Embedder>> {
        self.catalogue.embedder.clone().filter(|_| self.by_meaning)
    }

    /// The most that it may take; none where it asks no model.
    pub(super) fn most(&self) -> Option<Amount> {
        let embedder = self.embedder()?;
        let texts = self.catalogue.tools.iter().map(|tool| token::estimate_text(&search::text(tool)));
        let input = texts.fold(token::estimate_text(&self.query), u64::saturating_add);
        Some(amount(embedder.as_ref(), &Usage { input, ..Usage::default() }))
    }
}

fn amount(embedder: &dyn Embedder, usage: &Usage) -> Amount {
    let nanos = embedder.profile().prices.map_or(0, |prices| prices.cost(usage).nanos());
    Amount { tokens: usage.total(), nanos }
}

impl Work for Rank {
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let (catalogue, query, results) = (Arc::clone(&self.catalogue), self.query.clone(), self.results);
        let embedder = self.embedder();
        async move {
            let by_words = catalogue.lexical(&query, DEEP.max(results));
            let mut spent = Amount::default();
            let ranked = match &embedder {
                None => Ranked { tools: catalogue.names(&by_words, results), without_vectors: None },
                Some(embedder) => {
                    let call = Call { cancel: attempt.cancel.clone(), ..Call::default() };
                    let late = async {
                        after(PATIENCE).await;
                        let within = format_duration(PATIENCE);
                        Err(Error::new(Code::ModelTimeout, format!("it gave no vectors within {within}")))
                    };
                    match unless(late, catalogue.near(embedder.as_ref(), &query, call)).await {
                        Ok((near, usage)) => {
                            spent = amount(embedder.as_ref(), &usage);
                            let order = fuse(&[by_words, near], results);
                            Ranked { tools: catalogue.names(&order, results), without_vectors: None }
                        }
                        Err(error) if error.code() == Code::RunCancelled => {
                            return Finished { done: Done::Err(error), spent: None };
                        }
                        Err(error) => {
                            let why = format!("`{}` made no vectors: {error}", embedder.id());
                            attempt
                                .sink
                                .push(Piece::Progress(format!("{why}; tools are found by words alone")));
                            Ranked {
                                tools: catalogue.names(&by_words, results),
                                without_vectors: Some(error.to_string()),
                            }
                        }
                    }
                }
            };
            let done = match Json::of(&ranked) {
                Ok(json) => Done::Ok(json),
                Err(error) => Done::Err(error),
            };
            Finished { done, spent: Some(spent) }
        }
        .boxed()
    }
}
