//! [`Opinion`]: what a judge or a service has said, as a step of a run tells it.

use adjutant_core::json::Json;
use adjutant_tool::moderation::Score;
use serde::Serialize;

use super::judge::{self, JUDGE};
use super::service::MODERATE;
use crate::answer::Answer;

/// What a judge or a service has said of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Opinion {
    /// What it holds against it, the surest first. Nothing where it gave no score.
    pub scores: Vec<Score>,
    /// Why, in the judge's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Opinion {
    /// Reads what was recorded of a step of this name; none where it asked neither.
    pub(crate) fn of(step: &str, input: &Json, recorded: &Json) -> Option<Self> {
        // A tool or a workflow may have a step of that name as well.
        input.value().get("guardrails")?;
        let mut opinion = match step {
            JUDGE => Self::judged(&Answer::read(recorded).ok()?),
            MODERATE => Self { scores: recorded.to().ok()?, reason: None },
            _ => return None,
        };
        opinion.scores.sort_by(|a, b| b.score.total_cmp(&a.score));
        Some(opinion)
    }

    fn judged(answer: &Answer) -> Self {
        let text = answer.text();
        let Some(hit) = judge::read(&text, text.len()).ok().and_then(|hits| hits.into_iter().next()) else {
            return Self::default();
        };
        let score = Score { category: hit.category, score: hit.score };
        Self { scores: vec![score], reason: Some(hit.what).filter(|why| !why.is_empty()) }
    }
}
