//! Reflexion: an attempt, what can be learned from it, and another one from the beginning.
//!
//! After Shinn et al., *Reflexion: Language Agents with Verbal Reinforcement Learning* (2023).

use adjutant_agent::definition::Strategy;
use adjutant_agent::workflow::{Item, is_failure};
use adjutant_core::{Code, Result};
use serde_json::Value;

use super::Itself;

/// What the next attempt begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tries {
    /// The last answer, to be made better.
    Improve,
    /// Nothing but the lessons of those before.
    Anew,
}

/// Tries, and tries again from the beginning with the lessons of the attempts that did not succeed. The session keeps them: its next
/// turn begins with what was learned before.
pub(super) async fn reflexion(agent: &Itself, task: &Item, most: u32) -> Result<Item> {
    let mut lessons = agent.0.lessons();
    let answered = attempts(agent, task, most, Tries::Anew, &mut lessons).await;
    agent.0.keep(&lessons);
    answered
}

/// Tries until its own critic lets an answer pass, or there were enough attempts. An attempt that fails is a lesson, too.
pub(super) async fn attempts(
    agent: &Itself,
    task: &Item,
    most: u32,
    tries: Tries,
    lessons: &mut Vec<Item>,
) -> Result<Item> {
    let before = lessons.len();
    let mut last: Option<Item> = None;
    loop {
        let round = agent.0.scope("attempt");
        let mut asked = task.text();
        if let Some(last) = last.as_ref().filter(|_| tries == Tries::Improve) {
            asked.push_str(&format!("\n\nYour last answer was:\n{}", last.text()));
        }
        let advice = if tries == Tries::Improve {
            lessons.last().into_iter().collect()
        } else {
            lessons.iter().collect::<Vec<_>>()
        };
        for lesson in &advice {
            asked.push_str(&format!("\n\nWhat was wrong with an earlier answer:\n{}", lesson.text()));
        }
        let known: Vec<&Item> = [task].into_iter().chain(&last).chain(advice).collect();
        let is_last = lessons.len() - before + 1 >= most.max(1) as usize;
        let answer = match agent.does(&round, asked, &known).await {
            Ok(answer) => answer,
            Err(error) if is_failure(&error) && !is_last => {
                lessons.push(
                    Item::untrusted(format!("It failed: {error}")).influenced_by([task, &agent.0.failures()]),
                );
                continue;
            }
            Err(error) if is_failure(&error) || error.code() == Code::RunLimit => {
                return last.ok_or(error);
            }
            Err(error) => return Err(error),
        };
        if is_last {
            return Ok(answer);
        }
        let question = format!("The task:\n{}\n\nThe answer:\n{}", task.text(), answer.text());
        let critique = match agent.as_helper(&round, Strategy::CRITIC, question, &[task, &answer]).await {
            Ok(critique) => critique,
            // An answer is not lost because nobody may judge it any more.
            Err(error) if is_failure(&error) || error.code() == Code::RunLimit => return Ok(answer),
            Err(error) => return Err(error),
        };
        if critique.value.get("passes").and_then(Value::as_bool).unwrap_or(false) {
            return Ok(answer.influenced_by([&critique]));
        }
        let advice = critique.value.get("advice").cloned().unwrap_or_default();
        lessons.push(critique.part(advice));
        last = Some(answer);
    }
}
