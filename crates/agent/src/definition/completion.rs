//! [`Completion`]: whether an answer is held against what was done before it counts.

use serde::{Deserialize, Serialize};

use super::document::Table;

/// Whether an answer is held against what was done before it counts: a model judges whether it claims or promises what was not done.
/// Such an answer goes back once, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The role or the id of the model that judges, its id once it is pinned; the one that judges for guardrails where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// What an answer must not be.
    pub rubric: String,
}

impl Default for Completion {
    fn default() -> Self {
        Self { judge: None, rubric: Self::RUBRIC.to_owned() }
    }
}

impl Completion {
    /// What an answer must not be where nothing is said.
    const RUBRIC: &str = "The answer says that something was done, or will be done, which the record does not show to be done.";

    /// Sets what an answer must not be.
    #[must_use]
    pub fn rubric(mut self, rubric: impl Into<String>) -> Self {
        self.rubric = rubric.into();
        self
    }

    /// Sets the model that judges: a role or a model id.
    #[must_use]
    pub fn judge(mut self, role_or_id: impl Into<String>) -> Self {
        self.judge = Some(role_or_id.into());
        self
    }

    /// Reads `check`.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let inner = table.table("check")?;
        let usual = Self::default();
        let judge = inner.text("judge").map(str::to_owned);
        let rubric = inner.text("rubric").map_or(usual.rubric, |rubric| rubric.trim().to_owned());
        inner.finish();
        Some(Self { judge, rubric })
    }
}
