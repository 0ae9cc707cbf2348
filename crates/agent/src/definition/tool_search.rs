//! How an agent with many tools is shown them.

use serde::{Deserialize, Serialize};

use super::document::{Content, Table};
use super::source::Named;

/// How an agent with many tools is shown them: some always, the others once it has found them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSearch {
    /// The names of the tools that are always shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub always: Vec<String>,
    /// How many tools one search finds.
    pub results: u32,
    /// The id of the model that makes vectors for it; by words alone where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
}

/// What an author, or what stands around an agent, says of it. What is left out comes from further out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolSearchSettings {
    /// With more tools than this the agent searches; all are shown up to here.
    pub above: Option<u32>,
    /// How many tools one search finds.
    pub results: Option<u32>,
    /// The tools that are always shown: names under `[tools]`, or of single tools.
    pub always: Vec<Named>,
}

impl ToolSearchSettings {
    /// With more tools than this an agent searches, where nobody says otherwise.
    pub const DEFAULT_ABOVE: u32 = 20;
    /// How many tools one search finds, where nobody says otherwise.
    pub const DEFAULT_RESULTS: u32 = 5;

    /// Reads the table `tool_search`. Which tools are always shown is for an agent to say.
    pub fn read(table: Table<'_>, is_agent: bool) -> Self {
        let above = table.value("above").and_then(|node| match node.content {
            Content::Text(_) => table.choice("above", &[("never", u32::MAX)]),
            _ => table.integer("above", 0..=1_000_000),
        });
        let results = table.integer("results", 1..=50);
        let always = if is_agent && table.has("always") { table.texts("always") } else { None };
        let named = |(name, place): (&str, _)| Named { name: name.to_owned(), place: Some(place) };
        let always = always.unwrap_or_default().into_iter().map(named).collect();
        table.finish();
        Self { above, results, always }
    }

    /// What holds of an agent with so many tools; none where all of them are shown.
    pub(super) fn resolve(&self, around: &Self, tools: usize, always: Vec<String>) -> Option<ToolSearch> {
        let above = self.above.or(around.above).unwrap_or(Self::DEFAULT_ABOVE);
        let results = self.results.or(around.results).unwrap_or(Self::DEFAULT_RESULTS);
        (tools > above as usize).then_some(ToolSearch { always, results, embedder: None })
    }
}
