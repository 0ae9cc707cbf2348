//! Self-consistency: several answers to the same task, and what most of them say.
//!
//! After Wang et al., *Self-Consistency Improves Chain of Thought Reasoning in Language Models* (2022).

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::Result;
use serde_json::Value;

use super::Itself;
use crate::pattern::{Fan, Join, majority, parallel};

/// Answers so many times at once; what most say is the answer, and of equals the first.
pub(super) async fn vote(agent: &Itself, task: &Item, of: u32) -> Result<Item> {
    let answer = |stage: Stage| async move { agent.does(&stage, task.text(), &[task]).await };
    let answers = parallel(&agent.0, Fan::join(Join::Rest(1)), (0..of).map(|_| answer)).await?;
    let answers: Vec<&Item> = answers.iter().flatten().collect();
    let elected = majority(answers.iter().map(|answer| alike(&answer.value)));
    let chosen = answers.iter().find(|answer| Some(alike(&answer.value)) == elected);
    let value = chosen.map(|answer| answer.value.clone()).unwrap_or_default();
    Ok(Item::made_of(value, answers))
}

/// What counts as the same answer: data as it is, words whatever their case and spaces.
fn alike(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
            Value::String(words.join(" ").trim_end_matches('.').to_owned())
        }
        other => other.clone(),
    }
}
