//! The sets of queries in `evals/tool-search`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use adjutant_tool::{Effect, ToolSpec};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Tools, and what people ask for.
pub(crate) struct Set {
    pub(crate) tools: Vec<ToolSpec>,
    /// Each with the place of the tool that is right.
    pub(crate) queries: Vec<(String, usize)>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    description: String,
    #[serde(default)]
    parameters: Value,
}

#[derive(Deserialize)]
struct Query {
    query: String,
    tool: String,
}

impl Set {
    /// Reads one half of a set: `tuning` or `held-out`.
    pub(crate) fn read(name: &str, half: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../evals/tool-search").join(name);
        let tools: Vec<Tool> = lines(&folder.join("tools.jsonl"));
        let places: HashMap<_, _> =
            tools.iter().enumerate().map(|(place, tool)| (tool.name.clone(), place)).collect();
        let queries: Vec<Query> = lines(&folder.join(format!("{half}.jsonl")));
        let queries = queries.into_iter().map(|query| (query.query, places[&query.tool])).collect();
        let tools = tools.into_iter().map(|tool| ToolSpec {
            name: tool.name,
            description: tool.description,
            parameters: tool.parameters,
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        });
        Self { tools: tools.collect(), queries }
    }

    /// For how many of the queries, in percent, the right tool is among the first five that `search` finds.
    pub(crate) fn among_five(&self, search: impl Fn(&str) -> Vec<usize>) -> f64 {
        let right = self
            .queries
            .iter()
            .filter(|(query, tool)| search(query).iter().take(5).any(|found| found == tool));
        100.0 * right.count() as f64 / self.queries.len() as f64
    }
}

fn lines<T: DeserializeOwned>(path: &PathBuf) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}
